"""Ranges: what human hearts and coronaries measure, with whose numbers; Resources/Docs/MGM.md tells which were looked up."""

from __future__ import annotations

from dataclasses import dataclass

FUCHS = "Fuchs 2016 (CT, 569 healthy, 97.5th percentiles per m2, taken at 2.4 m2)"
DODGE = "Dodge 1992 (angiography), mean -/+ 3 SD, women 9 % less"


@dataclass(frozen=True)
class Range:
    """Plausible values; ``source`` says whose."""

    low: float
    high: float
    source: str

    def opened(self, own: float, low_share: float = 0.8, high_share: float = 1.25) -> Range:
        """The range, opened as far as a reference's own value lies outside of it."""
        return Range(min(self.low, low_share * own), max(self.high, high_share * own), self.source)


VOLUMES_ML: dict[str, Range] = {
    "left ventricle": Range(22, 240, f"low: end-systole of women, Kawel-Boehm 2015, mean - 2 SD; high: {FUCHS}"),
    "right ventricle": Range(25, 290, f"low: as the left ventricle [our judgement]; high: {FUCHS}"),
    "left atrium": Range(20, 180, f"low: [our judgement]; high: {FUCHS}, widened for atrial disease [our judgement]"),
    "right atrium": Range(25, 205, f"low: [our judgement]; high: {FUCHS}"),
    "myocardium": Range(
        40,
        260,
        f"low: women's mass, Kawel-Boehm 2015, mean - 2 SD, widened; high: {FUCHS}, widened for hypertrophy [our judgement]",
    ),
    "left coronary tree": Range(
        0.3, 7.0, "[our judgement], around both trees' 2.2 ml and 137 g (FAST-TRACK CABG) and 25 mm3/g (ADVANCE)"
    ),
    "right coronary tree": Range(0.15, 6.0, "[our judgement], as the left tree"),
}
"""Blood pools in ml. The great vessels are cut by every field of view and have no range."""

RATIO_TO_REFERENCE = Range(0.5, 2.0, "[our judgement]")
"""How a structure's volume may change against its own reference."""

ANATOMY: dict[str, Range] = {
    "right ventricle / left ventricle": Range(0.5, 1.8, "[our judgement], ratio of Fuchs' percentiles 1.23"),
    "left atrium / left ventricle": Range(0.25, 1.8, "[our judgement]"),
    "right atrium / left atrium": Range(0.5, 2.0, "[our judgement], ratio of Fuchs' percentiles 1.3 to 1.4"),
    "myocardium / left ventricle": Range(0.35, 3.0, "[our judgement]"),
    "coronary lumen per muscle in mm3/g": Range(8, 60, "medians 16.1 to 24.8 (FAST-TRACK CABG, NXT, ADVANCE), widened"),
    "left coronary tree: proximal diameter in mm": Range(2.1, 6.9, f"{DODGE}; high: 5.4 + 2 x 0.75 (CT, 201 healthy, 2018)"),
    "right coronary tree: proximal diameter in mm": Range(1.2, 5.9, f"{DODGE}, left-dominant low, right-dominant high"),
    "left coronary tree: ostium above the annulus in mm": Range(5.0, 28.0, "Stolzmann 2009: 8.2 to 25.9, widened by 3 mm"),
    "right coronary tree: ostium above the annulus in mm": Range(4.0, 28.0, "Stolzmann 2009: 7.3 to 26.0, widened by 3 mm"),
    "myocardium: thinnest wall in mm": Range(2.0, 14.0, "[our judgement], thinnest segment on average 4.5 (women, Hindso 2017)"),
    "myocardium: median wall in mm": Range(3.5, 16.0, "Hindso 2017: 5.4 women, 6.6 men; 11.7 / 13.1 upper limits; widened"),
}
"""Measures of ``anatomy`` by name."""

ON_THE_EPICARDIUM = 0.97
"""Share of a coronary's course (or 3 % less than its reference's) that stays on the epicardium."""


def volume_range(name: str, reference_ml: float) -> Range:
    """The human range of a structure, opened as far as its reference lies outside; the ratio to the reference holds always."""
    low, high = RATIO_TO_REFERENCE.low * reference_ml, RATIO_TO_REFERENCE.high * reference_ml
    human = VOLUMES_ML.get(name.lower())
    if human is None:
        return Range(low, high, RATIO_TO_REFERENCE.source)
    wide = human.opened(reference_ml)
    return Range(max(low, wide.low), min(high, wide.high), human.source)


def measure_range(name: str, reference: float | None) -> Range | None:
    """The range of a measure of ``anatomy``, opened as far as its reference lies outside; None where nothing is known."""
    if name.endswith("on the epicardium"):
        low = ON_THE_EPICARDIUM if reference is None else min(ON_THE_EPICARDIUM, reference - 0.03)
        return Range(low, 1.0, "[our judgement]")
    human = ANATOMY.get(name)
    return human if human is None or reference is None else human.opened(reference)
