"""LabelAugmentation: real masks are merged, incomplete and half a voxel off; training masks must be so too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from StructDiffCore.domain import CARDIAC, Geometry
from StructDiffCore.phantom.heart import Heart
from StructDiffCore.phantom.tissues import LABEL_OF_TISSUE
from StructDiffCore.vessels.graph import VesselGraph

CHAMBERS_AND_WALL = (1, 2, 3, 4, 5)
GREAT_VESSELS = (6, 7)
TREES = CARDIAC.thin_values
TREE_NAMES = {8: "left", 9: "right"}
KNOT_MM = 12.0


@dataclass(frozen=True)
class LabelAugmentation:
    """One draw, applied to template and target alike so that a label means the same thing in both."""

    merged: tuple[tuple[int, ...], ...] = ()
    """Groups of labels that become the group's first."""
    dropped: tuple[int, ...] = ()
    """Labels that become background."""
    shortest_kept_mm: float = 0.0
    """Terminal branches shorter than this are not labelled."""
    boundary_spread: float = 0.3
    """Largest shift of a boundary, in voxels."""

    @classmethod
    def draw(cls, share: float, rng: np.random.Generator, most_voxels: float = 0.35) -> LabelAugmentation:
        """With probability ``share`` some labels are merged, dropped or pruned; boundaries wander, by ``most_voxels`` at most."""
        merge, drop, prune = rng.random(3) < share * np.array([0.7, 0.4, 0.4])
        groups = (CHAMBERS_AND_WALL, GREAT_VESSELS, TREES)
        chosen = tuple(group for group in groups if merge and rng.random() < 0.5)
        dropped = tuple(int(v) for v in rng.choice(CARDIAC.values, rng.integers(1, 3), replace=False)) if drop else ()
        shortest = float(rng.uniform(8.0, 25.0)) if prune else 0.0
        return cls(chosen, dropped, shortest, float(rng.uniform(0.0, most_voxels)))

    def with_whole_heart(self) -> LabelAugmentation:
        """The same with chambers and muscle as one label: what lies inside must come from the template's image."""
        return replace(self, merged=(CHAMBERS_AND_WALL, *(g for g in self.merged if g != CHAMBERS_AND_WALL)))

    def apply(self, heart: Heart, rng: np.random.Generator) -> NDArray[np.uint8]:
        """The heart's label map (i, j, k) under this augmentation."""
        labels = wandering_labels(heart, self.boundary_spread, rng)
        if self.shortest_kept_mm:
            _prune(labels, heart.trees, heart.geometry, self.shortest_kept_mm)
        return self._table()[labels]

    def _table(self) -> NDArray[np.uint8]:
        table = np.arange(max(CARDIAC.values) + 1, dtype=np.uint8)
        for group in self.merged:
            table[list(group)] = group[0]
        table[list(self.dropped)] = 0
        return table


def wandering_labels(heart: Heart, spread: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Labels (i, j, k) whose boundary lies up to ``spread`` voxels off, smoothly varying in space.

    Of the two materials of a voxel the higher label wins where its share exceeds 0.5 + a smooth field in [-spread, spread].
    """
    first, second = LABEL_OF_TISSUE[heart.tissue], LABEL_OF_TISSUE[heart.second]
    share = heart.share.astype(np.float32) / 255
    share_of_higher = np.where(first >= second, share, 1 - share)
    threshold = 0.5 + spread * _smooth_field(heart.geometry, rng)
    return np.where(share_of_higher > threshold, np.maximum(first, second), np.minimum(first, second))


def _smooth_field(geometry: Geometry, rng: np.random.Generator) -> NDArray[np.float32]:
    """A field (i, j, k) in [-1, 1] that changes over about ``KNOT_MM``."""
    knots = [max(2, int(np.ceil(n * s / KNOT_MM))) for n, s in zip(geometry.shape, geometry.spacing)]
    coarse = rng.uniform(-1, 1, knots).astype(np.float32)
    field = ndimage.zoom(coarse, [n / k for n, k in zip(geometry.shape, knots)], order=1, mode="nearest", grid_mode=True)
    return field[tuple(slice(n) for n in geometry.shape)]


def _prune(labels: NDArray[np.uint8], trees: Mapping[str, VesselGraph], geometry: Geometry, shortest_mm: float) -> None:
    """Unlabel, in place, the voxels nearest to terminal branches shorter than ``shortest_mm``."""
    for value, name in TREE_NAMES.items():
        voxels = np.argwhere(labels == value)
        if name not in trees or not len(voxels):
            continue
        branches = trees[name].branches
        parents = {branch.parent for branch in branches}
        short = [
            n for n, b in enumerate(branches) if n not in parents and b.parent is not None and _length(b.points_mm) < shortest_mm
        ]
        points = np.concatenate([branch.points_mm for branch in branches])
        owner = np.repeat(np.arange(len(branches)), [len(branch.points_mm) for branch in branches])
        _, nearest = cKDTree(points).query(geometry.to_world(voxels))
        gone = voxels[np.isin(owner[nearest], short)]
        labels[tuple(gone.T)] = 0


def _length(points_mm: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(np.diff(points_mm, axis=0), axis=1).sum())
