"""Scores beside a real scan: patches told apart or not, and edges where the mask has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from StructDiffCore.measures.patches import Patches
from StructDiffCore.measures.realism import area_under_curve, cross_validated, kernel_distance, kernel_distances_without

from .look import Look
from .scores import PEAK_RESOLUTION_MM, Scores

OCTANTS = 8
FEWEST_PATCHES = 20
Octants = dict[str, list[float]]
"""Score -> its value with each octant of the field left out in turn."""


def realism_scores(made: Look, real: Look) -> tuple[Scores, Octants]:
    """KID and classifier's AUC of 12 mm patches (14 named features, all tissue classes) and how far edges lie from the mask, over
    the real pair's own distance; KID and AUC also without each octant (the classifier is not trained again for that).

    The real scan beside itself is the floor: every second octant against the others.
    """
    ours, theirs = made.patches, real.patches
    if made is real:
        half = np.bitwise_count(theirs.region) % 2 == 0
        ours, theirs = (Patches(theirs.features[h], theirs.kind[h], theirs.region[h]) for h in (half, ~half))
    told = {str(kind): found for kind in np.unique(theirs.kind) if (found := _told_apart(ours, theirs, kind)) is not None}
    areas, distances = ({kind: getattr(found, name) for kind, found in told.items()} for name in ("area", "distance"))
    scores = {"AUC patches": _mean(list(areas.values())), "KID patches": _mean(list(distances.values()))}
    each = {f"AUC {kind}": area for kind, area in areas.items()}
    return {**scores, **each, **_edges(made, real)}, _without_octants(list(told.values()))


@dataclass(frozen=True, eq=False)
class _Told:
    """One tissue class: how well made and real patches are told apart, with all octants and without each."""

    area: float
    distance: float
    areas: list[float]
    distances: list[float]


def _told_apart(ours: Patches, theirs: Patches, kind: str) -> _Told | None:
    """None where either holds too few patches of the class."""
    one, other = ours.kind == kind, theirs.kind == kind
    if min(one.sum(), other.sum()) < FEWEST_PATCHES:
        return None
    made, true = ours.features[one], theirs.features[other]
    real = np.repeat([False, True], [len(made), len(true)])
    region = np.concatenate([ours.region[one], theirs.region[other]])
    verdict = cross_validated(np.concatenate([made, true]), real, region)
    areas = [_area(verdict.scores[region != r], real[region != r]) for r in range(OCTANTS)]
    distances = kernel_distances_without(made, true, ours.region[one], theirs.region[other], OCTANTS)
    return _Told(max(verdict.area, 1 - verdict.area), kernel_distance(made, true), areas, distances.tolist())


def _area(scores: np.ndarray, real: np.ndarray) -> float:
    if real.all() or not real.any():
        return float("nan")
    area = area_under_curve(scores, real)
    return max(area, 1 - area)


def _without_octants(told: list[_Told]) -> Octants:
    """Mean over the classes, a class that an octant held alone taken with all octants."""
    if not told:
        return {}
    found = {"AUC patches": ("area", "areas"), "KID patches": ("distance", "distances")}
    means = {}
    for score, (whole, without) in found.items():
        values = np.array([getattr(t, without) for t in told])
        kept = np.array([getattr(t, whole) for t in told])[:, None]
        means[score] = np.where(np.isfinite(values), values, kept).mean(0).tolist()
    return means


def _edges(made: Look, real: Look) -> Scores:
    ours, theirs = made.peaks_mm, real.peaks_mm
    shared = [v for v in ours if v in theirs]
    return {
        "edge distance mm": _mean([ours[v] for v in shared]),
        "edge distance / real": _mean([ours[v] / max(theirs[v], PEAK_RESOLUTION_MM) for v in shared]),
    }


def _mean(numbers: list[float]) -> float:
    return float(np.mean(numbers)) if numbers else float("nan")
