"""What one sample leaves in its folder: volumes, mask, manifest, pictures."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from StructDiffCore import __version__
from StructDiffCore.config.presets import CONFIDENCE_WINDOW_HU, SSV_PATHS
from StructDiffCore.domain import ConfidenceMap, LabelMap, Triple, Volume
from StructDiffCore.io.atomic import write_text
from StructDiffCore.io.files import mask_id, write_float_volume, write_label_map, write_volume
from StructDiffCore.pictures.overlay import Overlay
from StructDiffCore.pictures.slices import Column, save_planes
from StructDiffCore.pictures.surface_page import Mark, save_surface
from StructDiffCore.topology.report import TopologyReport

from .read_back import READ_BACK, ReadBack

if TYPE_CHECKING:
    from StructDiffCore.synthesis.confidence_fit import Measured
    from StructDiffCore.synthesis.prepared import Prepared
    from StructDiffCore.synthesis.result import Synthesis

MASK_PICTURE = "mask_3d.png"
CONFIDENCE = "confidence.nii.gz"
CONFIDENCE_SHARE = "confidence_0_to_1.nii.gz"
BYTES_PER_VOXEL = 14
"""Two compressed int16 volumes, a mask and two float32 maps, at worst."""
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
    lineage: Mapping[str, Any] = field(default_factory=dict)
    """Ids of its relatives, for honest splits."""
    read_back: ReadBack | None = None
    """What a segmenter sees in the volume, where that was asked for."""


def bytes_needed(target: LabelMap, samples: int) -> int:
    """Room that the results of a job take on the disk."""
    return samples * (target.voxels.size * BYTES_PER_VOXEL + PICTURES_BYTES)


def write_sample(folder: Path, sample: Sample) -> None:
    """Write both images, mask, confidence map (where there is one), pictures/ and, last, manifest.json into an empty folder."""
    write_volume(sample.synthesis.noisy, folder / "image.nii.gz")
    write_volume(sample.synthesis.clean, folder / "image_clean.nii.gz")
    write_label_map(sample.target, folder / "mask.nii.gz")
    if sample.synthesis.uncertainty is not None:
        write_float_volume(sample.synthesis.uncertainty.deviation_hu, folder / CONFIDENCE)
    if (share := confidence_share(sample.synthesis)) is not None:
        write_float_volume(Volume(share.voxels, share.geometry), folder / CONFIDENCE_SHARE)
    if sample.read_back is not None:
        write_label_map(sample.read_back.mask, folder / READ_BACK)
    _draw(folder / "pictures", sample)
    write_text(folder / "manifest.json", json.dumps(manifest(sample), indent=2) + "\n")


def manifest(sample: Sample) -> dict[str, Any]:
    """Everything that decides the voxels and what was found about them; JSON-able."""
    return {
        "synthetic": True,
        "verb": sample.verb,
        "software": software(),
        "mask_id": mask_id(sample.target),
        **sample.lineage,
        "scheme": sample.target.scheme.name,
        **sample.synthesis.record,
        "topology": sample.topology.as_dict(),
        "quality": dict(sample.verdict),
        "confidence": confidence_record(sample),
        "read_back": None if sample.read_back is None else sample.read_back.as_dict(),
        "files": _files(sample),
    }


def confidence_worth(synthesis: Synthesis) -> str:
    """What a person must know before trusting the map."""
    if synthesis.uncertainty is None:
        return "no confidence map was made"
    from StructDiffCore.synthesis.confidence_worth import words_of

    found = _measure_of(synthesis)
    worth = words_of(found.findings if found else ())
    head = synthesis.uncertainty.record["method"] == "head"
    what = "the error that a network trained on digital hearts expects" if head else "the spread of the generator's estimates"
    return f"{CONFIDENCE} holds {what} (standard deviation in HU); {worth}."


def confidence_share(synthesis: Synthesis) -> ConfidenceMap | None:
    """P(|error| <= X HU) where the relation of this method's deviation to errors was measured for samples made like this."""
    found, made = _measure_of(synthesis), synthesis.uncertainty
    return None if found is None or made is None else found.fit.of(made.deviation_hu)


def _measure_of(synthesis: Synthesis) -> Measured | None:
    """What was measured of maps like this sample's."""
    from StructDiffCore.synthesis.confidence_fit import shipped_measure
    from StructDiffCore.synthesis.measured_at import MeasuredAt

    made, at = synthesis.uncertainty, MeasuredAt.of_record(synthesis.record)
    if made is None or at is None:
        return None
    return shipped_measure(at, made.record["method"], synthesis.record["settings"].get("ssv_paths", SSV_PATHS))


def confidence_record(sample: Sample) -> dict[str, Any] | None:
    """How the confidence map was made, what it holds and what it is worth; None where there is none."""
    made = sample.synthesis.uncertainty
    if made is None:
        return None
    deviation, labels = made.deviation_hu.voxels, sample.target.voxels
    medians = {sample.target.scheme[v].name: round(float(np.median(deviation[labels == v])), 2) for v in sample.target.present}
    found = _measure_of(sample.synthesis)
    share = {} if found is None else {CONFIDENCE_SHARE: f"P(|error| <= {found.fit.threshold_hu:g} HU), fitted on digital hearts"}
    worth = confidence_worth(sample.synthesis)
    return {**made.record, "unit": "HU, standard deviation", "worth": worth, "median_hu": medians, **share}


def _files(sample: Sample) -> dict[str, str]:
    files = {"image": "image.nii.gz", "image_clean": "image_clean.nii.gz", "mask": "mask.nii.gz"}
    if sample.synthesis.uncertainty is not None:
        files["confidence"] = CONFIDENCE
    if _measure_of(sample.synthesis) is not None:
        files["confidence_0_to_1"] = CONFIDENCE_SHARE
    if sample.read_back is not None:
        files["read_back"] = READ_BACK
    return files


def software() -> dict[str, str]:
    """Versions that decide the voxels."""
    import torch

    return {
        "structdiff": __version__,
        "python": sys.version.split()[0],
        "torch": str(torch.__version__),
        "numpy": np.__version__,
    }


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
    _draw_confidence(folder / "confidence.png", sample)
    if sample.mask_picture is not None:
        shutil.copyfile(sample.mask_picture, folder / MASK_PICTURE)
    else:
        save_surface(folder / MASK_PICTURE, target, marks=sample.marks, title="The mask asked for")


def _draw_confidence(path: Path, sample: Sample) -> None:
    """The map over the scan in its fixed window."""
    made, target, scan = sample.synthesis.uncertainty, sample.target, sample.synthesis.noisy
    if made is None:
        return
    low, high = CONFIDENCE_WINDOW_HU
    overlay = Overlay(made.deviation_hu, low, high, "standard deviation (HU)")
    columns = (Column(sample.words, scan, target), Column(f"confidence: {made.record['method']}", scan, None, overlay))
    title = "Where the generator is unsure"
    save_planes(path, columns, sample.focus_mm, shown=target, title=title)
