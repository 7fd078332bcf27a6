"""Means with 95 % bootstrap intervals, by case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A mean over cases and the 95 % bootstrap interval around it."""

    mean: float
    low: float
    high: float
    cases: int

    def __str__(self) -> str:
        return f"{self.mean:.3g} [{self.low:.3g}, {self.high:.3g}]" if self.cases > 1 else f"{self.mean:.3g}"


def bootstrap(values: Sequence[float], seed: int = 0) -> Interval:
    """Percentile bootstrap over cases; NaN cases (structure absent) are left out."""
    known = np.asarray([value for value in values if np.isfinite(value)], float)
    if known.size == 0:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    draws = np.random.default_rng(seed).choice(known, (RESAMPLES, known.size)).mean(1)
    low, high = np.quantile(draws, (0.025, 0.975))
    return Interval(float(known.mean()), float(low), float(high), known.size)
