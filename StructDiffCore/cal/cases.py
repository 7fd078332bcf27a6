"""The pairs a segmenter learns from: samples of a synthesis, data-set folders, data lists."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from StructDiffCore.domain import ImageMaskPair, LabelScheme, StructDiffError
from StructDiffCore.io import layouts
from StructDiffCore.io.cases import read_case
from StructDiffCore.io.export_pair import CONFIDENCE, sample_folders
from StructDiffCore.io.files import read_pair, template_id
from StructDiffCore.io.integrity import naming
from StructDiffCore.io.manifest import MANIFEST, read_manifest
from StructDiffCore.io.safe_paths import safe_path
from StructDiffCore.io.synthetic_dataset import is_dataset, read_dataset

DESCRIPTION = "dataset.json"
"""The file that makes a folder an MSD or nnU-Net data set."""
CALIBRATED_ROLE, CALIBRATED = "confidence_0_to_1", "confidence_0_to_1.nii.gz"


@dataclass(frozen=True)
class PairFiles:
    """One pair on disk, before anything of it is read."""

    id: str
    image: Path
    mask: Path | layouts.Case
    """A mask file in the run's scheme, or the case of a known data set."""
    confidence: Path | None = None
    """The generator's standard deviation in HU."""
    patient: str = ""
    """Whose scan it is; pairs of one patient never stand on both sides of a split. Where nobody has told, the image's name."""
    parents: tuple[str, ...] = ()
    """Digests of the template and the mask that a synthetic pair was made from."""
    calibrated: Path | None = None
    """Confidence in [0, 1], fitted to measured errors."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Image and masks."""
        masks = (self.mask,) if isinstance(self.mask, Path) else tuple(file.path for file in self.mask.masks)
        return (self.image, *masks)

    @property
    def patient_is_guessed(self) -> bool:
        """Whether the image's name stands in for the patient's."""
        return bool(self.patient) and self.patient == self.id

    @property
    def group(self) -> str:
        """What a split keeps together: the patient, else the template, else the pair itself."""
        return self.patient or (self.parents[0] if self.parents else self.id)

    def read(self, scheme: LabelScheme) -> tuple[ImageMaskPair, tuple[str, ...]]:
        """The pair in the run's scheme, and the digests under which a synthesis would name it as its template."""
        with naming(self.image):
            if isinstance(self.mask, Path):
                pair = read_pair(self.image, self.mask, scheme)
                return pair, (template_id(pair),)
            pair = read_case(self.mask).pair
            _refuse_other_meaning(self.id, pair, scheme)
            ids = {template_id(pair)}
            if len(self.mask.masks) == 1:
                ids.add(template_id(read_pair(self.image, self.mask.masks[0].path)))
            return pair, tuple(sorted(ids))


def pairs_of(source: Path, section: str = "training") -> list[PairFiles]:
    """All pairs of a source: a sample folder or a folder of them, a data set, or a ``section`` of a data list.

    The files of a data set that ``structdiff synthesize-many`` wrote are held against their digests.
    """
    if source.name == DESCRIPTION:  # its label values have the meaning that it gives them, as in the folder
        source = source.parent
    if is_dataset(source):
        return [_sample(folder) for folder in read_dataset(source).samples]
    if source.suffix.lower() == ".json":
        return _listed(source, section)
    if not source.is_dir():
        raise StructDiffError(f"no folder or data list at {source}", "give a folder of pairs or a .json list")
    if any(source.glob(MANIFEST)) or any(source.glob(f"*/{MANIFEST}")):
        return [_sample(folder) for folder in sample_folders([source])]
    return [_case(source, case) for case in layouts.cases(source)]


