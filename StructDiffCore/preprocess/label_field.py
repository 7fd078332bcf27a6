"""LabelField: the shared labels of one mask as signed distance maps on a coarse grid, ready to be sampled anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, map_coordinates

from StructDiffCore.domain import Geometry, LabelMap

MARGIN_MM = 15.0
FINEST_MM = 1.0
MOST_VOXELS = 300_000
"""Decides the coarse spacing: about 2 mm for a heart."""


@dataclass(frozen=True, eq=False)
class LabelField:
    """Groups of labels, each with its signed distance (mm, negative inside) on one coarse grid.

    Where the field of view cuts a label, the label is continued beyond it, so that the cut is no surface.
    """

    geometry: Geometry
    distances: Mapping[int, NDArray[np.float32]]
    """Group -> signed distance (i, j, k)."""
    view: Geometry
    """The grid of the mask itself."""

    def distance(self, group: int, world: NDArray[np.float64]) -> NDArray[np.float64]:
        """Signed distance in mm at world positions (n, 3); grows on outside the coarse grid."""
        index = self.geometry.to_index(world)
        inside = np.clip(index, 0, np.asarray(self.geometry.shape) - 1)
        beyond = np.linalg.norm((index - inside) * self.geometry.spacing, axis=1)
        return map_coordinates(self.distances[group], inside.T, order=1, mode="nearest", output=np.float64) + beyond

    def in_view(self, world: NDArray[np.float64], margin_mm: float = 0.0) -> NDArray[np.bool_]:
        """Which world positions (n, 3) lie in the mask's field of view, at least a margin from its faces."""
        index = self.view.to_index(world)
        margin = margin_mm / np.asarray(self.view.spacing) - 0.5
        return np.all((index >= margin) & (index <= np.asarray(self.view.shape) - 1 - margin), axis=1)

    def surface_points(self, group: int, count: int) -> NDArray[np.float64]:
        """Up to ``count`` world positions (n, 3) evenly picked near a group's surface, none where the field of view cuts it."""
        step = self.geometry.spacing[0]
        near = np.argwhere(np.abs(self.distances[group]) <= step)
        world = self.geometry.to_world(near)
        world = world[self.in_view(world, margin_mm=1.5 * step)]
        return world[np.unique(np.linspace(0, len(world) - 1, min(count, len(world))).astype(int))] if len(world) else world

    def inside_points(self, group: int) -> NDArray[np.float64]:
        """World positions (n, 3) of the group's coarse voxels in the field of view."""
        world = self.geometry.to_world(np.argwhere(self.distances[group] < 0))
        return world[self.in_view(world)]


def label_field(label_map: LabelMap, groups: Mapping[int, tuple[int, ...]]) -> LabelField:
    """The field of ``groups`` (group -> its label values in the mask)."""
    table = np.zeros(int(label_map.voxels.max()) + 1, np.int32)
    for group, values in groups.items():
        table[list(values)] = group
    start, stop = _box(label_map, table)
    indices, grid = _coarse_grid(label_map.geometry, start, stop)
    coarse = table[label_map.voxels[np.ix_(*indices)]]
    distances = {group: _signed_distance(coarse == group, grid.spacing[0]) for group in groups}
    return LabelField(grid, distances, label_map.geometry)


def _box(label_map: LabelMap, table: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last index of the voxels of any group."""
    lowest, highest = np.zeros(3, np.int64), np.zeros(3, np.int64)
    wanted = (table > 0)[label_map.voxels]
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        filled = np.flatnonzero(wanted.any(axis=others))
        lowest[axis], highest[axis] = filled[0], filled[-1]
    return lowest, highest


def _coarse_grid(
    geometry: Geometry, start: NDArray[np.int64], stop: NDArray[np.int64]
) -> tuple[tuple[NDArray[np.int64], ...], Geometry]:
    """Per axis the nearest fine index of every coarse voxel (the edge repeated beyond it), and the coarse grid."""
    spacing = np.asarray(geometry.spacing)
    extent = (stop - start) * spacing + 2 * MARGIN_MM
    step = max(FINEST_MM, float(np.prod(extent) / MOST_VOXELS) ** (1 / 3))
    counts = np.maximum(2, np.ceil(extent / step).astype(int) + 1)
    first = start - MARGIN_MM / spacing
    indices = tuple(
        np.clip(np.rint(first[a] + np.arange(counts[a]) * step / spacing[a]), 0, geometry.shape[a] - 1).astype(np.int64)
        for a in range(3)
    )
    shape = (int(counts[0]), int(counts[1]), int(counts[2]))
    return indices, Geometry(shape, (step, step, step), tuple(geometry.to_world(first)), geometry.direction)


def _signed_distance(inside: NDArray[np.bool_], step: float) -> NDArray[np.float32]:
    """Distance to the boundary between voxels: half a voxel less than to the next voxel's centre."""
    if inside.all() or not inside.any():
        return np.full(inside.shape, step if not inside.any() else -step, np.float32)
    outward = distance_transform_edt(~inside) - 0.5
    inward = distance_transform_edt(inside) - 0.5
    return np.where(inside, -inward, outward).astype(np.float32) * np.float32(step)
