"""The report on confidence maps: tables with intervals over cases, the verdicts, the fits, a figure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from StructDiffCore.io.atomic import write_text
from StructDiffCore.synthesis.confidence_fit import FITS, ConfidenceFit, Measured, pooled, write_fits
from StructDiffCore.synthesis.confidence_worth import TOLD
from StructDiffCore.synthesis.measured_at import MeasuredAt

from .confidence_scores import BIN_CENTRES_HU, TISSUES, Judged, Row
from .confidence_settings import ConfidenceSettings
from .confidence_verdicts import BASELINES, BEYOND, REGIONS, all_verdicts, by_case, by_domain, verdicts
from .intervals import Interval, bootstrap

COLUMNS = (
    "AUROC gross",
    "AUSE gross",
    "AUSE HU",
    "partial rank correlation",
    "AUROC flips",
    "AUSE flips",
    "partial rank correlation flips",
    "ENCE",
    "coverage",
    "calls",
    "cost",
)
"""Of errors above the threshold, of |error|, of flips; ``calls`` and ``cost`` (processor time) are told of the whole window."""
DAMAGE_COLUMNS = ("AUROC damage", "added there", "AUROC new errors", "AUROC damage, raw")
OWN = ("own-seed AUROC gross", "AUROC gross", "own-seed partial rank correlation", "partial rank correlation")


def fits_of(judged: Sequence[Judged], threshold_hu: float) -> dict[str, ConfidenceFit]:
    """The isotonic fits over the undamaged phantoms of the training domain, of every method that was asked on all of them."""
    cases = [case.counts for case in judged if case.domain == "training" and not case.damage]
    methods = [name for name in (cases[0] if cases else ()) if all(name in counts for counts in cases)]
    return {name: _fit([counts[name] for counts in cases], threshold_hu) for name in methods}


def _fit(counts: Sequence[Sequence[Any]], threshold_hu: float) -> ConfidenceFit:
    voxels, gross = pooled(counts)
    return ConfidenceFit.of_counts(BIN_CENTRES_HU, voxels, gross, threshold_hu)


def calibration_errors(judged: Sequence[Judged], threshold_hu: float) -> dict[str, Interval]:
    """Per method: mean |confidence - share within X| over bins, each phantom judged by the fit of the others."""
    cases = [case.counts for case in judged if case.domain == "training" and not case.damage]
    found: dict[str, Interval] = {}
    for name in dict.fromkeys(name for counts in cases for name in counts):
        known = [counts[name] for counts in cases if name in counts]
        if len(known) > 1:
            gaps = [_gap(_fit([*known[:n], *known[n + 1 :]], threshold_hu), *known[n]) for n in range(len(known))]
            found[name] = bootstrap(gaps)
    return found


def _gap(fit: ConfidenceFit, voxels: Sequence[int], gross: Sequence[int]) -> float:
    count, wrong = np.asarray(voxels, float), np.asarray(gross, float)
    told = np.interp(BIN_CENTRES_HU, fit.deviation_hu, fit.confidence)
    return float(np.abs(told * count - (count - wrong)).sum() / count.sum())


def markdown(judged: Sequence[Judged], threshold_hu: float) -> str:
    """All tables."""
    rows = [row for case in judged for row in case.rows]
    whole = [row for row in rows if not row.damage]
    parts = [_region(title, here, region) for title, here in by_domain(whole) for region in ("all", "tube")]
    parts += [_region("all cases", whole, tissue) for tissue in TISSUES]
    parts += [_damage(damage, [row for row in rows if row.damage == damage]) for damage in _damages(rows)]
    parts.append(_table("### judged by the map's own seed (inflated), all", [r for r in whole if r.region == "all"], OWN))
    gaps = calibration_errors(judged, threshold_hu)
    parts.append(_listed("calibration error of the fits, left-out phantom", [f"{name}: {gap}" for name, gap in gaps.items()]))
    parts += [_verdicts(whole, region, error) for error in BEYOND for region in REGIONS]
    return "\n\n".join(parts) + "\n"


def _region(title: str, rows: Sequence[Row], region: str) -> str:
    here = [row for row in rows if row.region == region]
    first = [row for row in here if row.map == BASELINES[0]]
    shares = {name: bootstrap([row.scores[f"{name} share"] for row in first]) for name in ("gross", "flip")}
    told = ", ".join(f"{share.mean:.1%} {name}" for name, share in shares.items())
    return _table(f"### {title}, {region} ({len({row.case for row in here})} cases; {told})", here, COLUMNS)


def _verdicts(whole: Sequence[Row], region: str, error: str) -> str:
    """Rows of maps, columns of domains."""
    groups = [(title, {found.map: found for found in verdicts(rows, region, error)}) for title, rows in by_domain(whole)]
    heads = [f"{title} ({len({row.case for row in rows})})" for title, rows in by_domain(whole)]
    names = dict.fromkeys(name for _, told in groups for name in told)
    cells = {name: [told[name].words if name in told else "" for _, told in groups] for name in names}
    return _grid(f"### verdict, {error}, {region}", heads, cells)


def _damages(rows: Sequence[Row]) -> list[str]:
    return [name for name in dict.fromkeys(row.damage for row in rows) if name]


def _damage(damage: str, rows: Sequence[Row]) -> str:
    here = [row for row in rows if row.region == "all"]
    first = [row for row in here if row.map == BASELINES[0]]
    new, there = (bootstrap([row.scores[name] for row in first]).mean for name in ("new share", "new share there"))
    title = f"### damage '{damage}': damaged minus whole map ({len(first)} cases; {new:.1%} new gross errors, {there:.1%} in it)"
    return _table(title, here, DAMAGE_COLUMNS)


def _listed(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"### {title}", "", *(f"- {line}" for line in lines)])


def _table(title: str, rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Means with intervals; a column without any score is left out."""
    told = [column for column in columns if any(column in row.scores for row in rows)]
    names = dict.fromkeys(row.map for row in rows)
    found = {name: [bootstrap(list(by_case(rows, name, column).values())) for column in told] for name in names}
    return _grid(title, told, {name: [str(cell) if cell.cases else "" for cell in cells] for name, cells in found.items()})


