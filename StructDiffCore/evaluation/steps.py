"""Scores against network calls: what a sampler and its number of steps buy, and the default that is read off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from StructDiffCore.config.presets import DEFAULT_SAMPLER

from .harness import Result
from .intervals import Interval, bootstrap

LESS_IS_BETTER: Mapping[str, bool] = {
    "clDice coronaries": False,
    "recall radius 0.6-0.9 mm": False,
    "median error thin HU": True,
    "clean RMSE HU": True,
    "clean RMSE HU, tube of 3 voxels": True,
    "noise band error": True,
    "KID patches": True,
    "AUC patches": True,
}
"""The scores that are compared."""
FEWEST_CASES = 3
"""Paired differences over fewer cases say nothing."""
RULE = f"paired 95 % interval excluding 0, {FEWEST_CASES} cases or more"


@dataclass(frozen=True)
class Effort:
    """One sampler at one number of network calls."""

    row: str
    sampler: str
    calls: int
    scores: Mapping[str, Interval]
    seconds: float
    worse_in: tuple[str, ...]
    """Scores in which it is worse than the best row, the paired interval over phantoms excluding 0."""


def efforts(results: Sequence[Result]) -> list[Effort]:
    """Every row of the network with steps or sampler in its name, by calls."""
    rows = [row for row in dict.fromkeys(result.row for result in results) if row.startswith("structdiff")]
    if not any("@" in row for row in rows):
        return []
    found = []
    for row in rows:
        own = [result for result in results if result.row == row]
        scores = {name: bootstrap([r.scores[name] for r in own if name in r.scores]) for name in LESS_IS_BETTER}
        seconds = float(np.mean([r.scores["seconds"] for r in own]))
        worse = tuple(name for name in LESS_IS_BETTER if _worse(results, rows, row, name))
        found.append(Effort(row, _sampler(row), int(own[0].scores["network calls"]), scores, seconds, worse))
    return sorted(found, key=lambda effort: (effort.sampler != DEFAULT_SAMPLER, effort.sampler, effort.calls))


def read_off(found: Sequence[Effort]) -> Effort | None:
    """The fewest calls that are worse than the best in no score; None where there is no such row."""
    free = [effort for effort in found if not effort.worse_in]
    return min(free, key=lambda effort: (effort.calls, effort.seconds), default=None)


def steps_markdown(found: Sequence[Effort]) -> str:
    """Rows by sampler and calls, and the row read off."""
    if not found:
        return ""
    lines = [
        "## Score against network calls",
        "",
        "| row | calls | seconds | " + " | ".join(LESS_IS_BETTER) + " | worse than the best in |",
    ]
    lines.append("|---" * (len(LESS_IS_BETTER) + 4) + "|")
    for e in found:
        scores = " | ".join(str(e.scores[name]) for name in LESS_IS_BETTER)
        lines.append(f"| {e.row} | {e.calls} | {e.seconds:.1f} | {scores} | {', '.join(e.worse_in) or '-'} |")
    chosen = read_off(found)
    told = "every row is worse than the best in some score" if chosen is None else f"{chosen.row}, {chosen.calls} calls"
    lines += ["", f"Fewest calls that are worse than the best in no score ({RULE}): {told}."]
    return "\n".join(lines)


def steps_json(found: Sequence[Effort]) -> dict[str, Any]:
    from dataclasses import asdict

    chosen = read_off(found)
    return {"rows": [asdict(effort) for effort in found], "read off": None if chosen is None else chosen.row}


def steps_figure(found: Sequence[Effort]) -> Figure:
    """One panel per score, one line per sampler."""
    figure = Figure(figsize=(13, 6.5), layout="constrained")
    panels = figure.subplots(2, 4).ravel()
    for panel, (name, less) in zip(panels, LESS_IS_BETTER.items()):
        for sampler in dict.fromkeys(effort.sampler for effort in found):
            _line(panel, [e for e in found if e.sampler == sampler and e.scores[name].cases], name, sampler)
        panel.set_title(f"{name} ({'less' if less else 'more'} is better)", fontsize=9)
        panel.set_xscale("log")
        calls = sorted({effort.calls for effort in found})
        panel.set_xticks(calls, [str(n) for n in calls], fontsize=7)
        panel.minorticks_off()
    panels[0].legend(frameon=False, fontsize=8)
    figure.supxlabel("network calls")
    return figure


def _line(panel: Any, own: Sequence[Effort], name: str, sampler: str) -> None:
    means = [effort.scores[name].mean for effort in own]
    reach = [[e.scores[name].mean - e.scores[name].low for e in own], [e.scores[name].high - e.scores[name].mean for e in own]]
    panel.errorbar([effort.calls for effort in own], means, yerr=reach, marker="o", markersize=4, capsize=2, label=sampler)


def _worse(results: Sequence[Result], rows: Sequence[str], row: str, name: str) -> bool:
    """Whether the row loses to the best row in a score, over the same cases."""
    by_row = {
        r: {x.case: x.scores[name] for x in results if x.row == r and np.isfinite(x.scores.get(name, np.nan))} for r in rows
    }
    cases = sorted(set.intersection(*(set(found) for found in by_row.values())))
    if len(cases) < FEWEST_CASES:
        return False
    sign = 1 if LESS_IS_BETTER[name] else -1
    best = min(rows, key=lambda r: sign * np.mean([by_row[r][case] for case in cases]))
    return row != best and bootstrap([sign * (by_row[row][case] - by_row[best][case]) for case in cases]).low > 0


def _sampler(row: str) -> str:
    return row.partition(":")[2] or DEFAULT_SAMPLER
