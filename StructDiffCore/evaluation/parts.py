"""Parts: the regions whose HU are compared. Thin labels are cut by vessel radius, all others are taken whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from StructDiffCore.domain import Geometry, LabelMap
from StructDiffCore.vessels.graph import VesselGraph

WIDE_MM = 1.5
"""Radius above which a vessel is held to the same tolerance as large tissue."""
FEWEST_VOXELS = 30
"""Smaller parts have no median worth comparing."""
OFFSET = 1000
"""Value of a label's thin part above the label's own."""


@dataclass(frozen=True, eq=False)
class Parts:
    """A label map (i, j, k) of parts, 0 = none, with the parts' names."""

    voxels: NDArray[np.int32]
    names: Mapping[int, str]
    thin: frozenset[str]
    """Names of the parts held to the tolerance of thin vessels."""

    @classmethod
    def of(cls, mask: LabelMap, trees: Iterable[VesselGraph] = ()) -> Parts:
        """Parts of a mask; without centrelines a thin label is one thin part."""
        voxels = mask.voxels.astype(np.int32)
        labels = {value: mask.scheme[value].name for value in mask.present}
        thin = [value for value in labels if value in mask.scheme.thin_values]
        index = np.argwhere(np.isin(voxels, thin))
        narrow = index[_radius_mm(index, mask.geometry, trees) <= WIDE_MM]
        voxels[tuple(narrow.T)] += OFFSET
        counts = dict(zip(*np.unique(voxels, return_counts=True)))
        small = [value for value, count in counts.items() if count < FEWEST_VOXELS]
        voxels[np.isin(voxels, small)] = 0
        names = {int(v): _name(int(v), labels, thin) for v in counts if v and v not in small}
        return cls(voxels, names, frozenset(name for value, name in names.items() if value >= OFFSET))


def _name(value: int, labels: Mapping[int, str], thin: Iterable[int]) -> str:
    if value >= OFFSET:
        return f"{labels[value - OFFSET]}, radius up to {WIDE_MM} mm"
    return f"{labels[value]}, radius above {WIDE_MM} mm" if value in thin else labels[value]


def _radius_mm(index: NDArray, geometry: Geometry, trees: Iterable[VesselGraph]) -> NDArray[np.float64]:
    """Radius (n,) of the nearest centreline point of voxels (n, 3); 0 without centrelines."""
    branches = [branch.resampled() for tree in trees for branch in tree.branches]
    if not branches or not len(index):
        return np.zeros(len(index))
    points = np.concatenate([branch.points_mm for branch in branches])
    radii = np.concatenate([branch.radii_mm for branch in branches])
    _, nearest = cKDTree(points).query(geometry.to_world(index))
    return radii[nearest]
