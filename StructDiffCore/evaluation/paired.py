"""Paired comparisons: the same cases answered by two rows, with 95 % bootstrap intervals over cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .harness import Result
from .intervals import NOTHING, Interval, bootstrap, bootstrap_of, jackknife_bootstrap, ratio_of_means
from .obedience import CONTROLS

RATIOS = (
    "Dice chambers",
    "Dice myocardium",
    "Dice aorta",
    "Dice coronaries",
    "clDice coronaries",
    "recall radius 0.6-0.9 mm",
    "agrees with target",
    "visible share of centrelines",
    "unbroken branches",
    *(f"{score}, {how}" for how in CONTROLS for score in ("Dice chambers", "clDice coronaries")),
)
"""Scores that are set against the truth's."""
DIFFERENCES = (
    "KID patches",
    "AUC patches",
    "IQR error HU",
    "unlabelled Wasserstein HU",
    "edge distance mm",
    "clean RMSE HU",
    "clean RMSE HU, coronary lumen",
    "clean RMSE HU, tube of 3 voxels",
    "clean RMSE HU, unlabelled elsewhere",
)
"""Scores that are set against the renderer's; less is better."""
CHANGES = ("Dice coronaries", "clDice coronaries", *DIFFERENCES)
"""Scores in which a changed network is set against the network as it is."""
NO_NETWORK = ("truth", "renderer", "template")


@dataclass(frozen=True)
class Comparison:
    """One score of one row beside another row's."""

    domain: str
    row: str
    against: str
    score: str
    interval: Interval
    """Of the ratio of means (against the truth) or of the mean difference (against the renderer or the network)."""
    per_case: Interval
    """Of the mean of the cases' own ratios; nothing for differences."""
    tenth: float
    """10th percentile of the row's score over cases."""
    tenth_ratio: float
    """10th percentile of the cases' own ratios; NaN for differences."""


def comparisons(results: Sequence[Result]) -> list[Comparison]:
    """All rows against the truth (ratios of fidelity) and the renderer (differences of looks), changed networks against ours."""
    made = []
    for domain in dict.fromkeys(result.domain for result in results):
        rows = dict.fromkeys(result.row for result in results if result.domain == domain)
        for row in rows:
            asked = [("truth", RATIOS), ("renderer", DIFFERENCES)] + [("structdiff", CHANGES)] * (row not in NO_NETWORK)
            for against, scores in asked:
                if row not in ("truth", against) and against in rows:
                    made += [c for s in scores if (c := _compared(results, domain, row, against, s)) is not None]
    return made


def _compared(results: Sequence[Result], domain: str, row: str, against: str, score: str) -> Comparison | None:
    """One comparison; None where no case has both."""
    mine, others = ({r.case: r for r in results if (r.domain, r.row) == (domain, x)} for x in (row, against))
    both = [(mine[case], others[case]) for case in mine if case in others]
    both = [pair for pair in both if np.isfinite([r.scores.get(score, np.nan) for r in pair]).all()]
    if not both:
        return None
    pairs = np.array([[r.scores[score] for r in pair] for pair in both], float)
    tenth = float(np.quantile(pairs[:, 0], 0.1))
    if against != "truth":
        return Comparison(domain, row, against, score, _difference(both, pairs, score), NOTHING, tenth, float("nan"))
    ratios = pairs[:, 0] / np.maximum(pairs[:, 1], 1e-9)
    interval = bootstrap_of(pairs, ratio_of_means)
    return Comparison(domain, row, against, score, interval, bootstrap(ratios.tolist()), tenth, float(np.quantile(ratios, 0.1)))


def _difference(both: Sequence[tuple[Result, Result]], pairs: NDArray[np.float64], score: str) -> Interval:
    """Over cases; for scores read on octants of a real scan over warps and octants."""
    if all(score in result.octants for pair in both for result in pair):
        ours, theirs = (np.array([pair[n].octants[score] for pair in both]) for n in (0, 1))
        return jackknife_bootstrap(pairs[:, 0] - pairs[:, 1], ours - theirs)
    return bootstrap((pairs[:, 0] - pairs[:, 1]).tolist())


def paired_markdown(results: Sequence[Result]) -> str:
    """Tables in one: ratios to the truth, differences from the renderer and from the network as it is."""
    found = comparisons(results)
    if not found:
        return ""
    lines = ["### paired, over the same cases", ""]
    lines.append(
        "| domain | row | score | against | of means [95 %] | mean of the cases' own [95 %] | 10th percentile | of the ratios |"
    )
    lines.append("|---" * 8 + "|")
    for c in found:
        what = "/ truth" if c.against == "truth" else f"- {c.against}"
        own, tenth_ratio = (str(c.per_case), f"{c.tenth_ratio:.3g}") if c.per_case.cases else ("", "")
        lines.append(f"| {c.domain} | {c.row} | {c.score} | {what} | {c.interval} | {own} | {c.tenth:.3g} | {tenth_ratio} |")
    return "\n".join(lines)
