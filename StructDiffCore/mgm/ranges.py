"""Ranges: how large human heart chambers and coronaries are, by label name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """Plausible values; ``source`` says whose."""

    low: float
    high: float
    source: str


VOLUMES_ML: dict[str, Range] = {
    "left ventricle": Range(25, 260, "CMR reference ranges (Petersen 2017), systole of women to diastole of men, widened"),
    "right ventricle": Range(30, 290, "CMR reference ranges (Petersen 2017), widened likewise"),
    "left atrium": Range(20, 180, "CMR reference ranges (Petersen 2017), widened for atrial disease [our judgement]"),
    "right atrium": Range(25, 200, "CMR reference ranges (Petersen 2017), widened for atrial disease [our judgement]"),
    "myocardium": Range(40, 260, "CMR left-ventricular mass (Petersen 2017) over 1.05 g/ml, widened for hypertrophy"),
    "left coronary tree": Range(0.4, 7.0, "coronary CT lumen volumes, both trees 1-6 ml [our judgement]"),
    "right coronary tree": Range(0.2, 6.0, "coronary CT lumen volumes [our judgement]"),
}
"""Blood pools in ml. The great vessels are cut by every field of view and have no range."""

RATIO_TO_REFERENCE = Range(0.5, 2.0, "[our judgement]")
"""How a structure's volume may change against its own reference."""


def volume_range(name: str, reference_ml: float) -> Range:
    """The human range of a structure, opened as far as its reference lies outside; the ratio to the reference holds always."""
    low, high = RATIO_TO_REFERENCE.low * reference_ml, RATIO_TO_REFERENCE.high * reference_ml
    human = VOLUMES_ML.get(name.lower())
    if human is None:
        return Range(low, high, RATIO_TO_REFERENCE.source)
    low = max(low, min(human.low, 0.8 * reference_ml))
    high = min(high, max(human.high, 1.25 * reference_ml))
    return Range(low, high, human.source)
