"""The acceptance as JSON, Markdown and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .acceptance import Verdict

WORDS = {True: "yes", False: "**no**", None: ""}
COLOURS = {True: "tab:green", False: "tab:red"}
MEANING = (
    "Met: the whole interval fulfils what is asked. Intervals are over cases; on the real scan over warps of one patient's mask, "
    "for KID and AUC also over octants of the field."
)
MOST_MARGIN = 1.5
"""Farther from what is asked is drawn at the border."""


def acceptance_json(found: Sequence[Verdict]) -> list[dict[str, Any]]:
    """What was asked, measured and met, one entry per criterion, row and domain."""
    return [{**asdict(v), "asked": v.asked, "met": v.met} for v in found]


def acceptance_markdown(found: Sequence[Verdict]) -> str:
    """One table per domain and row."""
    parts = ["## Acceptance", ""]
    for domain, row in dict.fromkeys((v.domain, v.row) for v in found):
        own = [v for v in found if (v.domain, v.row) == (domain, row)]
        asked = [v for v in own if v.met is not None]
        cases = max(v.interval.cases for v in own)
        met = f": {sum(bool(v.met) for v in asked)} of {len(asked)} criteria met" if asked else ""
        parts += [f"### {row}, {domain} ({cases} case{'s' if cases != 1 else ''}){met}", ""]
        parts += ["| criterion | asked | measured [95 %] | cases within | met | note |", "|---" * 6 + "|"]
        parts += [_line(v) for v in own] + [""]
    parts += [MEANING]
    return "\n".join(parts)


def _line(v: Verdict) -> str:
    share = f"{100 * v.within:.0f} %" if np.isfinite(v.within) else ""
    return f"| {v.group[2:]}: {v.criterion} | {v.asked} | {v.interval} | {share} | {WORDS[v.met]} | {v.note} |"


def acceptance_figure(found: Sequence[Verdict]) -> Figure:
    """How far every measured interval lies from what is asked: right of the line it is met."""
    judged = [v for v in found if v.met is not None]
    pairs = list(dict.fromkeys((v.domain, v.row) for v in judged))
    counts = [sum((v.domain, v.row) == pair for v in judged) for pair in pairs]
    figure = Figure(figsize=(11, 1.5 + 0.27 * sum(counts) + 0.7 * len(pairs)), layout="constrained")
    if not pairs:
        return figure
    panels = figure.subplots(len(pairs), 1, height_ratios=[count + 1 for count in counts], squeeze=False).ravel()
    for panel, (domain, row) in zip(panels, pairs):
        _draw(panel, [v for v in judged if (v.domain, v.row) == (domain, row)])
        panel.set_title(f"{row}, {domain}", fontsize=10, loc="left")
    panels[-1].set_xlabel("margin to what is asked, as a share of it (right of 0: met)")
    return figure


def _draw(panel: Any, judged: Sequence[Verdict]) -> None:
    for place, v in enumerate(judged):
        margins = np.clip([_margin(v, x) for x in (v.interval.mean, v.interval.low, v.interval.high)], -MOST_MARGIN, MOST_MARGIN)
        colour = COLOURS[bool(v.met)]
        panel.plot([margins.min(), margins.max()], [place, place], color=colour, linewidth=2)
        panel.plot(margins[0], place, "o", color=colour, markersize=5)
        panel.annotate(f"{v.interval} ({v.asked})", (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=7)
    panel.axvline(0, color="black", linewidth=0.8)
    panel.set_yticks(range(len(judged)), [v.criterion for v in judged], fontsize=7)
    panel.set_ylim(len(judged) - 0.5, -0.5)
    panel.set_xlim(-MOST_MARGIN, MOST_MARGIN)


def _margin(v: Verdict, value: float) -> float:
    """Distance to the nearer limit as a share of that limit, positive where it is kept."""
    limits = [(value - v.least, v.least)] if v.least is not None else []
    limits += [(v.most - value, v.most)] if v.most is not None else []
    return min(room / (abs(limit) or abs(v.interval.mean) or 1.0) for room, limit in limits)
