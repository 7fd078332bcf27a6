"""Scores beside a real scan: patches told apart or not, and edges where the mask has them."""

from __future__ import annotations

import numpy as np

from StructDiffCore.measures.gradient_peak import peak_distances
from StructDiffCore.measures.patches import Patches, patches
from StructDiffCore.measures.realism import cross_validated, kernel_distance

from .scores import Scan, Scores

PATCHES = 120
"""Most per tissue class."""


def realism_scores(made: Scan, real: Scan, itself: bool = False) -> Scores:
    """KID and classifier's AUC of 12 mm patches (14 named features, all tissue classes), and how far edges lie from the mask,
    over the real pair's own distance. ``itself``: the floor, every second octant of the real scan
    against the others.
    """
    spacing = np.asarray(real.image.geometry.spacing)
    theirs = patches(real.image.voxels, spacing, np.random.default_rng(1), PATCHES)
    if itself:
        half = np.bitwise_count(theirs.region) % 2 == 0
        ours, theirs = (Patches(theirs.features[h], theirs.kind[h], theirs.region[h]) for h in (half, ~half))
    else:
        ours = patches(made.image.voxels, np.asarray(made.image.geometry.spacing), np.random.default_rng(2), PATCHES)
    return {**_told_apart(ours, theirs), **_edges(made, real)}


def _told_apart(ours: Patches, theirs: Patches) -> Scores:
    """Mean over the tissue classes that both hold enough of."""
    areas, distances = {}, {}
    for kind in np.unique(theirs.kind):
        one, other = ours.kind == kind, theirs.kind == kind
        if min(one.sum(), other.sum()) < 20:
            continue
        features = np.concatenate([ours.features[one], theirs.features[other]])
        real = np.repeat([False, True], [one.sum(), other.sum()])
        region = np.concatenate([ours.region[one], theirs.region[other]])
        area = cross_validated(features, real, region).area
        areas[kind] = max(area, 1 - area)
        distances[kind] = kernel_distance(ours.features[one], theirs.features[other])
    scores = {f"AUC {kind}": area for kind, area in areas.items()}
    mean = {"AUC patches": _mean(list(areas.values())), "KID patches": _mean(list(distances.values()))}
    return {**mean, **scores}


def _edges(made: Scan, real: Scan) -> Scores:
    ours, theirs = (peak_distances(s.image.voxels, s.mask.voxels, s.image.geometry.spacing) for s in (made, real))
    shared = [v for v in ours if v in theirs]
    return {
        "edge distance mm": _mean([ours[v] for v in shared]),
        "edge distance / real": _mean([ours[v] / max(theirs[v], 0.125) for v in shared]),
    }


def _mean(numbers: list[float]) -> float:
    return float(np.mean(numbers)) if numbers else float("nan")
