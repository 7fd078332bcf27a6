"""Diversity: how far new masks lie from each other and from their references, in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import LabelMap
from StructDiffCore.measures.overlap import dice
from StructDiffCore.vessels.graph import VesselGraph
from StructDiffCore.vessels.polyline import tangents

from .reference import Reference

if TYPE_CHECKING:
    from .generate import NewMask

MOST_PAIRS = 60


def diversity(references: Sequence[Reference], made: Sequence[NewMask]) -> dict[str, Any]:
    """Volumes, radii, lengths, branch angles and pairwise Dice of the new masks beside those of the references."""
    return {
        "references": _measured([(reference.mask, reference.trees) for reference in references]),
        "new": _measured([(mask.mask, mask.trees) for mask in made]),
        "displacement_mm": _spread([mask.displacement_mm for mask in made]),
    }


def _measured(hearts: Sequence[tuple[LabelMap, Mapping[int, VesselGraph]]]) -> dict[str, Any]:
    branches = [branch for _, trees in hearts for tree in trees.values() for branch in tree.branches]
    return {
        "count": len(hearts),
        "volume_ml": {name: _spread(values) for name, values in _volumes(hearts).items()},
        "branches": _spread([sum(len(tree.branches) for tree in trees.values()) for _, trees in hearts]),
        "branch_length_mm": _spread([branch.length_mm for branch in branches]),
        "branch_radius_mm": _spread([float(branch.radii_mm.mean()) for branch in branches]),
        "branch_angle_deg": _spread([angle for _, trees in hearts for tree in trees.values() for angle in angles(tree)]),
        "pairwise_dice": _pairwise(hearts),
    }


def _volumes(hearts: Sequence[tuple[LabelMap, Mapping[int, VesselGraph]]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for mask, _ in hearts:
        counts = np.bincount(mask.voxels.ravel())
        for value in mask.present:
            ml = float(counts[value]) * mask.geometry.voxel_volume_mm3 / 1000
            found.setdefault(mask.scheme[value].name, []).append(ml)
    return found


def angles(tree: VesselGraph) -> list[float]:
    """Angle in degrees between every child and its parent at the take-off."""
    found = []
    for index, branch in enumerate(tree.branches):
        if branch.parent is None:
            continue
        parent = tree.parent_of(index)
        at = int(np.abs(parent.arclength_mm - tree.attachments_mm[index]).argmin())
        away = branch.point_at(min(5.0, branch.length_mm)) - branch.points_mm[0]
        cosine = float(tangents(parent.points_mm)[at] @ away / max(float(np.linalg.norm(away)), 1e-9))
        found.append(float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))))
    return found


def _pairwise(hearts: Sequence[tuple[LabelMap, Mapping[int, VesselGraph]]]) -> dict[str, Any]:
    """Dice of pairs on one grid: organs in place, vessels with their boxes' centres laid on each other."""
    organs, vessels = [], []
    for (one, trees), (other, _) in list(combinations(hearts, 2))[:MOST_PAIRS]:
        if not one.geometry.same_as(other.geometry):
            continue
        for value in set(one.present) & set(other.present):
            a, b = one.voxels == value, other.voxels == value
            if value in trees:
                vessels.append(dice(*_in_own_frame(a, b)))
            else:
                organs.append(dice(a, b))
    return {"organs": _spread(organs), "vessels in their own frame": _spread(vessels)}


def _in_own_frame(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Two masks moved so that their centres of mass coincide, on the box that holds both."""
    a, b = np.argwhere(one), np.argwhere(other)
    a, b = a - np.rint(a.mean(axis=0)).astype(int), b - np.rint(b.mean(axis=0)).astype(int)
    low = np.minimum(a.min(axis=0), b.min(axis=0))
    shape = np.maximum(a.max(axis=0), b.max(axis=0)) - low + 1
    found = []
    for index in (a, b):
        mask = np.zeros(shape, bool)
        mask[tuple((index - low).T)] = True
        found.append(mask)
    return found[0], found[1]


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    numbers = np.asarray(values, float)
    names = ("low", "p25", "median", "p75", "high")
    found = {name: round(float(v), 4) for name, v in zip(names, np.percentile(numbers, (0, 25, 50, 75, 100)))}
    return {**found, "mean": round(float(numbers.mean()), 4)}
