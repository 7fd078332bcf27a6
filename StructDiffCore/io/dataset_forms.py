"""dataset.json of nnU-Net (version 2) and of the Medical Segmentation Decathlon, and what both need of the labels.

nnU-Net: documentation/dataset_format.md; MSD: as ``monai.data.load_decathlon_datalist`` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from StructDiffCore import __version__
from StructDiffCore.domain import Label, LabelMap, LabelScheme, StructDiffError

from .export_pair import CALIBRATED

ENDING = ".nii.gz"
IGNORE = "ignore"


@dataclass(frozen=True)
class DatasetLabels:
    """Structure names numbered from 1 without gaps, as nnU-Net asks, and the ignore label above them."""

    scheme: LabelScheme
    with_ignore: bool

    @property
    def names(self) -> dict[str, int]:
        """Name -> value in the data set, background first; names that come twice carry their value."""
        twice = [label.name for label in self.scheme.labels]
        names = {"background": 0}
        for number, label in enumerate(self._ordered, start=1):
            unique = twice.count(label.name) == 1 and label.name not in (IGNORE, "background")
            names[label.name if unique else f"{label.name} {label.value}"] = number
        return {**names, IGNORE: len(names)} if self.with_ignore else names

    @property
    def _ordered(self) -> list[Label]:
        return sorted(self.scheme.labels, key=lambda label: label.value)

    @property
    def is_plain(self) -> bool:
        """Whether the scheme's values are kept."""
        return [label.value for label in self._ordered] == list(range(1, len(self.scheme.labels) + 1))

    def renumbered(self, mask: LabelMap, uncertain: np.ndarray | None = None) -> LabelMap:
        """The mask in the data set's values; voxels that are ``uncertain`` (bool) take the ignore label."""
        table = np.zeros(max(self.scheme.values) + 1, np.uint16)
        for number, label in enumerate(self._ordered, start=1):
            table[label.value] = number
        voxels = table[mask.voxels]
        if uncertain is not None:
            voxels[uncertain] = self.names[IGNORE]
        small = voxels.astype(np.uint8) if len(self.names) < 256 else voxels
        return LabelMap(small, mask.geometry, LabelScheme("data set", tuple(Label(v, n) for n, v in self.names.items() if v)))


@dataclass(frozen=True)
class DatasetForm:
    """What tells nnU-Net's folder from MSD's."""

    name: str
    channel: str
    """What an image's name carries after the case."""

    def image(self, case: str) -> str:
        return f"imagesTr/{case}{self.channel}{ENDING}"

    def label(self, case: str) -> str:
        return f"labelsTr/{case}{ENDING}"

    def confidence(self, case: str) -> str:
        return f"confidenceTr/{case}{ENDING}"

    def calibrated(self, case: str) -> str:
        return f"{CALIBRATED}Tr/{case}{ENDING}"

    def description(self, before: Mapping[str, Any], labels: DatasetLabels, cases: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """dataset.json: what it was with the new cases in it."""
        new: dict[str, Any] = {
            "name": "StructDiff",
            "description": f"synthetic CT and masks made by StructDiff {__version__}",
            "licence": "see the templates the cases were made from",
            "synthetic": True,
        }
        form = self._nnunet if self.name == "nnunet" else self._msd
        return {**(before or new), **form(before, labels, cases)}

    def _nnunet(self, before: Mapping[str, Any], labels: DatasetLabels, cases: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {
            "channel_names": before.get("channel_names", {"0": "CT"}),
            "labels": labels.names,
            "numTraining": int(before.get("numTraining", 0)) + len(cases),
            "file_ending": ENDING,
        }

    def _msd(self, before: Mapping[str, Any], labels: DatasetLabels, cases: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        training = [*before.get("training", []), *(dict(case) for case in cases)]
        return {
            "modality": before.get("modality", {"0": "CT"}),
            "tensorImageSize": "3D",
            "labels": {str(value): name for name, value in labels.names.items()},
            "numTraining": len(training),
            "numTest": len(before.get("test", [])),
            "training": training,
            "test": list(before.get("test", [])),
        }

    def refuse_other_kind(self, before: Mapping[str, Any], labels: DatasetLabels, folder: Path) -> None:
        """Cases join a data set only where its labels, its one channel and its files are of their kind."""
        wanted, given = labels.names, before.get("labels", {})
        if self.name == "msd":
            given = {str(name): int(value) for value, name in dict(given).items() if str(value).isdecimal()}
        if given != wanted:
            raise StructDiffError(
                f"{folder} has the labels {json.dumps(given)}, the new cases {json.dumps(wanted)}", "choose another --out"
            )
        if len(before.get("channel_names", {"0": "CT"})) != 1 or before.get("file_ending", ENDING) != ENDING:
            raise StructDiffError(f"{folder} has several channels or other files than {ENDING}", "choose another --out")


FORMS = {"nnunet": DatasetForm("nnunet", "_0000"), "msd": DatasetForm("msd", "")}
