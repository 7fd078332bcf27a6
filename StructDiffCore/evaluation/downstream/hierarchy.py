"""Hierarchical bootstrap: subsets of real cases first, then test hearts; and paired differences between two arms.

Every subset's segmenter is tested on the same hearts, so subsets and hearts are crossed: both are drawn with replacement, and
the drawn hearts serve all drawn subsets (the pigeonhole bootstrap, Owen 2007), which never makes intervals too narrow by
taking a heart's five answers for five hearts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.training.seeds import numpy_generator

RESAMPLES = 4000
Values = Mapping[tuple[int, int], float]
"""(subset, heart) -> score."""


@dataclass(frozen=True)
class Crossed:
    """A mean over subsets and hearts with its 95 % interval."""

    mean: float
    low: float
    high: float
    subsets: int
    hearts: int

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]" if self.hearts else "-"


NOTHING = Crossed(float("nan"), float("nan"), float("nan"), 0, 0)


def crossed_interval(values: Values) -> Crossed:
    """The interval of one arm's mean."""
    return _interval(table_of(values))


def paired_difference(ours: Values, theirs: Values) -> Crossed:
    """The interval of the mean of ours - theirs, over the subsets and hearts that both have."""
    return _interval(table_of({key: ours[key] - theirs[key] for key in ours.keys() & theirs.keys()}))


def subset_means(values: Values) -> dict[int, float]:
    """The mean over the hearts of each subset by itself."""
    subsets = sorted({subset for subset, _ in values})
    return {one: float(np.nanmean([value for (subset, _), value in values.items() if subset == one])) for one in subsets}


def table_of(values: Values) -> NDArray[np.float64]:
    """(subsets, hearts) of the finite values: all subsets that have any, and the hearts that all of these have."""
    known = {key: value for key, value in values.items() if np.isfinite(value)}
    subsets = sorted({subset for subset, _ in known})
    hearts = [h for h in sorted({heart for _, heart in known}) if all((s, h) in known for s in subsets)]
    return np.array([[known[s, h] for h in hearts] for s in subsets], float).reshape(len(subsets), len(hearts))


def resampled_means(table: NDArray[np.float64], resamples: int = RESAMPLES, seed: int = 0) -> NDArray[np.float64]:
    """Means (resamples,) of tables with rows and columns drawn with replacement."""
    rows, columns = table.shape
    rng = numpy_generator(seed, "hierarchy")
    of_rows = rng.multinomial(rows, np.full(rows, 1 / rows), resamples) / rows
    of_columns = rng.multinomial(columns, np.full(columns, 1 / columns), resamples) / columns
    return np.asarray(np.einsum("ns,sh,nh->n", of_rows, table, of_columns))


def _interval(table: NDArray[np.float64]) -> Crossed:
    if not table.size:
        return NOTHING
    low, high = np.quantile(resampled_means(table), (0.025, 0.975))
    return Crossed(float(table.mean()), float(low), float(high), *table.shape)
