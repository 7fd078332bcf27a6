"""Data sets as training scans: every case read, checked and cached in the run's folder, split into anatomy and noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from StructDiffCore.domain import StructDiffError
from StructDiffCore.io.cases import read_case
from StructDiffCore.io.layouts import Case, cases
from StructDiffCore.training.scans import CARD

from .scan_cache import cache_scan

SCANS, ASIDE = "scans", "aside"
"""Folders of a run: what is trained on, and whole patients kept for validation."""
ONE_ASIDE_IN = 10


@dataclass(frozen=True)
class Cached:
    """One case in the cache."""

    name: str
    done: int
    total: int


def cache_data_sets(folders: Sequence[str | Path], run: Path, spacing_mm: float) -> Iterator[Cached]:
    """Cache what is not yet cached of the data sets; one case in ten (one at least) is kept aside for validation.

    All cases are read before the first step, so that a bad one is named at once. Raises StructDiffError for unknown layouts,
    data sets of one case, masks that do not fit, and images that are no CT in HU.
    """
    found = [case for folder in folders for case in cases(folder)]
    if len(found) < 2:
        raise StructDiffError(
            f"{folders[0]} holds one case with image and mask, training needs two: one to learn from, one to check on",
            "give more cases",
        )
    _refuse_same_names(found)
    for number, case in enumerate(found):
        place = run / (ASIDE if number % ONE_ASIDE_IN == ONE_ASIDE_IN - 1 or number == len(found) - 1 else SCANS)
        if not (place / f"{case.id}@{spacing_mm:g}" / CARD).exists():
            pair = read_case(case).pair
            cache_scan(pair.image, pair.mask, case.id, [spacing_mm], place)
        yield Cached(case.id, number + 1, len(found))


def _refuse_same_names(found: Sequence[Case]) -> None:
    names = [case.id for case in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise StructDiffError(f"several cases are called {', '.join(twice[:3])}", "rename the files of one of the data sets")
