"""The table: means with 95 % intervals per domain and row, as JSON, Markdown and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .harness import Result
from .intervals import Interval, bootstrap

FIGURE_SCORES = {
    "Dice chambers": "Dice of the chambers (more is better)",
    "clDice coronaries": "clDice of the coronaries (more is better)",
    "median error thick HU": "HU median error, thick labels (less is better)",
    "median error thin HU": "HU median error, thin labels (less is better)",
    "noise ratio": "noise amplitude / truth's (1 is best)",
    "edge ratio": "edge width / truth's (1 is best)",
}
NOTHING = bootstrap([])


def summarise(results: Sequence[Result]) -> dict[str, dict[str, dict[str, Interval]]]:
    """domain -> row -> score -> interval over the domain's cases."""
    table: dict[str, dict[str, dict[str, Interval]]] = {}
    for domain in dict.fromkeys(result.domain for result in results):
        table[domain] = {}
        for row in dict.fromkeys(result.row for result in results if result.domain == domain):
            found = [result.scores for result in results if result.domain == domain and result.row == row]
            names = dict.fromkeys(name for scores in found for name in scores)
            table[domain][row] = {name: bootstrap([scores.get(name, np.nan) for scores in found]) for name in names}
    return table


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    """Every case's scores and the summary."""
    table = summarise(results)
    summary = {d: {r: {s: asdict(i) for s, i in scores.items()} for r, scores in rows.items()} for d, rows in table.items()}
    return {"cases": [asdict(result) for result in results], "summary": summary}


def as_markdown(results: Sequence[Result]) -> str:
    """One table per domain: scores down, rows across, mean [95 % interval]."""
    parts = []
    for domain, rows in summarise(results).items():
        count = len({result.case for result in results if result.domain == domain})
        parts.append(f"### {domain} ({count} case{'s' if count > 1 else ''})\n")
        parts.append("| score | " + " | ".join(rows) + " |\n|---" * 1 + "|---" * len(rows) + "|")
        names = dict.fromkeys(name for scores in rows.values() for name in scores)
        parts += [f"| {name} | " + " | ".join(str(rows[row].get(name, NOTHING)) for row in rows) + " |" for name in names]
        parts.append("")
    return "\n".join(parts)


def labels_markdown(results: Sequence[Result]) -> str:
    """HU per label of the real case: median (IQR) beside the template's own, rows across."""
    first = next((result.case for result in results if result.domain == "real"), "")
    real = [result for result in results if result.case == first and result.row != "truth"]
    if not real:
        return ""
    lines = ["| label | template median (IQR) | " + " | ".join(f"{r.row} median (IQR)" for r in real) + " |"]
    lines.append("|---" * (2 + len(real)) + "|")
    for name, numbers in real[0].labels.items():
        own = f"{numbers['reference median HU']:.0f} ({numbers['reference IQR HU']:.0f})"
        theirs = [f"{r.labels[name]['median HU']:.0f} ({r.labels[name]['IQR HU']:.0f})" for r in real]
        lines.append(f"| {name} | {own} | " + " | ".join(theirs) + " |")
    return "\n".join(lines)


def as_figure(results: Sequence[Result]) -> Figure:
    """Bars with intervals: one panel per score, one group per domain."""
    table = summarise(results)
    figure = Figure(figsize=(13, 6.5), layout="constrained")
    panels = figure.subplots(2, 3).ravel()
    for panel, (score, title) in zip(panels, FIGURE_SCORES.items()):
        _draw_panel(panel, table, score)
        panel.set_title(title, fontsize=10)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=6, frameon=False)
    return figure


def _draw_panel(panel: Any, table: dict[str, dict[str, dict[str, Interval]]], score: str) -> None:
    shown = [d for d in table if any(row.get(score, NOTHING).cases for row in table[d].values())]
    rows = list(next(iter(table.values())))
    for rank, row in enumerate(rows):
        found = [table[domain][row].get(score, NOTHING) for domain in shown]
        reach = [[i.mean - i.low for i in found], [i.high - i.mean for i in found]]
        width = 0.75 / len(rows)
        places = [n + width * (rank - (len(rows) - 1) / 2) for n in range(len(shown))]
        panel.bar(places, [i.mean for i in found], 0.88 * width, yerr=reach, capsize=3, label=row)
    panel.set_xticks(range(len(shown)), shown)