def _case(folder: Path, case: layouts.Case) -> PairFiles:
    """A case of a data set; one that ``structdiff export`` added has its manifest and its confidence beside the images."""
    manifest = folder / "manifests" / f"{case.id}.json"
    if not manifest.is_file():
        return PairFiles(case.id, case.image, case, patient=case.id)
    told = _object(manifest)
    deviation = _there(folder, f"confidenceTr/{case.id}.nii.gz")
    return PairFiles(case.id, case.image, case, deviation, parents=_parents(told), calibrated=_calibrated(folder, told))


def _sample(folder: Path) -> PairFiles:
    """A sample folder of ``structdiff synthesize``."""
    manifest = read_manifest(folder)
    files = manifest["files"]
    image, mask = (safe_path(folder, str(files[part])) for part in ("image", "mask"))
    name, deviation = f"{folder.parent.name}/{folder.name}", _there(folder, files.get("confidence") or CONFIDENCE)
    return PairFiles(name, image, mask, deviation, parents=_parents(manifest), calibrated=_calibrated(folder, manifest))


def _calibrated(folder: Path, told: Mapping[str, Any]) -> Path | None:
    """The map in [0, 1] that a manifest names, or that lies under a synthesis's own name."""
    files = told.get("files")
    return _there(folder, (files.get(CALIBRATED_ROLE) if isinstance(files, Mapping) else None) or CALIBRATED)


def _there(folder: Path, name: Any) -> Path | None:
    """The file inside the folder; None where it is not there."""
    path = safe_path(folder, str(name))
    return path if path.is_file() else None


def _listed(path: Path, section: str) -> list[PairFiles]:
    """A list as MSD and MONAI write it: {"training": [{"image", "label", and optionally the keys below}]}.

    "confidence": a map in [0, 1]; "deviation_hu": a standard deviation; "patient" (else the image's name stands for it: images
    of one name are taken for one patient's); "template" and "mask_id" of a synthetic pair.
    Where confidence.kind is deviation_hu and an entry has no "deviation_hu", its "confidence" is taken for one.
    """
    with naming(path):
        entries = _object(path).get(section)
        if not isinstance(entries, list) or not entries:
            raise StructDiffError(f"the data list has no '{section}' section with pairs", f'give "{section}": [...]')
        return [_entry(path.parent, entry) for entry in entries]


def _entry(folder: Path, entry: Any) -> PairFiles:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("image"), str) or not isinstance(entry.get("label"), str):
        raise StructDiffError(f"the data list holds {entry!r}", 'give "image" and "label" of each pair')
    image, label = folder / entry["image"], folder / entry["label"]
    maps = {key: folder / str(entry[key]) if entry.get(key) else None for key in ("confidence", "deviation_hu")}
    deviation = maps["deviation_hu"] or maps["confidence"]
    parents = _parents(entry)
    name = layouts.stem(image)
    patient = str(entry.get("patient") or ("" if parents or entry.get("synthetic") else name))
    return PairFiles(name, image, label, deviation, patient, parents, maps["confidence"])


def _parents(told: Mapping[str, Any]) -> tuple[str, ...]:
    """Digests of the template and the mask a pair was made from, the template first."""
    return tuple(str(told[key]) for key in ("template", "mask_id") if told.get(key))


def _object(path: Path) -> Mapping[str, Any]:
    """A JSON object; refuses what is none."""
    with naming(path):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise StructDiffError(f"it is not readable as JSON ({error})", "correct it") from None
        if not isinstance(content, Mapping):
            raise StructDiffError("it is no JSON object", "correct it")
        return content


def _refuse_other_meaning(case: str, pair: ImageMaskPair, scheme: LabelScheme) -> None:
    """A data set with label names of its own must call its labels what the run's scheme calls them."""
    ours = {label.value: label.name.lower() for label in scheme.labels}
    for value in pair.mask.present:
        theirs = pair.mask.scheme[value].name
        if ours.get(value) != theirs.lower():
            raise StructDiffError(
                f"case {case} has label {value} '{theirs}', which the scheme '{scheme.name}' "
                + (f"calls '{ours[value]}'" if value in ours else "does not know"),
                "give the scheme these labels belong to",
            )
