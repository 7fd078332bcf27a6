"""The report on confidence maps: tables with intervals over cases, the verdict, the fits, a figure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from StructDiffCore.io.atomic import write_text
from StructDiffCore.synthesis.confidence_fit import SHIPPED_FITS, ConfidenceFit, pooled, write_fits
from StructDiffCore.synthesis.measured_at import MeasuredAt

from .confidence_scores import BIN_CENTRES_HU, TISSUES, Judged, Row
from .confidence_settings import ConfidenceSettings
from .intervals import Interval, bootstrap

BASELINES = ("edge nearness", "local deviation", "inverse radius")
COLUMNS = ("AUROC gross", "AUSE", "AUROC flips", "partial rank correlation", "ENCE", "coverage", "calls")
DAMAGE_COLUMNS = ("AUROC damage", "added there", "AUROC new errors", "AUROC damage, raw")
FEWEST_CASES = 3
"""Fewer cases prove nothing."""


@dataclass(frozen=True)
class Verdict:
    """Whether a map tells more than what costs nothing."""

    map: str
    best_baseline: str
    advantage: Interval
    """AUROC of gross errors, map minus baseline, paired by case."""
    beyond: Interval
    """Partial rank correlation given tissue and distance to the edge."""

    @property
    def informative(self) -> bool:
        """Both intervals lie above 0, over enough cases."""
        return min(self.advantage.low, self.beyond.low) > 0 and self.advantage.cases >= FEWEST_CASES

    @property
    def words(self) -> str:
        """One line."""
        judged = "informative" if self.informative else "not informative"
        against = f"AUROC {self.advantage} against {self.best_baseline}"
        return f"{self.map}: {judged} ({against}, rank correlation beyond tissue and edge {self.beyond})"

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "informative": self.informative}


def verdicts(rows: Sequence[Row], region: str = "all") -> list[Verdict]:
    """Every map on undamaged cases against the best baseline there."""
    whole = [row for row in rows if row.region == region and not row.damage]
    scores = {name: _by_case(whole, name, "AUROC gross") for name in dict.fromkeys(row.map for row in whole)}
    known = {name: bootstrap(list(scores[name].values())).mean for name in BASELINES if name in scores}
    known = {name: mean for name, mean in known.items() if np.isfinite(mean)}
    if not known:
        return []
    best = max(known, key=lambda name: known[name])
    found = []
    for name in (name for name in scores if name not in BASELINES):
        gaps = [value - scores[best][case] for case, value in scores[name].items() if case in scores[best]]
        beyond = bootstrap(list(_by_case(whole, name, "partial rank correlation").values()))
        found.append(Verdict(name, best, bootstrap(gaps), beyond))
    return found


def _by_case(rows: Sequence[Row], name: str, score: str) -> dict[str, float]:
    return {row.case: row.scores[score] for row in rows if row.map == name and score in row.scores}


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
    parts = [_region(title, here, region) for title, here in _groups(whole) for region in ("all", "tube")]
    parts.append(_tissues(whole))
    parts += [_damage(damage, [row for row in rows if row.damage == damage]) for damage in _damages(rows)]
    parts.append(_table("### judged by the map's own seed (inflated), all", [r for r in whole if r.region == "all"], OWN))
    gaps = calibration_errors(judged, threshold_hu)
    parts.append(_listed("calibration error of the fits, left-out phantom", [f"{name}: {gap}" for name, gap in gaps.items()]))
    for region in ("all", "tube"):
        parts.append(_listed(f"verdict, {region}", [verdict.words for verdict in verdicts(rows, region)]))
    return "\n\n".join(parts) + "\n"


def _groups(whole: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """All cases together, then domain by domain."""
    domains = dict.fromkeys(row.domain for row in whole)
    return [("all cases", list(whole)), *((name, [row for row in whole if row.domain == name]) for name in domains)]


def _region(title: str, rows: Sequence[Row], region: str) -> str:
    here = [row for row in rows if row.region == region]
    first = [row for row in here if row.map == BASELINES[0]]
    shares = {name: bootstrap([row.scores[f"{name} share"] for row in first]) for name in ("gross", "flip")}
    told = ", ".join(f"{share.mean:.1%} {name}" for name, share in shares.items())
    return _table(f"### {title}, {region} ({len({row.case for row in here})} cases; {told})", here, COLUMNS)


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


OWN = ("own-seed AUROC gross", "AUROC gross", "own-seed partial rank correlation", "partial rank correlation")


def _table(title: str, rows: Sequence[Row], columns: Sequence[str]) -> str:
    lines = [title, "", "| map | " + " | ".join(columns) + " |", "|---" * (1 + len(columns)) + "|"]
    for name in dict.fromkeys(row.map for row in rows):
        cells = [bootstrap(list(_by_case(rows, name, column).values())) for column in columns]
        lines.append(f"| {name} | " + " | ".join(str(cell) if cell.cases else "" for cell in cells) + " |")
    return "\n".join(lines)


def _tissues(rows: Sequence[Row]) -> str:
    """AUROC of gross errors per tissue; the share of gross errors below the names."""
    share = {
        t: bootstrap([row.scores["gross share"] for row in rows if row.region == t and row.map == BASELINES[0]]) for t in TISSUES
    }
    heads = [f"{tissue} ({share[tissue].mean:.1%} gross)" for tissue in TISSUES]
    lines = ["### AUROC of gross errors per tissue", "", "| map | " + " | ".join(heads) + " |", "|---" * (1 + len(heads)) + "|"]
    for name in dict.fromkeys(row.map for row in rows):
        cells = [bootstrap(list(_by_case([r for r in rows if r.region == t], name, "AUROC gross").values())) for t in TISSUES]
        lines.append(f"| {name} | " + " | ".join(str(cell) if cell.cases else "" for cell in cells) + " |")
    return "\n".join(lines)


def figure(judged: Sequence[Judged], threshold_hu: float) -> Figure:
    """AUROC of gross errors over all voxels and in the tube, and the fits."""
    drawn = Figure(figsize=(13, 4.2), layout="constrained")
    panels = drawn.subplots(1, 3)
    rows = [row for case in judged for row in case.rows if not row.damage]
    for panel, region in zip(panels, ("all", "tube")):
        names = list(dict.fromkeys(row.map for row in rows))
        found = [bootstrap(list(_by_case([r for r in rows if r.region == region], n, "AUROC gross").values())) for n in names]
        reach = np.array([[i.mean - i.low for i in found], [i.high - i.mean for i in found]])
        colours = ["0.7" if name in BASELINES else "tab:blue" for name in names]
        panel.bar(range(len(names)), [i.mean for i in found], yerr=np.nan_to_num(reach), capsize=3, color=colours)
        panel.set_xticks(range(len(names)), names, rotation=40, ha="right")
        panel.axhline(0.5, color="k", lw=0.8)
        panel.set_title(f"AUROC of errors above {threshold_hu:g} HU, {region}; grey: baselines", fontsize=9)
    for name, fit in fits_of(judged, threshold_hu).items():
        panels[2].plot(fit.deviation_hu, fit.confidence, label=name)
    panels[2].set_xscale("log")
    panels[2].set_title("isotonic fit: confidence over standard deviation (HU)", fontsize=9)
    panels[2].legend(fontsize=8)
    return drawn


def write_report(
    folder: Path, judged: Sequence[Judged], settings: ConfidenceSettings, at: MeasuredAt, head_sha256: str = ""
) -> None:
    """report.json, report.md, report.png and the fits, as they are shipped with the weights."""
    rows = [row for case in judged for row in case.rows]
    document = {
        "settings": settings.as_dict(),
        "measured_at": at.as_dict(),
        "head_sha256": head_sha256,
        "rows": [asdict(row) for row in rows],
        "verdicts": {region: [verdict.as_dict() for verdict in verdicts(rows, region)] for region in ("all", "tube")},
    }
    write_text(folder / "report.json", json.dumps(document, indent=1) + "\n")
    write_text(folder / "report.md", markdown(judged, settings.threshold_hu))
    figure(judged, settings.threshold_hu).savefig(folder / "report.png", dpi=110)
    cases = sum(case.domain == "training" and not case.damage for case in judged)
    if cases:
        write_fits(folder / SHIPPED_FITS, fits_of(judged, settings.threshold_hu), at, cases, head_sha256)
