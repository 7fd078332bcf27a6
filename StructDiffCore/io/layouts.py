"""Public data-set folders as lists of cases: ImageCAS, ASOCA, MM-WHS, TotalSegmentator, MSD and nnU-Net."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from StructDiffCore.domain import CARDIAC, Label, LabelScheme, StructDiffError

from .integrity import ENDINGS
from .label_tables import (
    BOTH_CORONARIES,
    CORONARY_ONLY,
    MM_WHS,
    TOTALSEGMENTATOR_HEART,
    TOTALSEGMENTATOR_TOTAL,
    TOTALSEGMENTATOR_V1,
    cardiac_value,
    table_by_names,
)
from .safe_paths import safe_path


@dataclass(frozen=True)
class MaskFile:
    """One mask file of a case and what its values mean."""

    path: Path
    table: Mapping[int, int]
    """Value in the file -> value in the case's scheme (BOTH_CORONARIES: split by side); others are dropped."""


@dataclass(frozen=True)
class Case:
    """One image of a data set with its mask, mapped onto the cardiac scheme where its structures are cardiac."""

    id: str
    image: Path
    masks: tuple[MaskFile, ...]
    """Usually one; TotalSegmentator has a file per structure. Later files win."""
    scheme: LabelScheme = field(default=CARDIAC)


def layout_of(folder: str | Path) -> str:
    """Which data set a folder is: "imagecas", "asoca", "mmwhs", "totalsegmentator", "nnunet" or "msd"; refused if none."""
    return _found(Path(folder))[0]


