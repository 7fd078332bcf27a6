"""Whether a map ranks errors better than what costs nothing: verdicts by kind of error, region and domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from StructDiffCore.synthesis.confidence_worth import Answer, Finding

from .confidence_scores import Row
from .intervals import Interval, bootstrap

BASELINES = ("edge nearness", "local deviation", "inverse radius")
BEYOND = {"gross": "partial rank correlation", "flips": "partial rank correlation flips"}
"""What is left of a map, given tissue and distance to the edge, by kind of error."""
REGIONS = ("all", "tube", "coronaries")
CHANCE = 0.5
"""AUROC of a map that knows nothing."""
FEWEST_CASES = 6
"""A bootstrap over fewer cases has hardly a tail to read an interval from."""


@dataclass(frozen=True)
class Verdict:
    """Whether a map tells more than what costs nothing."""

    map: str
    error: str
    """"gross" or "flips"."""
    region: str
    best_baseline: str
    auroc: Interval
    baseline_auroc: Interval
    """Of the same cases."""
    advantage: Interval
    """AUROC, map minus baseline, paired by case."""
    beyond: Interval
    """Partial rank correlation given tissue and distance to the edge."""

    @property
    def answer(self) -> Answer:
        """Informative where it beats chance (around vessels no baseline does) and the baseline, and tells more than the edge."""
        if self.advantage.cases < FEWEST_CASES:
            return "too few cases"
        beats_all = self.auroc.low > CHANCE and min(self.advantage.low, self.beyond.low) > 0
        return "informative" if beats_all else "not informative"

    @property
    def words(self) -> str:
        """One cell of a table."""
        told = f"**{self.answer}**" if self.answer == "informative" else self.answer
        against = f"{self.auroc}, {self.advantage} against {self.best_baseline}"
        return f"{told}: {against}; beyond tissue and edge {self.beyond}"

    @property
    def finding(self) -> Finding:
        """As it is shipped with the fits."""
        auroc, baseline = (round(interval.mean, 4) for interval in (self.auroc, self.baseline_auroc))
        return Finding(self.error, self.region, self.answer, auroc, self.best_baseline, baseline, self.advantage.cases)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "answer": self.answer}


def verdicts(rows: Sequence[Row], region: str = "all", error: str = "gross") -> list[Verdict]:
    """Every map on undamaged cases against the baseline that is best there."""
    whole = [row for row in rows if row.region == region and not row.damage]
    scores = {name: by_case(whole, name, f"AUROC {error}") for name in dict.fromkeys(row.map for row in whole)}
    means = {name: bootstrap(list(scores[name].values())).mean for name in BASELINES if name in scores}
    known = {name: mean for name, mean in means.items() if np.isfinite(mean)}
    if not known:
        return []
    best = max(known, key=lambda name: known[name])
    found = []
    for name in (name for name in scores if name not in BASELINES):
        pairs = [(value, scores[best][case]) for case, value in scores[name].items() if case in scores[best]]
        beyond = bootstrap(list(by_case(whole, name, BEYOND[error]).values()))
        found.append(Verdict(name, error, region, best, *_compared(pairs), beyond))
    return found


def _compared(pairs: Sequence[tuple[float, float]]) -> tuple[Interval, Interval, Interval]:
    """Map, baseline, map minus baseline; of the cases that have the event at all."""
    known = np.array([pair for pair in pairs if np.isfinite(pair).all()]).reshape(-1, 2)
    return bootstrap(known[:, 0].tolist()), bootstrap(known[:, 1].tolist()), bootstrap((known[:, 0] - known[:, 1]).tolist())


def all_verdicts(rows: Sequence[Row]) -> list[Verdict]:
    """By kind of error and region."""
    return [verdict for error in BEYOND for region in REGIONS for verdict in verdicts(rows, region, error)]


def by_case(rows: Sequence[Row], name: str, score: str) -> dict[str, float]:
    """A map's score per case, where it has that score."""
    return {row.case: row.scores[score] for row in rows if row.map == name and score in row.scores}


def by_domain(whole: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """All cases together, then domain by domain."""
    domains = dict.fromkeys(row.domain for row in whole)
    return [("all cases", list(whole)), *((name, [row for row in whole if row.domain == name]) for name in domains)]
