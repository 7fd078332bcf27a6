"""Acceptance: every criterion with what is asked, what was measured and whether it is met. All numbers come from the results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .harness import Result
from .intervals import Interval, bootstrap, bootstrap_of, ratio_of_means
from .obedience import CONTROLS
from .paired import Comparison, comparisons
from .scores import PEAK_RESOLUTION_MM

LEAST_RATIO = 0.95
LEAST_JUDGE = 0.80
LEAST_AGREEMENT = 0.90
COLLAPSED = 0.5
"""A score against a mask that was not asked for, over the score against the one that was."""
LARGE_HU, REAL_HU = 20.0, 40.0
NOISE_WITHIN, BANDS_WITHIN = 0.25, 0.30
MOST_COPIED = 0.05
MOST_EDGE_RATIO = 1.2
TILES_RMS_HU, SEAM_WITHIN = 5.0, 0.05
FIDELITY = ("Dice chambers", "Dice myocardium", "Dice aorta", "Dice coronaries", "clDice coronaries")
CEILING = "truth"


@dataclass(frozen=True)
class Verdict:
    """One criterion for one row in one domain."""

    group: str
    criterion: str
    domain: str
    row: str
    least: float | None
    """What is asked of the interval's lower end; None where nothing is."""
    most: float | None
    """What is asked of its upper end."""
    interval: Interval
    within: float
    """Share of the cases that meet it by themselves; NaN where that cannot be said."""
    note: str = ""

    @property
    def asked(self) -> str:
        """In words."""
        if self.least is not None and self.most is not None:
            return f"{self.least:g} to {self.most:g}"
        if self.least is not None:
            return f">= {self.least:g}"
        return "reported" if self.most is None else f"<= {self.most:g}"

    @property
    def met(self) -> bool | None:
        """Whether the whole interval meets it; None where nothing is asked or nothing was measured."""
        if (self.least is None and self.most is None) or not np.isfinite(self.interval.mean):
            return None
        enough = self.least is None or self.interval.low >= self.least
        return bool(enough and (self.most is None or self.interval.high <= self.most))


def verdicts(results: Sequence[Result], tiles: Mapping[str, float] | None = None) -> list[Verdict]:
    """All criteria for all rows but the truth (whose own coronary clDice says what the judge is worth)."""
    found, paired = [], comparisons(results)
    for domain in dict.fromkeys(result.domain for result in results):
        rows = dict.fromkeys(result.row for result in results if result.domain == domain)
        for row in rows:
            table = _Table(domain, row, [r for r in results if (r.domain, r.row) == (domain, row)], paired)
            found += list(_real(table) if domain == "real" else _phantom(table))
    return [*found, *_tiled(tiles or {})]


def verdicts_by_part(results: Sequence[Result]) -> list[Verdict]:
    """Every part of the mask by itself: HU beside its tolerance; on the real scan also spread and edge."""
    found = []
    for domain, row in dict.fromkeys((r.domain, r.row) for r in results if r.row != CEILING):
        table = _Table(domain, row, [r for r in results if (r.domain, r.row) == (domain, row)], ())
        found += [v for name in table.part_names for v in _part(table, name)]
    return found


def _part(table: _Table, name: str) -> Iterator[Verdict]:
    real = table.domain == "real"
    thin = any(row["thin"] for row in table.rows_of(name))
    yield table.verdict(
        name, "median HU", table.of_part(name, _median_error), None, REAL_HU if real else None if thin else LARGE_HU
    )
    if thin and not real:
        yield table.verdict(name, "median HU / tolerance", table.of_part(name, _over_tolerance), None, 1.0)
    if not real:
        yield table.verdict(name, "the same between two true renderings", table.of_part(name, _floor))
        return
    yield table.verdict(name, "IQR HU", table.of_part(name, _spread_error), None, REAL_HU)
    yield table.verdict(name, "Wasserstein HU", table.of_part(name, lambda row: row["Wasserstein HU"]))
    yield table.verdict(name, "gradient peak / real's", table.of_part(name, _edge_ratio), None, MOST_EDGE_RATIO)