def _grid(title: str, heads: Sequence[str], cells: Mapping[str, Sequence[str]]) -> str:
    lines = [title, "", "| map | " + " | ".join(heads) + " |", "|---" * (1 + len(heads)) + "|"]
    return "\n".join([*lines, *(f"| {name} | " + " | ".join(told) + " |" for name, told in cells.items())])


def figure(judged: Sequence[Judged], threshold_hu: float) -> Figure:
    """AUROC of gross errors and of flips over all voxels and in the tube, and the fits."""
    drawn = Figure(figsize=(14, 7.5), layout="constrained")
    kinds = {"gross": f"AUROC of errors above {threshold_hu:g} HU", "flips": "AUROC of what the judge misreads"}
    panels = drawn.subplot_mosaic([[f"{kind} all", f"{kind} tube", "fits"] for kind in kinds])
    rows = [row for case in judged for row in case.rows if not row.damage]
    for kind, region in product(kinds, ("all", "tube")):
        panel = panels[f"{kind} {region}"]
        _bars(panel, [row for row in rows if row.region == region], f"AUROC {kind}")
        panel.set_title(f"{kinds[kind]}, {region}; grey: baselines", fontsize=9)
    panel = panels["fits"]
    for name, fit in fits_of(judged, threshold_hu).items():
        panel.plot(fit.deviation_hu, fit.confidence, label=name)
    panel.set_xscale("log")
    panel.set_title("isotonic fit: confidence over standard deviation (HU)", fontsize=9)
    panel.legend(fontsize=8)
    return drawn


def _bars(panel: Axes, rows: Sequence[Row], score: str) -> None:
    """One bar per map with its interval, and a line at 0.5."""
    names = list(dict.fromkeys(row.map for row in rows))
    found = [bootstrap(list(by_case(rows, name, score).values())) for name in names]
    reach = np.array([[i.mean - i.low for i in found], [i.high - i.mean for i in found]])
    colours = ["0.7" if name in BASELINES else "tab:blue" for name in names]
    panel.bar(range(len(names)), [i.mean for i in found], yerr=np.nan_to_num(reach), capsize=3, color=colours)
    panel.set_xticks(range(len(names)), names, rotation=40, ha="right")
    panel.axhline(0.5, color="k", lw=0.8)


def write_report(
    folder: Path, judged: Sequence[Judged], settings: ConfidenceSettings, at: MeasuredAt, head_sha256: str = ""
) -> None:
    """report.json, report.md, report.png and the fits, as they are shipped with the weights."""
    rows = [row for case in judged for row in case.rows]
    whole = [row for row in rows if not row.damage]
    document = {
        "settings": settings.as_dict(),
        "measured_at": at.as_dict(),
        "head_sha256": head_sha256,
        "rows": [asdict(row) for row in rows],
        "verdicts": {title: [found.as_dict() for found in all_verdicts(here)] for title, here in by_domain(whole)},
    }
    write_text(folder / "report.json", json.dumps(document, indent=1) + "\n")
    write_text(folder / "report.md", markdown(judged, settings.threshold_hu))
    figure(judged, settings.threshold_hu).savefig(folder / "report.png", dpi=110)
    cases = sum(case.domain == "training" and not case.damage for case in judged)
    if cases:
        write_fits(folder / FITS, _measured(judged, settings.threshold_hu), at, cases, head_sha256)


def _measured(judged: Sequence[Judged], threshold_hu: float) -> dict[str, Measured]:
    """What is shipped of every method that has a fit: that, and what is told of its verdicts over all undamaged cases."""
    rows = [row for case in judged for row in case.rows]
    found = [verdict for verdict in all_verdicts(rows) if (verdict.error, verdict.region) in TOLD]
    fits = fits_of(judged, threshold_hu)
    return {name: Measured(fit, tuple(v.finding for v in found if v.map == name)) for name, fit in fits.items()}
