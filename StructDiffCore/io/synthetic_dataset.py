"""A written synthetic data set: what ``structdiff synthesize-many`` leaves, with a description, a datasheet and digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from StructDiffCore.domain import StructDiffError

from .atomic import write_text
from .datasheet import datasheet
from .integrity import naming
from .manifest import MANIFEST, read_manifest
from .safe_paths import safe_path

DESCRIPTION, DATASHEET = "dataset.json", "DATASHEET.md"
KIND = "structdiff synthetic data set"
FORMAT = 1
LICENCE_NOTES = {
    "software": "Apache-2.0",
    "templates": "a synthetic volume carries its template's appearance, so the licence and the consent of each template's data "
    "hold for it too; StructDiff does not know them: write them down before the data set leaves the house",
    "digital-heart": "Apache-2.0 (a drawn heart, no patient)",
}


@dataclass(frozen=True)
class DatasetSample:
    """One synthetic pair of a data set."""

    folder: Path
    mask: str
    template: str
    """Names in the plan."""


@dataclass(frozen=True)
class SyntheticDataset:
    """A data set as its description tells; the files were found unchanged."""

    folder: Path
    told: Mapping[str, Any]

    @property
    def version(self) -> int:
        """Counts up whenever the content changes."""
        return int(self.told["version"])

    @property
    def samples(self) -> list[Path]:
        """The sample folders."""
        return [safe_path(self.folder, one["folder"]) for one in self.told["samples"]]


def is_dataset(folder: str | Path) -> bool:
    """Whether a folder holds a synthetic data set's description (nnU-Net and MSD call theirs by the same name)."""
    try:
        told = json.loads((Path(folder) / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and told.get("kind") == KIND


def read_dataset(folder: str | Path) -> SyntheticDataset:
    """The data set in a folder, every file held against its digest; refuses a newer format and changed or missing files."""
    place = Path(folder)
    told = _description(place)
    for sample in told["samples"]:
        for name, wanted in sample["sha256"].items():
            path = safe_path(place, f"{sample['folder']}/{name}")
            if not path.is_file():
                raise StructDiffError(f"the data set {place} lacks {sample['folder']}/{name}", _REMEDY)
            if digest_of_file(path) != wanted:
                raise StructDiffError(f"{path} is not the file that {DESCRIPTION} describes: its content has changed", _REMEDY)
    return SyntheticDataset(place, told)


_REMEDY = "bring the file back, or run synthesize-many again to describe the data set as it is"


def write_dataset(folder: str | Path, samples: Sequence[DatasetSample], failed: int = 0) -> Path:
    """Write dataset.json and DATASHEET.md for the samples in ``folder``; the version rises if the content differs from before."""
    place = Path(folder)
    found = [_told_sample(place, one) for one in samples]
    manifests = [read_manifest(one.folder) for one in samples]
    content = hashlib.sha256(json.dumps([one["sha256"] for one in found], sort_keys=True).encode()).hexdigest()
    before: Mapping[str, Any] = _description(place) if is_dataset(place) else {"version": 0, "content_sha256": ""}
    version = int(before["version"]) + (before["content_sha256"] != content)
    told = {
        "kind": KIND,
        "format": FORMAT,
        "version": version,
        "content_sha256": content,
        "synthetic": True,
        "name": place.name,
        **_summary(found, manifests, failed),
        "licence_notes": LICENCE_NOTES,
        "samples": found,
    }
    write_text(place / DATASHEET, datasheet(told, manifests))
    write_text(place / DESCRIPTION, json.dumps(told, indent=1) + "\n")
    return place / DESCRIPTION


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with naming(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _description(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    with naming(path):
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise StructDiffError(f"it is not readable as JSON ({error})", "run synthesize-many again") from None
        if not isinstance(told, dict) or told.get("kind") != KIND or not isinstance(told.get("samples"), list):
            raise StructDiffError("it describes no synthetic data set", "run synthesize-many again")
        if told.get("format") != FORMAT:
            raise StructDiffError(
                f"its format is {told.get('format')!r}, this version reads {FORMAT}", "install a newer StructDiff"
            )
        return told


def _told_sample(place: Path, sample: DatasetSample) -> dict[str, Any]:
    manifest = read_manifest(sample.folder)
    names = sorted({MANIFEST, *map(str, manifest["files"].values())})
    verdicts = {key: _verdict(manifest, key) for key in ("topology", "quality")}
    return {
        "folder": sample.folder.relative_to(place).as_posix(),
        "mask": sample.mask,
        "template": sample.template,
        "seed": manifest.get("seed"),
        **verdicts,
        "sha256": {name: digest_of_file(safe_path(sample.folder, name)) for name in names},
    }


def _verdict(manifest: Mapping[str, Any], key: str) -> str:
    told = manifest.get(key)
    return str(told.get("verdict")) if isinstance(told, Mapping) else "missing"


def _summary(found: Sequence[Mapping[str, Any]], manifests: Sequence[Mapping[str, Any]], failed: int) -> dict[str, Any]:
    """What holds for the whole: counts, generators, templates (names and digests alone), settings, labels."""
    templates = {(one["template"], str(told.get("template"))) for one, told in zip(found, manifests)}
    settings = {json.dumps(told.get("settings", {}), sort_keys=True) for told in manifests}
    masks = {told.get("mask_id") for told in manifests}
    return {
        "counts": {"samples": len(found), "masks": len(masks), "templates": len(templates), "failed_jobs": failed},
        "software": sorted({str(told.get("software", {}).get("structdiff")) for told in manifests}),
        "generators_sha256": sorted({str(told.get("weights_sha256")) for told in manifests}),
        "templates": [{"name": name, "id": digest} for name, digest in sorted(templates)],
        "settings": [json.loads(one) for one in sorted(settings)],
        "seeds": [one["seed"] for one in found],
        "scheme": sorted({str(told.get("scheme")) for told in manifests}),
        "labels": _labels(manifests),
    }


def _labels(manifests: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Value -> name of every label that some mask shows."""
    names: dict[int, str] = {}
    for told in manifests:
        labels = told.get("topology", {}).get("labels", {})
        names.update({int(value): str(one.get("name", value)) for value, one in labels.items()})
    return {str(value): names[value] for value in sorted(names)}
