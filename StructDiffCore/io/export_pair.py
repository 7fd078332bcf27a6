"""What is exported: a synthetic image, its mask, its confidence and what its manifest says, read from a sample folder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from StructDiffCore.domain import ImageMaskPair, Label, LabelMap, LabelScheme, StructDiffError, Volume

from .files import read_label_map, read_volume
from .manifest import MANIFEST, read_manifest
from .safe_paths import safe_path
from .schemes import SHIPPED

CONFIDENCE = "confidence.nii.gz"
CALIBRATED = "confidence_0_to_1"
"""Role of the calibrated map in a manifest, and its file's name without the ending."""
VERDICTS = {"topology": "the topology verdict", "quality": "the quality verdict"}


@dataclass(frozen=True, eq=False)
class ExportPair:
    """One synthetic scan on its way to another tool."""

    name: str
    """Case name; letters, digits, dots, dashes and underscores."""
    image: Volume
    mask: LabelMap
    confidence: Volume | None
    """Standard deviation in HU on the image's grid."""
    manifest: Mapping[str, Any]
    calibrated: Volume | None = None
    """P(|error| is not gross) in [0, 1] on the image's grid, where a fit to measured errors exists."""

    def __post_init__(self) -> None:
        ImageMaskPair(self.image, self.mask)
        object.__setattr__(self, "name", case_name(self.name))
        for one in (self.confidence, self.calibrated):
            if one is not None and not one.geometry.same_as(self.image.geometry, tolerance_mm=0.01):
                raise StructDiffError(f"the confidence map of {self.name} lies on another grid than its image", "make it again")
        if self.calibrated is not None and not (self.calibrated.voxels.min() >= 0 and self.calibrated.voxels.max() <= 1):
            raise StructDiffError(f"the calibrated confidence of {self.name} leaves [0, 1]", "make it again")

    @property
    def ancestors(self) -> frozenset[str]:
        """Ids of the template and the masks it was made from; cases that share one belong on one side of a split."""
        told = self.manifest
        masks = {told.get("mask_id"), told.get("template_mask_id"), *(told.get("mask_references") or ())} - {None}
        template = {f"template {told['template']}"} if told.get("template") else set()
        return frozenset({*(f"mask {one}" for one in masks), *template})


def case_name(name: str) -> str:
    """The name in characters that every tool and file system takes."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._") or "case"


def refusals(manifest: Mapping[str, Any]) -> list[str]:
    """Why a sample may not leave without force: verdicts that are not "pass", in words."""
    told = []
    for key, words in VERDICTS.items():
        entry = manifest.get(key)
        verdict = entry.get("verdict") if isinstance(entry, Mapping) else None
        if verdict is None:
            told.append(f"{words} is missing")
        elif verdict != "pass":
            off = entry.get("off") if isinstance(entry, Mapping) else None
            told.append(f"{words} is '{verdict}'" + (f" ({', '.join(map(str, off))})" if off else ""))
    return told


def sample_folders(places: Iterable[str | Path]) -> list[Path]:
    """All sample folders among and below the given ones, sorted; StructDiffError if a place holds none."""
    found: dict[Path, None] = {}
    for place in map(Path, places):
        here = list(_samples_below(place))
        if not here:
            raise StructDiffError(
                f"{place} {'holds no sample' if place.is_dir() else 'is no folder'}", "give what synthesize has written"
            )
        found.update(dict.fromkeys(here))
    return list(found)


def read_sample(folder: str | Path) -> ExportPair:
    """A sample as ``structdiff synthesize`` wrote it; named after its folder and the one above."""
    folder = Path(folder).resolve()
    manifest = read_manifest(folder)
    files = manifest.get("files")
    if not isinstance(files, Mapping) or not {"image", "mask"} <= set(files):
        raise StructDiffError(f"the manifest in {folder} names no image and mask", "give a sample folder")
    image = read_volume(safe_path(folder, files["image"]))
    mask = read_label_map(safe_path(folder, files["mask"]), _scheme(manifest))
    sure = _there(folder, files.get("confidence") or CONFIDENCE)
    calibrated = _there(folder, files.get(CALIBRATED) or f"{CALIBRATED}.nii.gz")
    return ExportPair(f"{folder.parent.name}_{folder.name}", image, mask, sure, manifest, calibrated)


def _there(folder: Path, name: Any) -> Volume | None:
    """A map inside the folder; None where it is not there."""
    path = safe_path(folder, str(name))
    return read_volume(path) if path.is_file() else None


def _scheme(manifest: Mapping[str, Any]) -> LabelScheme | None:
    """A shipped scheme by its name; else the labels' names as the topology report tells them; None where it does not."""
    name = str(manifest.get("scheme"))
    if name in SHIPPED:
        return SHIPPED[name]
    topology = manifest.get("topology")
    told = topology.get("labels") if isinstance(topology, Mapping) else None
    if not isinstance(told, Mapping) or not told:
        return None
    return LabelScheme(name, tuple(Label(int(value), str(found["name"])) for value, found in told.items()))


def _samples_below(place: Path) -> Iterator[Path]:
    for path in sorted([place / MANIFEST, *place.rglob(f"*/{MANIFEST}")]):
        folder = path.parent
        hidden = any(part.startswith(".") for part in folder.relative_to(place).parts)
        if path.is_file() and not hidden and _is_sample(folder):
            yield folder


def _is_sample(folder: Path) -> bool:
    try:
        files = read_manifest(folder).get("files")
    except StructDiffError:
        return False
    return isinstance(files, Mapping) and {"image", "mask"} <= set(files)
