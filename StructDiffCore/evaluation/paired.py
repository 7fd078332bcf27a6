"""Paired comparisons: the same cases answered by two rows, with 95 % bootstrap intervals over cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .harness import Result
from .intervals import RESAMPLES, Interval

RATIOS = ("Dice chambers", "Dice myocardium", "Dice aorta", "Dice coronaries", "clDice coronaries", "recall radius 0.6-0.9 mm")
"""Scores that are set against the truth's."""
DIFFERENCES = ("KID patches", "AUC patches", "IQR error HU", "unlabelled Wasserstein HU", "edge distance mm", "clean RMSE HU")
"""Scores that are set against the renderer's; less is better."""


@dataclass(frozen=True)
class Comparison:
    """One score of one row beside another row's."""

    domain: str
    row: str
    against: str
    score: str
    interval: Interval
    """Of the ratio of means (against the truth) or of the mean difference (against the renderer)."""
    tenth: float
    """10th percentile of the row's score over cases."""


def comparisons(results: Sequence[Result]) -> list[Comparison]:
    """All rows against the truth (ratios of fidelity) and against the renderer (differences of looks)."""
    made = []
    for domain in dict.fromkeys(result.domain for result in results):
        rows = dict.fromkeys(result.row for result in results if result.domain == domain)
        for row in rows:
            for against, scores in (("truth", RATIOS), ("renderer", DIFFERENCES)):
                if row not in ("truth", against) and against in rows:
                    made += [c for s in scores if (c := _compared(results, domain, row, against, s)) is not None]
    return made


def _compared(results: Sequence[Result], domain: str, row: str, against: str, score: str) -> Comparison | None:
    """One comparison; None where no case has both."""
    of = {x: {r.case: r.scores.get(score, np.nan) for r in results if (r.domain, r.row) == (domain, x)} for x in (row, against)}
    ours, theirs = of[row], of[against]
    pairs = np.array([(ours[c], theirs[c]) for c in ours if c in theirs and np.isfinite([ours[c], theirs[c]]).all()], float)
    if not len(pairs):
        return None
    draws = pairs[np.random.default_rng(0).integers(0, len(pairs), (RESAMPLES, len(pairs)))].mean(1)
    means = pairs.mean(0)
    ratio = against == "truth"
    spread = draws[:, 0] / np.maximum(draws[:, 1], 1e-9) if ratio else draws[:, 0] - draws[:, 1]
    middle = means[0] / max(means[1], 1e-9) if ratio else means[0] - means[1]
    low, high = np.quantile(spread, (0.025, 0.975))
    interval = Interval(float(middle), float(low), float(high), len(pairs))
    return Comparison(domain, row, against, score, interval, float(np.quantile(pairs[:, 0], 0.1)))


def paired_markdown(results: Sequence[Result]) -> str:
    """Two tables in one: ratios to the truth and differences from the renderer."""
    found = comparisons(results)
    if not found:
        return ""
    lines = ["### paired, over the same cases", "", "| domain | row | score | against | value [95 %] | 10th percentile |"]
    lines.append("|---" * 6 + "|")
    for c in found:
        what = "/ truth" if c.against == "truth" else "- renderer"
        lines.append(f"| {c.domain} | {c.row} | {c.score} | {what} | {c.interval} | {c.tenth:.3g} |")
    return "\n".join(lines)
