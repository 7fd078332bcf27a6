"""The table: means with 95 % intervals per domain and row, as JSON, Markdown and a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .harness import Result
from .intervals import NOTHING, Interval, bootstrap

FIGURE_SCORES = {
    "Dice chambers": "Dice of the chambers (more is better)",
    "clDice coronaries": "clDice of the coronaries (more is better)",
    "median error thick HU": "HU median error, thick labels (less is better)",
    "median error thin HU": "HU median error, thin labels (less is better)",
    "noise ratio": "noise amplitude / truth's (1 is best)",
    "edge ratio": "edge width / truth's (1 is best)",
}


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
        parts.append("| score | " + " | ".join(rows) + " |\n|---" + "|---" * len(rows) + "|")
        names = dict.fromkeys(name for scores in rows.values() for name in scores)
        parts += [f"| {name} | " + " | ".join(str(rows[row].get(name, NOTHING)) for row in rows) + " |" for name in names]
        parts.append("")
    return "\n".join(parts)


def labels_markdown(results: Sequence[Result]) -> str:
    """Per label of the real scan, means over its warps beside the scan's own: median (IQR) HU, Wasserstein distance and how far
    the gradient's peak lies from the mask, over the real pair's own.
    """
    real = [result for result in results if result.domain == "real" and result.row != "truth"]
    rows = list(dict.fromkeys(result.row for result in real))
    if not real:
        return ""
    heads = [f"{row} median (IQR) | W | peak" for row in rows]
    lines = ["| label | real median (IQR), peak mm | " + " | ".join(heads) + " |", "|---" * (2 + 3 * len(rows)) + "|"]
    for name in real[0].labels:
        means = [_mean_row([r.labels[name] for r in real if r.row == row and name in r.labels]) for row in rows]
        own = f"{means[0]['reference median HU']:.0f} ({means[0]['reference IQR HU']:.0f})"
        lines.append(
            f"| {name} | {own}, {_number(means[0], 'reference edge distance mm')} | " + " | ".join(map(_cells, means)) + " |"
        )
    return "\n".join(lines)


def _mean_row(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {
        key: float(np.mean([row[key] for row in rows if key in row])) for key in dict.fromkeys(k for row in rows for k in row)
    }


def _cells(row: Mapping[str, float]) -> str:
    return f"{row['median HU']:.0f} ({row['IQR HU']:.0f}) | {row['Wasserstein HU']:.0f} | {_number(row, 'edge distance mm')}"


def _number(row: Mapping[str, float], key: str) -> str:
    return f"{row[key]:.2f}" if key in row else "-"


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
