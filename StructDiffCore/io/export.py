"""Hand synthetic pairs to other tools: all of them arrive whole, or nothing is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from StructDiffCore import __version__
from StructDiffCore.domain import StructDiffError

from .dataset_forms import FORMS
from .dicom_seg import can_write_segmentations
from .export_cases import LABELMAP_NOTE, WRITERS, write_case
from .export_dataset import REPLACED, opened_dataset
from .export_pair import ExportPair, refusals
from .ignored_voxels import IgnoreRule
from .staging import is_hidden, staged

FORMATS = (*WRITERS, *FORMS)


@dataclass(frozen=True)
class Exported:
    """What an export has written."""

    paths: list[Path]
    """Per case its folder, or its image in a data set."""
    notes: list[str]
    """What a person should know."""


def export_pairs(
    pairs: Iterable[ExportPair],
    form: str,
    out: str | Path,
    force: str | None = None,
    ignore_above_hu: float | None = None,
    ignore_below: float | None = None,
) -> Exported:
    """Write pairs as ``form`` (nrrd, nifti, dicom: a folder per case; nnunet, msd: one data set) into ``out``.

    A pair with a failed or missing verdict is refused without ``force``, the reason, which its manifest then records.
    ``ignore_above_hu``: voxels with a larger standard deviation become the data set's ignore label; ``ignore_below``: those with
    a smaller calibrated confidence. Cases that are there stay; one of the same name, other labels or a folder of something else
    is refused. Raises StructDiffError; nothing is written then.
    """
    if form not in FORMATS:
        raise StructDiffError(f"unknown format '{form}'", f"choose one of {', '.join(FORMATS)}")
    ignore = IgnoreRule(ignore_above_hu, ignore_below)
    if ignore.applies and form not in FORMS:
        raise StructDiffError("the ignore label is for nnunet and msd", "leave --ignore-above and --ignore-below out")
    out = Path(out).expanduser().absolute()
    _refuse_place(out, form)
    with staged(out, REPLACED if form in FORMS else ()) as partial:
        if form in FORMS:
            exported = _as_dataset(pairs, form, out, partial, force, ignore)
        else:
            exported = _as_cases(pairs, form, out, partial, force)
        if not exported.paths:
            raise StructDiffError("there is nothing to export", "give at least one sample")
    return exported


def _as_cases(pairs: Iterable[ExportPair], form: str, out: Path, partial: Path, force: str | None) -> Exported:
    written = []
    for pair in pairs:
        if (out / pair.name).exists() or (partial / pair.name).exists():
            raise StructDiffError(f"{out} has a case {pair.name} already", "choose another --out or rename the sample's folder")
        write_case(pair, partial / pair.name, form, record_of(pair, form, force))
        written.append(out / pair.name)
    return Exported(written, [LABELMAP_NOTE] if form == "dicom" and not can_write_segmentations() else [])


def _as_dataset(
    pairs: Iterable[ExportPair], form: str, out: Path, partial: Path, force: str | None, ignore: IgnoreRule
) -> Exported:
    dataset = opened_dataset(FORMS[form], out, partial, ignore)
    for pair in pairs:
        dataset.add(pair, record_of(pair, form, force))
    notes = dataset.finish() if dataset.added else []
    return Exported([out / dataset.form.image(name) for name in dataset.added_names], notes)


def record_of(pair: ExportPair, form: str, force: str | None) -> dict[str, Any]:
    """What the exported manifest tells of the export; refuses a pair that did not pass, unless forced with a reason."""
    failed = refusals(pair.manifest)
    reason = (force or "").strip()
    if failed and not reason:
        raise StructDiffError(
            f"{pair.name} did not pass: {'; '.join(failed)}", "look at it, and export with --force REASON if that is meant"
        )
    told: dict[str, Any] = {"format": form, "structdiff": __version__}
    return {**told, "failed": failed, "forced_because": reason} if failed else told


def _refuse_place(out: Path, form: str) -> None:
    """A file, or for case folders a folder that holds other things than cases."""
    if out.exists() and not out.is_dir():
        raise StructDiffError(f"{out} is a file", "choose another --out")
    if form in FORMS or not out.is_dir():
        return
    strangers = [entry.name for entry in out.iterdir() if not is_hidden(entry) and not (entry / "manifest.json").is_file()]
    if strangers:
        raise StructDiffError(f"{out} is not empty (it holds {sorted(strangers)[0]})", "choose another --out")