def cases(folder: str | Path) -> list[Case]:
    """All labelled cases of a data-set folder, sorted by id."""
    name, found = _found(Path(folder))
    if not found:
        raise StructDiffError(f"{folder} looks like {name} but holds no image with its mask", "check that the masks are there")
    return sorted(found, key=lambda case: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", case.id)])


def _found(folder: Path) -> tuple[str, list[Case]]:
    if not folder.is_dir():
        raise StructDiffError(f"{folder} is no folder", "give the folder of a data set")
    for name, (applies, listed) in _LAYOUTS.items():
        if applies(folder):
            return name, listed(folder)
    raise StructDiffError(
        f"{folder} has the layout of no known data set", f"known are {', '.join(_LAYOUTS)}; or give image and mask files"
    )


def _imagecas(folder: Path) -> list[Case]:
    """1.img.nii.gz beside 1.label.nii.gz, in any subfolder."""
    pairs = [(image, image.with_name(image.name.replace(".img.", ".label."))) for image in folder.rglob("*.img.nii.gz")]
    return [Case(i.name.split(".")[0], i, (MaskFile(m, CORONARY_ONLY),)) for i, m in pairs if m.is_file()]


def _asoca(folder: Path) -> list[Case]:
    """Normal/CTCA/Normal_1.nrrd and Normal/Annotations/Normal_1.nrrd, the same under Diseased."""
    images = [i for ctca in folder.rglob("CTCA*") if ctca.is_dir() for i in _volumes(ctca)]
    pairs = [(image, image.parent.parent / "Annotations" / image.name) for image in images]
    return [Case(stem(i), i, (MaskFile(m, CORONARY_ONLY),)) for i, m in pairs if m.is_file()]


def _mmwhs(folder: Path) -> list[Case]:
    """ct_train_1001_image.nii.gz beside ct_train_1001_label.nii.gz; the MR half is left out."""
    pairs = [(i, i.with_name(i.name.replace("_image.", "_label."))) for i in folder.rglob("ct_*_image.nii*")]
    return [Case(stem(i).removesuffix("_image"), i, (MaskFile(m, MM_WHS),)) for i, m in pairs if m.is_file()]


_WHOLE_FILES: Mapping[str, Mapping[int, int]] = {
    "heartchambers_highres": TOTALSEGMENTATOR_HEART,
    "total_v1": TOTALSEGMENTATOR_V1,
    "total": TOTALSEGMENTATOR_TOTAL,
    "coronary_arteries": CORONARY_ONLY,
}
"""Names of the tasks' multi-label files (option --ml) beside ct.nii.gz; earlier ones win."""


def _totalsegmentator(folder: Path) -> list[Case]:
    """s0001/ct.nii.gz with s0001/segmentations/heart_myocardium.nii.gz ..., or with multi-label files named by task."""
    found = []
    for image in sorted(folder.rglob("ct.nii.gz")):
        wholes = [MaskFile(p, t) for name, t in _WHOLE_FILES.items() if (p := image.with_name(f"{name}.nii.gz")).is_file()]
        masks = (*_structures(image.parent / "segmentations"), *reversed(wholes))
        if masks:
            found.append(Case(image.parent.name, image, masks))
    return found


def _structures(folder: Path) -> list[MaskFile]:
    """A binary file per structure; coronaries last, so that they win over what they run along."""
    values = {path: cardiac_value(stem(path)) for path in _volumes(folder)} if folder.is_dir() else {}
    known = [(path, value) for path, value in values.items() if value is not None]
    known.sort(key=lambda item: (item[1] in (BOTH_CORONARIES, 8, 9), item[0].name))
    return [MaskFile(path, {1: value}) for path, value in known]


def _nnunet(folder: Path) -> list[Case]:
    """imagesTr/CASE_0000.nii.gz, labelsTr/CASE.nii.gz and the names in dataset.json."""
    description = _description(folder)
    ending = _ending(description, folder)
    names = {_number(value): str(name) for name, value in _labels(description, folder).items()}
    images = sorted((folder / "imagesTr").glob(f"*_0000{ending}"))
    pairs = [(i, folder / "labelsTr" / (i.name.removesuffix(f"_0000{ending}") + ending)) for i in images]
    return [_named_case(stem(m), i, m, names, folder) for i, m in pairs if m.is_file()]


def _msd(folder: Path) -> list[Case]:
    """The "training" list of dataset.json; its paths may not leave the folder."""
    description = _description(folder)
    names = {_number(value): str(name) for value, name in _labels(description, folder).items()}
    listed = []
    for entry in description.get("training", []):
        if not isinstance(entry, Mapping) or not {"image", "label"} <= set(entry):
            raise StructDiffError(f"{folder / 'dataset.json'} lists {entry!r} for training", "give image and label of each case")
        listed.append((safe_path(folder, str(entry["image"])), safe_path(folder, str(entry["label"]))))
    return [_named_case(stem(i), i, m, names, folder) for i, m in listed if i.is_file() and m.is_file()]


def _named_case(case_id: str, image: Path, mask: Path, names: Mapping[int, str], folder: Path) -> Case:
    """Cardiac names map onto the cardiac scheme; a data set without any keeps its own labels."""
    table = table_by_names(names)
    if table:
        return Case(case_id, image, (MaskFile(mask, table),))
    own = LabelScheme(folder.name, tuple(Label(value, name) for value, name in sorted(names.items()) if value > 0))
    return Case(case_id, image, (MaskFile(mask, {value: value for value in own.values}),), own)


def _description(folder: Path) -> Mapping[str, Any]:
    path = folder / "dataset.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise StructDiffError(f"{path} is not readable as JSON ({error})", "repair it") from None
    if not isinstance(content, Mapping):
        raise StructDiffError(f"{path} holds no data-set description", "repair it")
    return content


def _labels(description: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    labels = description.get("labels")
    if not isinstance(labels, Mapping) or not labels:
        raise StructDiffError(f"{folder / 'dataset.json'} names no labels", 'give "labels"')
    return labels


def _ending(description: Mapping[str, Any], folder: Path) -> str:
    """What image names end in; refused where it leads to another folder."""
    ending = str(description.get("file_ending", ".nii.gz"))
    if "/" in ending or "\\" in ending:
        raise StructDiffError(f"{folder / 'dataset.json'} gives the file ending '{ending}'", "give one such as .nii.gz")
    return ending


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise StructDiffError(
            f"dataset.json gives {value!r} as a label value", "give whole numbers (regions are not read)"
        ) from None


def _is_nnunet(folder: Path) -> bool:
    return (folder / "dataset.json").is_file() and "channel_names" in _description(folder)


def _volumes(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_file() and p.name.lower().endswith(ENDINGS))


def stem(path: Path) -> str:
    """A volume file's name without its ending."""
    name = path.name
    for ending in ENDINGS:
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return path.stem


_Listing = tuple[Callable[[Path], bool], Callable[[Path], list[Case]]]

_LAYOUTS: Mapping[str, _Listing] = {
    "nnunet": (_is_nnunet, _nnunet),
    "msd": (lambda folder: (folder / "dataset.json").is_file(), _msd),
    "imagecas": (lambda folder: any(folder.rglob("*.img.nii.gz")), _imagecas),
    "mmwhs": (lambda folder: any(folder.rglob("ct_*_image.nii*")), _mmwhs),
    "totalsegmentator": (lambda folder: any(folder.rglob("ct.nii.gz")), _totalsegmentator),
    "asoca": (lambda folder: any(path.is_dir() for path in folder.rglob("CTCA*")), _asoca),
}