@dataclass(frozen=True)
class _Table:
    """One row's answers in one domain."""

    domain: str
    row: str
    results: Sequence[Result]
    paired: Sequence[Comparison]

    def values(self, score: str) -> list[float]:
        return [result.scores.get(score, np.nan) for result in self.results]

    def verdict(
        self,
        group: str,
        criterion: str,
        values: Sequence[float],
        least: float | None = None,
        most: float | None = None,
        note: str = "",
    ) -> Verdict:
        return Verdict(group, criterion, self.domain, self.row, least, most, bootstrap(values), _share(values, least, most), note)

    def compared(self, against: str, score: str) -> Comparison | None:
        key = (self.domain, self.row, against, score)
        return next((c for c in self.paired if (c.domain, c.row, c.against, c.score) == key), None)

    def ratio(self, group: str, score: str, least: float | None) -> Iterator[Verdict]:
        """Ratio of means to the truth's, and what the worst tenth of the cases has."""
        c = self.compared(CEILING, score)
        if c is None:
            return
        worst = Interval(c.tenth_ratio, c.tenth_ratio, c.tenth_ratio, c.interval.cases)
        yield Verdict(group, f"{score} / truth's", self.domain, self.row, least, None, c.interval, float("nan"))
        yield Verdict(
            group, f"{score} / truth's, 10th percentile of cases", self.domain, self.row, None, None, worst, float("nan")
        )

    def beats_renderer(self, group: str, score: str) -> Iterator[Verdict]:
        c = self.compared("renderer", score)
        if c is not None:
            note = "over warps and octants" if score in self.results[0].octants else "over cases"
            yield Verdict(group, f"{score} - renderer's", self.domain, self.row, None, 0.0, c.interval, float("nan"), note)

    @property
    def part_names(self) -> list[str]:
        return list(dict.fromkeys(name for result in self.results for name in result.labels))

    def rows_of(self, name: str) -> list[dict[str, float]]:
        return [result.labels[name] for result in self.results if name in result.labels]

    def of_part(self, name: str, number: Callable[[dict[str, float]], float]) -> list[float]:
        return [number(row) for row in self.rows_of(name)]

    def worst_part(self, number: Callable[[dict[str, float]], float], thin: bool | None = None) -> tuple[str, list[float]]:
        """The part of the mask whose interval over cases reaches highest, with its values; no name where there is none."""
        kind = [name for name in self.part_names if thin is None or bool(self.rows_of(name)[0]["thin"]) == thin]
        by_part = {name: self.of_part(name, number) for name in kind}
        known = {name: values for name, values in by_part.items() if np.isfinite(values).any()}
        worst = max(known, key=lambda name: bootstrap(known[name]).high, default="")
        return worst, known.get(worst, [])


def _phantom(table: _Table) -> Iterator[Verdict]:
    if table.row == CEILING:
        yield table.verdict(
            "1 fidelity", "judge's clDice of coronaries on true renderings", table.values("clDice coronaries"), LEAST_JUDGE
        )
        yield table.verdict("1 fidelity", "agrees with target (ceiling)", table.values("agrees with target"))
        yield from _controls(table)
        return
    for score in FIDELITY:
        yield from table.ratio("1 fidelity", score, LEAST_RATIO)
    for score in ("recall radius 0.6-0.9 mm", "visible share of centrelines", "unbroken branches"):
        yield from table.ratio("1 fidelity", score, None)
    yield table.verdict("1 fidelity", "agrees with target, not template", table.values("agrees with target"), LEAST_AGREEMENT)
    yield from table.ratio("1 fidelity", "agrees with target", None)
    yield from _controls(table)
    yield from _look(table)
    yield table.verdict(
        "3 no copy", "copied detail above an independent rendering's", table.values("copied detail"), None, MOST_COPIED
    )


def _controls(table: _Table) -> Iterator[Verdict]:
    """The score against masks that were not asked for, over the score against the one that was."""
    for how in CONTROLS:
        for score in ("clDice coronaries", "Dice chambers"):
            pairs = np.array([table.values(f"{score}, {how}"), table.values(score)]).T
            pairs = pairs[np.isfinite(pairs).all(1)]
            if not len(pairs):
                continue
            most = COLLAPSED if score.startswith("clDice") else None
            measured = bootstrap_of(pairs, ratio_of_means)
            note = f"score {pairs[:, 0].mean():.3g}"
            yield Verdict(
                "1 swapped mask", f"{score}, {how} / own mask", table.domain, table.row, None, most, measured, float("nan"), note
            )


