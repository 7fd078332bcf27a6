"""Toy pairs for confidence-aware learning: a bright block and a thin bright rod in noise, on disk as users have them."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from StructDiffCore.cal.data import listed
from StructDiffCore.cal.run import device_of, read_pairs, run_pretraining
from StructDiffCore.cal.settings import PretrainSettings
from StructDiffCore.domain import Geometry, Label, LabelMap, LabelScheme, Volume
from StructDiffCore.io.files import write_float_volume, write_label_map, write_volume
from StructDiffCore.io.schemes import save_scheme
from StructDiffCore.systems.tensor_file import read_tensors

T = TypeVar("T")
SCHEME = LabelScheme("toy", (Label(2, "block"), Label(5, "rod", thin=True)))
GRID = Geometry((32, 28, 30), (1.0, 1.0, 1.0), (-10.0, 5.0, 0.0))


def toy(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """HU and labels (i, j, k)."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(GRID.shape, np.uint8)
    i, j, k = rng.integers(2, 14, 3)
    labels[i : i + 10, j : j + 10, k : k + 10] = 2
    side = int(rng.integers(0, 24))
    labels[4:28, side : side + 2, 26:28] = 5
    hu = np.select([labels == 2, labels == 5], [250.0, 500.0], -100.0) + rng.normal(0, 20, labels.shape)
    return hu.astype(np.float32), labels


def returned(steps: Generator[Any, None, T]) -> T:
    """What a generator returns once it has handed out its steps."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def write_pair(folder: Path, seed: int) -> tuple[Path, Path]:
    """image.nii.gz and mask.nii.gz in a folder of their own."""
    folder.mkdir(parents=True)
    hu, labels = toy(seed)
    write_volume(Volume(hu, GRID), folder / "image.nii.gz")
    write_label_map(LabelMap(labels, GRID, SCHEME), folder / "mask.nii.gz")
    return folder / "image.nii.gz", folder / "mask.nii.gz"


def write_sample(folder: Path, seed: int, deviation: np.ndarray | None = None, template: str = "t0") -> None:
    """A sample folder as a synthesis leaves it."""
    write_pair(folder, seed)
    if deviation is None:
        deviation = np.full(GRID.shape, 10.0, np.float32)
    write_float_volume(Volume(deviation, GRID), folder / "confidence.nii.gz")
    files = {"image": "image.nii.gz", "mask": "mask.nii.gz", "confidence": "confidence.nii.gz"}
    told = {"synthetic": True, "verb": "synthesize", "template": template, "mask_id": f"m{seed}", "files": files}
    (folder / "manifest.json").write_text(json.dumps(told))


def write_list(path: Path, sections: dict[str, list[tuple[Path, str]]]) -> None:
    """A data list: section -> (pair's folder, patient)."""

    def entries(pairs: list[tuple[Path, str]]) -> list[dict[str, str]]:
        return [
            {"image": str(f.relative_to(path.parent) / "image.nii.gz"), "label": str(f.relative_to(path.parent) / "mask.nii.gz")}
            | {"patient": patient}
            for f, patient in pairs
        ]

    path.write_text(json.dumps({name: entries(pairs) for name, pairs in sections.items()}))


def write_scene(folder: Path) -> Path:
    """Three synthetic samples, three real pairs of three patients, one of a fourth for validation; returns a settings file."""
    for number in range(3):
        write_sample(folder / "samples" / f"sample-{number:03d}", number, template=f"t{number}")
    for number in range(4):
        write_pair(folder / "real" / f"r{number}", 100 + number)
    real = [(folder / "real" / f"r{number}", f"p{number}") for number in range(4)]
    write_list(folder / "real.json", {"training": real[:3], "validation": real[3:]})
    save_scheme(SCHEME, folder / "scheme.json")
    return write_config(folder)


def write_config(folder: Path, name: str = "cal.json", **changes: object) -> Path:
    """Settings of a run of seconds."""
    settings = {
        "scheme": "scheme.json",
        "synthetic": {"sources": ["samples"], "steps": 6, "learning_rate": 2e-3},
        "real": {"sources": ["real.json"], "steps": 4, "learning_rate": 1e-3},
        "validation": ["real.json"],
        "network": "UNet",
        "spacing_mm": 1.0,
        "crop": 16,
        "batch": 2,
        "precision": "32-true",
        "validate_every": 2,
        "checkpoint_every": 3,
        **changes,
    }
    (folder / name).write_text(json.dumps(settings))
    return folder / name


def run(config: Path, out: Path, stop_after: int | None = None) -> list[float]:
    """The losses of a run; stopped as a cancelled pipeline stops it."""
    settings, losses = PretrainSettings.read(config), []
    data = returned(read_pairs(settings, listed(settings, config.parent), out))
    steps = run_pretraining(settings, data, out, device_of(settings, "cpu"))
    for now in steps:
        if now.loss is not None:
            losses.append(now.loss)
            if len(losses) == stop_after:
                steps.close()
                break
    return losses


def same_tensors(ours: Path, theirs: Path) -> None:
    """Bit for bit; the random state apart, which nothing draws from."""
    found, wanted = read_tensors(ours).tensors, read_tensors(theirs).tensors
    assert set(found) == set(wanted)
    for name, tensor in wanted.items():
        if not name.startswith("random/"):
            torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)
