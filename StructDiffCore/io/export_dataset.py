"""Cases as a data set for training: nnU-Net's or MSD's folder, new or one that has the same labels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from StructDiffCore.domain import StructDiffError

from .atomic import write_text
from .dataset_forms import ENDING, DatasetForm, DatasetLabels
from .export_pair import CALIBRATED, ExportPair
from .files import mask_id, read_pair, template_id, write_float_volume, write_label_map, write_volume
from .folds import fold_of_case, splits
from .ignored_voxels import IgnoreRule
from .staging import is_hidden

DESCRIPTION, SPLITS, RECORD = "dataset.json", "splits_final.json", "structdiff_cases.json"
REPLACED = (DESCRIPTION, SPLITS, RECORD)


@dataclass(eq=False)
class DatasetExport:
    """A data set that grows case by case in a staging folder."""

    form: DatasetForm
    out: Path
    partial: Path
    ignore: IgnoreRule = field(default_factory=IgnoreRule)
    before: Mapping[str, Any] = field(default_factory=dict)
    """dataset.json as it is."""
    ancestors: dict[str, list[str]] = field(default_factory=dict)
    """Of every case, older ones included."""
    labels: DatasetLabels | None = None
    added: list[dict[str, Any]] = field(default_factory=list)
    added_names: list[str] = field(default_factory=list)

    def add(self, pair: ExportPair, record: Mapping[str, Any]) -> None:
        """Write a case; refuses other labels than the data set's, and a missing confidence map where one is needed."""
        labels = self._labels_for(pair)
        if pair.name in self.ancestors:
            raise StructDiffError(f"{self.out} has a case {pair.name} already", "rename the sample's folder")
        for name in (self.form.image(pair.name), self.form.label(pair.name), f"manifests/{pair.name}.json"):
            (self.partial / name).parent.mkdir(exist_ok=True)
        write_volume(pair.image, self.partial / self.form.image(pair.name))
        mask = labels.renumbered(pair.mask, self.ignore.voxels(pair))
        write_label_map(mask, self.partial / self.form.label(pair.name))
        entry = {"image": f"./{self.form.image(pair.name)}", "label": f"./{self.form.label(pair.name)}", "synthetic": True}
        entry |= self._write_maps(pair)
        files = {role: path for role, path in entry.items() if role != "synthetic"}
        told = {
            **pair.manifest,
            "files": files,
            "export": {**record, "labels": labels.names, **self.ignore.as_dict()},
        }
        write_text(self.partial / "manifests" / f"{pair.name}.json", json.dumps({"synthetic": True, **told}, indent=2) + "\n")
        self.ancestors[pair.name] = sorted(pair.ancestors)
        self.added.append(entry)
        self.added_names.append(pair.name)

    def finish(self) -> list[str]:
        """Write dataset.json, the splits and the record; returns what a person should know."""
        assert self.labels is not None, "at least one case was added"
        folds = fold_of_case(self.ancestors)
        for name, entry in zip(self.added_names, self.added):
            entry["fold"] = folds[name]
        described = self.form.description(self.before, self.labels, self.added)
        self._write(DESCRIPTION, described)
        self._write(RECORD, {"cases": self.ancestors, "folds": folds})
        if self.form.name != "nnunet":
            return [] if len(set(folds.values())) > 1 else [_ONE_FAMILY]
        made = splits(folds)
        if made or (self.out / SPLITS).exists():  # an older split must not outlive its truth
            self._write(SPLITS, made)
        return ["copy splits_final.json into nnUNet_preprocessed/DATASET before training" if made else _ONE_FAMILY]

    def _write_maps(self, pair: ExportPair) -> dict[str, str]:
        """The pair's confidence maps; returns the files by role."""
        maps = {
            "confidence": (pair.confidence, self.form.confidence(pair.name)),
            CALIBRATED: (pair.calibrated, self.form.calibrated(pair.name)),
        }
        written = {}
        for role, (found, name) in maps.items():
            if found is not None:
                (self.partial / name).parent.mkdir(exist_ok=True)
                write_float_volume(found, self.partial / name)
                written[role] = f"./{name}"
        return written

    def _labels_for(self, pair: ExportPair) -> DatasetLabels:
        labels = DatasetLabels(pair.mask.scheme, self.ignore.applies)
        if self.labels is None:
            if self.before:
                self.form.refuse_other_kind(self.before, labels, self.out)
            self.labels = labels
        if labels.names != self.labels.names:
            raise StructDiffError(
                f"{pair.name} has other labels than the first case", "export each label scheme to its own --out"
            )
        return labels

    def _write(self, name: str, content: Any) -> None:
        write_text(self.partial / name, json.dumps(content, indent=2) + "\n")


_ONE_FAMILY = "all cases share a template or a mask, so there is no honest split: take validation cases from elsewhere"


def opened_dataset(form: DatasetForm, out: Path, partial: Path, ignore: IgnoreRule) -> DatasetExport:
    """The data set at ``out``, or a new one; refuses a folder that holds something else."""
    if all(is_hidden(entry) for entry in out.iterdir()):
        return DatasetExport(form, out, partial, ignore)
    before = _object(out / DESCRIPTION)
    kind = "nnunet" if "channel_names" in before else "msd" if "training" in before else None
    if kind != form.name:
        raise StructDiffError(f"{out} is no {form.name} data set", "choose another --out, new or empty")
    recorded = _object(out / RECORD).get("cases", {}) if (out / RECORD).is_file() else {}
    ancestors = {str(case): list(known) for case, known in recorded.items()}
    for case in _cases_there(form, before, out):
        if case not in ancestors:
            ancestors[case] = _ids_of(form, out, case)
    return DatasetExport(form, out, partial, ignore, before, ancestors)


def _cases_there(form: DatasetForm, before: Mapping[str, Any], out: Path) -> Iterable[str]:
    if form.name == "nnunet":
        return [path.name.removesuffix(ENDING) for path in sorted((out / "labelsTr").glob(f"*{ENDING}"))]
    listed = [entry.get("label") for entry in before["training"] if isinstance(entry, dict)]
    return [Path(str(label)).name.removesuffix(ENDING) for label in listed if label]


def _ids_of(form: DatasetForm, out: Path, case: str) -> list[str]:
    """A real case's ids as synthesis would give them, so that its synthetic children are known; none where it cannot be read."""
    try:
        pair = read_pair(out / form.image(case), out / form.label(case))
    except StructDiffError:
        return []
    return [f"mask {mask_id(pair.mask)}", f"template {template_id(pair)}"]


def _object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError):
        raise StructDiffError(f"{path.parent} is not empty and its {path.name} cannot be read", "choose another --out") from None
    if not isinstance(content, dict):
        raise StructDiffError(f"{path} is no JSON object", "choose another --out")
    return content
