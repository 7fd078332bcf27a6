"""The confidence maps of a data set, brought to the voxels that nnU-Net trains on and kept beside its preprocessed cases."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import StructDiffError
from StructDiffCore.io.atomic import write_text
from StructDiffCore.io.dataset_forms import FORMS
from StructDiffCore.io.files import read_volume
from StructDiffCore.io.integrity import refuse_missing
from StructDiffCore.io.safe_paths import refuse_outside, safe_path

from ..cases import PairFiles
from ..confidence import FILE_KIND, TrustFile, read_confidence, refuse_no_trust, trust_file
from ..settings import ConfidenceSettings
from .doubt import STEPS, Passage

ENTRY = "confidence"
"""Key of dataset.json whose fields are those of ConfidenceSettings; nnU-Net passes over it."""
Save = Callable[[NDArray, str], None]
"""nnU-Net's writer of an integer map beside the segmentation: array and path without ending."""


def settings_of(description: Mapping[str, Any]) -> ConfidenceSettings:
    """How dataset.json wants the maps read; the defaults where it says nothing."""
    try:
        return ConfidenceSettings(**description.get(ENTRY, {}))
    except TypeError as error:
        raise StructDiffError(
            f"'{ENTRY}' in dataset.json does not fit ({error})",
            "give kind, tolerance_hu, full_trust_at or missing, or leave it out",
        ) from None


@dataclass(frozen=True)
class PreparedMaps:
    """Maps of doubt, one per training case."""

    raw: Path | None
    """The data set in nnUNet_raw; None where that is not set, and maps of an earlier start have to do."""
    place: Path
    """Folder of this configuration's maps."""
    settings: ConfidenceSettings

    def prepare(self, cases: Sequence[str], passage: Callable[[str], Passage], save: Save) -> str:
        """Bring every case's map along, unless that was done already; refuses all that is wrong, in the name of the case.

        Returns what a person should know.
        """
        for case in cases:
            safe_path(self.place, case)
        sources = self._sources(cases)
        self.place.mkdir(parents=True, exist_ok=True)
        notes = [self._prepared(case, source, passage(case), save) for case, source in sources.items()]
        mean, doubted = (float(np.mean([note[name] for note in notes])) for name in ("mean", "doubted"))
        return f"confidence of {len(notes)} training cases: mean {mean:.4f}, {100 * doubted:.2f} % of the voxels below 0.5"

    def _sources(self, cases: Sequence[str]) -> dict[str, TrustFile | None]:
        """The map of each case; None for one that is trusted whole, or (without nnUNet_raw) prepared earlier."""
        if self.raw is None:
            lost = [case for case in cases if not self._note(case)]
            if lost:
                raise StructDiffError(f"no confidence map is prepared for {_some(lost)}", "set nnUNet_raw for the first start")
            return dict.fromkeys(cases)
        found = {case: self._source(self.raw, case) for case in cases}
        lost = [case for case, source in found.items() if source is None or not source.path.is_file()]
        if lost and self.settings.missing == "refuse":
            raise StructDiffError(
                f"{len(lost)} of {len(cases)} training cases have no confidence map in {self.raw}: {_some(lost)}",
                f'add them, or set "{ENTRY}": {{"missing": "trust"}} in dataset.json',
            )
        return {case: None if case in lost else source for case, source in found.items()}

    def _source(self, raw: Path, case: str) -> TrustFile | None:
        """The map's file; one that dataset.json names stays inside the data set."""
        source = trust_file(_files(raw, case), self.settings.kind)
        if source is not None and self.settings.kind.startswith(FILE_KIND):
            refuse_outside(raw, source.path)
        return source

    def _prepared(self, case: str, source: TrustFile | None, passage: Passage, save: Save) -> dict[str, Any]:
        note, key = self._note(case), self._key(source, passage)
        if note and (note["key"] == key or (self.raw is None and note["key"]["grid"] == key["grid"])):
            return note
        if self.raw is None:
            raise StructDiffError(f"case {case} was preprocessed anew", "set nnUNet_raw for the first start")
        doubt = self._doubt(case, source, passage)
        self._write(case, doubt, save)
        sure = 1 - doubt / STEPS
        note = {"key": key, "mean": float(sure.mean()), "doubted": float((sure < 0.5).mean())}
        write_text(self.place / f"{case}.json", json.dumps(note) + "\n")
        return note

    def _doubt(self, case: str, source: TrustFile | None, passage: Passage) -> NDArray[np.int16]:
        if source is None:
            return np.zeros(passage.new_shape, np.int16)
        assert self.raw is not None, "a source is in nnUNet_raw"
        try:
            grid = read_volume(_files(self.raw, case).image).geometry
            known = read_confidence(source, grid, self.settings.tolerance_hu, self.settings.full_trust_at)
            doubt = passage.doubt(known.voxels)
            refuse_no_trust(STEPS - doubt, source.path)
            return doubt
        except StructDiffError as error:
            raise StructDiffError(f"case {case}: {error.fact}", error.remedy, error.category) from None

    def _key(self, source: TrustFile | None, passage: Passage) -> dict[str, Any]:
        """Changes whenever the map, how it is read or the way it takes does."""
        grid = [passage.transpose, passage.box, passage.spacing, passage.new_shape]
        told: dict[str, Any] = {"grid": grid, "source": None}
        if source is not None:
            refuse_missing(source.path)
            stat = source.path.stat()
            tolerance = self.settings.tolerance_hu if source.is_deviation else None
            told["source"] = [source.path.name, stat.st_size, stat.st_mtime_ns, tolerance, self.settings.full_trust_at]
        return json.loads(json.dumps(told))

    def _note(self, case: str) -> dict[str, Any]:
        """What was written when the case's map was prepared; empty without one."""
        try:
            return json.loads((self.place / f"{case}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def _write(self, case: str, doubt: NDArray[np.int16], save: Save) -> None:
        """Whole or not at all, in the form of nnU-Net's own files."""
        partial = self.place / f".{case}.{os.getpid()}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir()
            save(doubt, str(partial / case))
            for made in partial.iterdir():
                os.replace(made, self.place / made.name)
        except OSError as error:
            raise StructDiffError(f"{self.place} could not be written ({error.strerror or error})", "make room there") from None
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _files(raw: Path, case: str) -> PairFiles:
    """A case where nnU-Net has it, and its maps where ``structdiff export`` puts them."""
    form = FORMS["nnunet"]
    deviation, calibrated = (raw / name for name in (form.confidence(case), form.calibrated(case)))
    return PairFiles(
        case,
        raw / form.image(case),
        raw / form.label(case),
        confidence=deviation if deviation.is_file() else None,
        calibrated=calibrated if calibrated.is_file() else None,
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
