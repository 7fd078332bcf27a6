"""Pairs to export: made-up cases with passed verdicts, and the sample folders that hold them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, Volume
from StructDiffCore.io.export_pair import ExportPair
from StructDiffCore.io.files import (
    write_float_volume,
    write_label_map,
    write_volume,
)

PASSED = {"topology": {"verdict": "pass"}, "quality": {"verdict": "pass", "off": []}}
OBLIQUE = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]


def a_grid(left_handed: bool = False) -> Geometry:
    direction = OBLIQUE * np.sign(np.linalg.det(OBLIQUE))
    if left_handed:
        direction = direction * (1, 1, -1)
    return Geometry((7, 6, 5), (0.5, 0.7, 0.9), (-12.25, 30.5, 101.125), direction)


def a_case(name="one", template="t1", mask_id="m1", seed=0, grid: Geometry | None = None, **told) -> ExportPair:
    grid = grid or a_grid()
    rng = np.random.default_rng(seed)
    image = Volume(rng.integers(-1000, 1500, grid.shape), grid)
    mask = LabelMap(rng.choice([0, 1, 6, 8], grid.shape).astype(np.uint8), grid, CARDIAC)
    unsure = Volume(rng.uniform(0, 50, grid.shape), grid)
    return ExportPair(name, image, mask, unsure, {**PASSED, "template": template, "mask_id": mask_id, "synthetic": True, **told})


def a_sample(folder: Path, pair: ExportPair, confidence: bool = True) -> Path:
    """A sample folder as synthesize leaves it."""
    folder.mkdir(parents=True)
    write_volume(pair.image, folder / "image.nii.gz")
    write_label_map(pair.mask, folder / "mask.nii.gz")
    files = {"image": "image.nii.gz", "mask": "mask.nii.gz"}
    if confidence:
        write_float_volume(pair.confidence, folder / "confidence.nii.gz")
    (folder / "manifest.json").write_text(json.dumps({**pair.manifest, "scheme": "cardiac", "files": files}))
    return folder


def state(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
