"""What one sample leaves in its folder: volumes, mask, manifest, pictures."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from StructDiffCore import __version__
from StructDiffCore.domain import LabelMap, Triple, Volume
from StructDiffCore.io.atomic import write_text
from StructDiffCore.io.files import write_label_map, write_volume
from StructDiffCore.pictures.slices import Column, save_planes
from StructDiffCore.pictures.surface_page import Mark, save_surface
from StructDiffCore.topology.report import TopologyReport

if TYPE_CHECKING:
    from StructDiffCore.synthesis.prepared import Prepared
    from StructDiffCore.synthesis.result import Synthesis

MASK_PICTURE = "mask_3d.png"
BYTES_PER_VOXEL = 6
"""Two compressed int16 volumes and a mask, at worst."""
PICTURES_BYTES = 8 * 2**20


@dataclass(frozen=True, eq=False)
class Sample:
    """One synthetic scan with all that is told about it."""

    synthesis: Synthesis
    target: LabelMap
    prepared: Prepared
    topology: TopologyReport
    verdict: Mapping[str, Any]
    verb: str = "synthesize"
    words: str = "synthetic CT"
    """How the pictures call it."""
    focus_mm: Triple | None = None
    """The point the planes go through; the middle of the mask without one."""
    marks: tuple[Mark, ...] = ()
    mask_picture: Path | None = None
    """The 3D view of this mask where an earlier sample has drawn it already."""


def bytes_needed(target: LabelMap, samples: int) -> int:
    """Room that the results of a job take on the disk."""
    return samples * (target.voxels.size * BYTES_PER_VOXEL + PICTURES_BYTES)


def write_sample(folder: Path, sample: Sample) -> None:
    """Write image.nii.gz, image_clean.nii.gz, mask.nii.gz, pictures/ and, last, manifest.json into an empty folder."""
    write_volume(sample.synthesis.noisy, folder / "image.nii.gz")
    write_volume(sample.synthesis.clean, folder / "image_clean.nii.gz")
    write_label_map(sample.target, folder / "mask.nii.gz")
    _draw(folder / "pictures", sample)
    write_text(folder / "manifest.json", json.dumps(manifest(sample), indent=2) + "\n")


def manifest(sample: Sample) -> dict[str, Any]:
    """Everything that decides the voxels and what was found about them; JSON-able."""
    return {
        "synthetic": True,
        "verb": sample.verb,
        "software": software(),
        "mask_id": mask_id(sample.target),
        "scheme": sample.target.scheme.name,
        **sample.synthesis.record,
        "topology": sample.topology.as_dict(),
        "quality": dict(sample.verdict),
        "files": {"image": "image.nii.gz", "image_clean": "image_clean.nii.gz", "mask": "mask.nii.gz"},
    }


def software() -> dict[str, str]:
    """Versions that decide the voxels."""
    import torch

    return {
        "structdiff": __version__,
        "python": sys.version.split()[0],
        "torch": str(torch.__version__),
        "numpy": np.__version__,
    }


def mask_id(mask: LabelMap) -> str:
    """16 hexadecimal digits: SHA-256 of labels and grid, the same in whatever file format they came."""
    digest = hashlib.sha256(mask.voxels.astype(np.uint16).tobytes())
    digest.update((np.round(mask.geometry.affine, 3) + 0.0).tobytes())
    return digest.hexdigest()[:16]


def _draw(folder: Path, sample: Sample) -> None:
    folder.mkdir(exist_ok=True)
    noisy, clean, target = sample.synthesis.noisy, sample.synthesis.clean, sample.target
    template = Volume(sample.prepared.source.template_image, target.geometry)
    columns = (
        Column(sample.words, noisy),
        Column("with the mask asked for", noisy, target),
        Column("without noise", clean),
        Column("template, moved onto the mask", template),
    )
    seed = sample.synthesis.record["seed"]
    title = f"{sample.words}, seed {seed}"
    save_planes(folder / "planes.png", columns, sample.focus_mm, shown=target, title=title)
    if sample.mask_picture is not None:
        shutil.copyfile(sample.mask_picture, folder / MASK_PICTURE)
    else:
        save_surface(folder / MASK_PICTURE, target, marks=sample.marks, title="The mask asked for")
