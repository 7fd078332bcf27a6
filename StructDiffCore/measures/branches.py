"""Branch recall: which branches of a reference tree are found in another, by name and radius."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from StructDiffCore.topology.centreline_graph import CentrelineGraph, Segment

Floats = NDArray[np.float64]

FOUND_SHARE = 0.8
"""A branch is found if this share of its centreline is."""
RADIUS_CLASSES_MM = ((0.0, 0.75), (0.75, 1.25), (1.25, float("inf")))
SAMPLED_MM = 0.25


@dataclass(frozen=True)
class BranchRecall:
    """One segment of the reference."""

    name: str
    length_mm: float
    radius_mm: float
    covered: float
    """Share of its centreline with a found centreline within its radius (at least ``tolerance_mm``)."""
    radius_error_mm: float | None
    """Mean |difference| of the radii there; None where nothing is covered."""

    @property
    def found(self) -> bool:
        return self.covered >= FOUND_SHARE


def branch_recall(reference: CentrelineGraph, found: CentrelineGraph, tolerance_mm: float) -> list[BranchRecall]:
    """Every segment of the reference against the centrelines found."""
    points, radii = _sampled(found.segments)
    tree = cKDTree(points) if len(points) else None
    return [_recall(segment, tree, radii, tolerance_mm) for segment in reference.segments]


def recall_summary(branches: Sequence[BranchRecall]) -> dict[str, Any]:
    """JSON form: number found of all, the same per radius class, and every branch."""
    classes = {}
    for low, high in RADIUS_CLASSES_MM:
        inside = [branch for branch in branches if low <= branch.radius_mm < high]
        if inside:
            name = f"{low:g}-{high:g} mm" if np.isfinite(high) else f"over {low:g} mm"
            classes[name] = [sum(branch.found for branch in inside), len(inside)]
    told = [{**asdict(branch), "found": branch.found} for branch in branches]
    return {"found": sum(branch.found for branch in branches), "of": len(branches), "by_radius": classes, "branches": told}


def _recall(segment: Segment, tree: cKDTree | None, radii: Floats, tolerance_mm: float) -> BranchRecall:
    points, wanted = _sampled([segment])
    known = (segment.name, round(segment.length_mm, 3), round(segment.mean_radius_mm, 3))
    if tree is None:
        return BranchRecall(*known, 0.0, None)
    away, nearest = tree.query(points)
    near = away <= np.maximum(wanted, tolerance_mm)
    error = float(np.abs(radii[nearest] - wanted)[near].mean()) if near.any() else None
    return BranchRecall(*known, float(near.mean()), error)


def _sampled(segments: Sequence[Segment]) -> tuple[Floats, Floats]:
    """Points (n, 3) and radii (n,) at equal steps along all segments."""
    points, radii = [np.empty((0, 3))], [np.empty(0)]
    for segment in segments:
        along = segment.arclength_mm
        at = np.linspace(0, along[-1], max(2, int(along[-1] / SAMPLED_MM) + 1))
        points.append(np.stack([np.interp(at, along, segment.points_mm[:, axis]) for axis in range(3)], axis=1))
        radii.append(np.interp(at, along, segment.radii_mm))
    return np.concatenate(points), np.concatenate(radii)
