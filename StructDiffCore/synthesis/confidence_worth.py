"""What a confidence map was found to be worth, for samples like those it was measured on; of others nothing is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Answer = Literal["informative", "not informative", "too few cases"]
KINDS = {"gross": "errors above 50 HU", "flips": "what a segmenter would misread"}
PLACES = {"all": "anywhere", "tube": "within 3 voxels of coronaries", "coronaries": "inside coronaries"}
TOLD = (("gross", "all"), ("gross", "tube"), ("gross", "coronaries"), ("flips", "all"))
"""Kinds of error and places of which a person is told."""
NOT_MEASURED = "not measured at these settings: whether it knows where the volume is wrong is unknown"


@dataclass(frozen=True)
class Finding:
    """How one map ranks one kind of error in one region, beside the best baseline there."""

    error: str
    """Key of ``KINDS``."""
    region: str
    """Key of ``PLACES``."""
    answer: Answer
    auroc: float
    baseline: str
    baseline_auroc: float
    cases: int
    """Windows measured."""

    @property
    def words(self) -> str:
        """One clause."""
        what = f"{self.answer} for {KINDS[self.error]} {PLACES[self.region]}"
        return f"{what} (AUROC {self.auroc:.2f}, {self.baseline} {self.baseline_auroc:.2f})"


def words_of(findings: Sequence[Finding]) -> str:
    """All findings of a map in one line; where there are none, that it was not measured."""
    if not findings:
        return NOT_MEASURED
    windows = max(finding.cases for finding in findings)
    return "; ".join([*(finding.words for finding in findings), f"on {windows} windows of digital hearts, never on patients"])