def _look(table: _Table) -> Iterator[Verdict]:
    group = "2 look"
    name, apart = table.worst_part(_median_error, thin=False)
    yield table.verdict(group, "median HU, worst large part or unlabelled tissue", apart, None, LARGE_HU, name)
    name, floor = table.worst_part(_floor, thin=False)
    yield table.verdict(group, "the same between two true renderings", floor, note=name)
    name, shares = table.worst_part(_over_tolerance, thin=True)
    yield table.verdict(group, "median HU / tolerance, worst thin part", shares, None, 1.0, name)
    yield table.verdict(group, "noise amplitude / truth's", table.values("noise ratio"), 1 - NOISE_WITHIN, 1 + NOISE_WITHIN)
    bands = [
        score
        for score in (table.results[0].scores if table.results else {})
        if score.startswith("noise band ") and "per mm" in score
    ]
    for band in bands:
        yield table.verdict(group, f"{band} / truth's", table.values(band), 1 - BANDS_WITHIN, 1 + BANDS_WITHIN)
    yield table.verdict(group, "unlabelled Wasserstein HU", table.values("unlabelled Wasserstein HU"))
    yield from table.beats_renderer(group, "unlabelled Wasserstein HU")
    for place in ("labelled", "coronary lumen", "tube of 3 voxels", "unlabelled elsewhere"):
        yield table.verdict(group, f"clean RMSE HU, {place}", table.values(f"clean RMSE HU, {place}"))


def _real(table: _Table) -> Iterator[Verdict]:
    group = "4 real scan"
    if table.row == CEILING:
        yield table.verdict(group, "KID, octants against the others (floor)", table.values("KID patches"))
        yield table.verdict(group, "AUC, octants against the others (floor)", table.values("AUC patches"))
        return
    name, apart = table.worst_part(_median_error)
    yield table.verdict(group, "median HU, worst label", apart, None, REAL_HU, name)
    name, apart = table.worst_part(_spread_error)
    yield table.verdict(group, "IQR HU, worst label", apart, None, REAL_HU, name)
    name, apart = table.worst_part(lambda row: row["Wasserstein HU"])
    yield table.verdict(group, "Wasserstein HU, worst label", apart, note=name)
    name, ratios = table.worst_part(_edge_ratio)
    yield table.verdict(group, "gradient peak / real's, worst label", ratios, None, MOST_EDGE_RATIO, name)
    for score in ("KID patches", "AUC patches"):
        yield from table.beats_renderer(group, score)
    yield table.verdict(group, "unlabelled Wasserstein HU", table.values("unlabelled Wasserstein HU"))


def _tiled(tiles: Mapping[str, float]) -> Iterator[Verdict]:
    asked = {"tiles rms HU": (None, TILES_RMS_HU), "tiles seam ratio": (1 - SEAM_WITHIN, 1 + SEAM_WITHIN)}
    for score, (least, most) in asked.items():
        if score in tiles:
            value = float(tiles[score])
            yield Verdict("6 tiles", score, "one case", "structdiff", least, most, Interval(value, value, value, 1), float("nan"))


def _median_error(row: Mapping[str, float]) -> float:
    return abs(row["median HU"] - row["reference median HU"])


def _over_tolerance(row: Mapping[str, float]) -> float:
    return _median_error(row) / row["tolerance HU"]


def _floor(row: Mapping[str, float]) -> float:
    return row.get("floor HU", float("nan"))


def _spread_error(row: Mapping[str, float]) -> float:
    return abs(row["IQR HU"] - row["reference IQR HU"])


def _edge_ratio(row: Mapping[str, float]) -> float:
    if "edge distance mm" not in row:
        return float("nan")
    return row["edge distance mm"] / max(row["reference edge distance mm"], PEAK_RESOLUTION_MM)


def _share(values: Sequence[float], least: float | None, most: float | None) -> float:
    known = np.array([value for value in values if np.isfinite(value)])
    if not len(known) or (least is None and most is None):
        return float("nan")
    inside = (known >= (-np.inf if least is None else least)) & (known <= (np.inf if most is None else most))
    return float(inside.mean())
