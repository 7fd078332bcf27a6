"""The acceptance as JSON, Markdown and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .acceptance import Verdict

WORDS = {True: "yes", False: "**no**", None: ""}
MEANING = (
    "Met: the whole interval fulfils what is asked. Intervals are over cases; on the real scan over warps of one patient's mask, "
    "for KID and AUC also over octants of the field. Beside the verdict: the share of cases that meet it by themselves."
)
MOST_MARGIN = 1.5
"""Farther from what is asked is drawn at the border."""


def acceptance_json(found: Sequence[Verdict]) -> list[dict[str, Any]]:
    """What was asked, measured and met, one entry per criterion, row and domain."""
    return [{**asdict(v), "asked": v.asked, "met": v.met} for v in found]


def acceptance_markdown(found: Sequence[Verdict], title: str = "Acceptance") -> str:
    """One table per domain, the rows side by side."""
    parts = [f"## {title}", ""]
    for domain in dict.fromkeys(v.domain for v in found):
        own = [v for v in found if v.domain == domain]
        rows = list(dict.fromkeys(v.row for v in own))
        cases = max(v.interval.cases for v in own)
        met = ", ".join(words for row in rows if (words := _tally([v for v in own if v.row == row])))
        parts += [f"### {domain} ({cases} case{'s' if cases != 1 else ''})" + (f"; met: {met}" if met else ""), ""]
        parts += ["| criterion | asked | " + " | ".join(f"{row} [95 %] | met" for row in rows) + " |"]
        parts += ["|---" * (2 + 2 * len(rows)) + "|"]
        for criterion in _criteria(own):
            cells = [
                next((v for v in own if v.row == row and (v.group, v.criterion, v.asked) == criterion), None) for row in rows
            ]
            group, name, asked = criterion
            parts.append(f"| {group}: {name} | {asked} | " + " | ".join(map(_cell, cells)) + " |")
        parts.append("")
    return "\n".join([*parts, MEANING])


def _tally(own: Sequence[Verdict]) -> str:
    asked = [v for v in own if v.met is not None]
    return f"{own[0].row} {sum(bool(v.met) for v in asked)} of {len(asked)}" if asked else ""


def _cell(v: Verdict | None) -> str:
    """The number with its interval, what it is of, and the verdict with the share of cases that meet it by themselves."""
    if v is None:
        return " | "
    note = f" ({v.note})" if v.note else ""
    share = f" ({100 * v.within:.0f} %)" if np.isfinite(v.within) else ""
    return f"{v.interval}{note} | {WORDS[v.met]}{share}"


def acceptance_figure(found: Sequence[Verdict]) -> Figure:
    """How far every measured interval lies from what is asked, a panel per domain: right of the line it is met."""
    judged = [v for v in found if v.met is not None]
    groups = [[v for v in judged if v.domain == domain] for domain in dict.fromkeys(v.domain for v in judged)]
    lines = [len(_criteria(group)) for group in groups]
    figure = Figure(figsize=(12, 1.2 + 0.32 * sum(lines) + 0.6 * len(groups)), layout="constrained")
    if not groups:
        return figure
    rows = list(dict.fromkeys(v.row for v in judged))
    panels = figure.subplots(len(groups), 1, height_ratios=[count + 1 for count in lines], squeeze=False).ravel()
    for panel, group in zip(panels, groups):
        _draw(panel, group, rows)
        panel.set_title(group[0].domain, fontsize=10, loc="left")
    panels[-1].set_xlabel("margin to what is asked, as a share of it (right of 0: met; filled: the whole interval is)")
    marks = [Line2D([], [], color=f"C{n}", marker="o", label=row) for n, row in enumerate(rows)]
    figure.legend(handles=marks, loc="outside upper center", ncols=6, frameon=False)
    return figure


def _criteria(found: Sequence[Verdict]) -> list[tuple[str, str, str]]:
    """Group, criterion and what is asked, group by group in the order of their first appearance."""
    groups = list(dict.fromkeys(v.group for v in found))
    return sorted(dict.fromkeys((v.group, v.criterion, v.asked) for v in found), key=lambda c: groups.index(c[0]))


def _draw(panel: Any, group: Sequence[Verdict], rows: Sequence[str]) -> None:
    criteria = _criteria(group)
    for v in group:
        rank = rows.index(v.row)
        place = criteria.index((v.group, v.criterion, v.asked)) + 0.7 * ((rank + 0.5) / len(rows) - 0.5)
        margins = np.clip([_margin(v, x) for x in (v.interval.mean, v.interval.low, v.interval.high)], -MOST_MARGIN, MOST_MARGIN)
        panel.plot([margins.min(), margins.max()], [place, place], color=f"C{rank}", linewidth=1.5)
        panel.plot(margins[0], place, "o", color=f"C{rank}", markersize=5, fillstyle="full" if v.met else "none")
    panel.axvline(0, color="black", linewidth=0.8)
    panel.set_yticks(range(len(criteria)), [f"{name}  {asked}" for _, name, asked in criteria], fontsize=7)
    panel.set_ylim(len(criteria) - 0.5, -0.5)
    panel.set_xlim(-MOST_MARGIN, MOST_MARGIN)
    panel.grid(axis="y", linewidth=0.3)


def _margin(v: Verdict, value: float) -> float:
    """Distance to the nearer limit as a share of that limit, positive where it is kept."""
    limits = [(value - v.least, v.least)] if v.least is not None else []
    limits += [(v.most - value, v.most)] if v.most is not None else []
    return min(room / (abs(limit) or abs(v.interval.mean) or 1.0) for room, limit in limits)
