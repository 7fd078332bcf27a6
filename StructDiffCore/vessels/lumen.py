"""Lumen: the voxels of a vessel tree with the tree's own topology, one piece without a loop.

Thresholding a signed distance is not safe: where a branch leaves at an acute angle the grid closes small handles in the crotch.
So the lumen is grown from the root by simple points only: the centreline first, then by depth.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry
from StructDiffCore.topology.growth import plant, spread
from StructDiffCore.topology.homotopy import Rules

from .graph import VesselGraph
from .painting import paint_tree

OPEN_MM = 0.05
"""Below this radius a vessel is occluded: its centreline no longer holds the lumen together."""
SURELY_MM = 1e-3
"""Distance to which a voxel is corrected whose membership the topology decides."""


class Lumen(NamedTuple):
    """A painted tree that agrees with its own label."""

    mask: NDArray[np.bool_]
    """(i, j, k): 26-connected, one piece, no loop, no cavity."""
    distance_mm: NDArray[np.float32]
    """(i, j, k): negative exactly where the mask is, ``reach_mm`` beyond reach."""
    branch: NDArray[np.int16]
    """(i, j, k): nearest branch, -1 beyond reach."""


def paint_lumen(graph: VesselGraph, geometry: Geometry, reach_mm: float = 4.0) -> Lumen:
    """Paint a tree so that its label has the topology of a tree, whatever the grid.

    Voxels whose centres lie in the tubes enter when they are simple; centreline voxels enter also where the tube is thinner
    than the grid. Where the grid's border or an occlusion cuts the tree, every stretch is a piece of its own.
    """
    painted = paint_tree(graph, geometry, reach_mm)
    distance = painted.distance_mm
    spine, enters = _spine(graph, geometry)
    if len(spine) == 0:
        return Lumen(np.zeros(geometry.shape, bool), np.maximum(distance, SURELY_MM), painted.branch)
    inside = np.argwhere(distance < 0)
    deepest_first = inside[np.argsort(distance[tuple(inside.T)], kind="stable")]
    low, grown = _grown_in_box(np.concatenate([spine, deepest_first]), np.flatnonzero(enters))
    mask = np.zeros(geometry.shape, bool)
    mask[tuple(slice(first, first + n) for first, n in zip(low, grown.shape))] = grown
    distance[mask] = np.minimum(distance[mask], -SURELY_MM)
    distance[~mask] = np.maximum(distance[~mask], SURELY_MM)
    return Lumen(mask, distance, painted.branch)


def _spine(graph: VesselGraph, geometry: Geometry) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Voxels (n, 3) along the open centrelines in the grid, from the root outwards, and which of them (n,) begin a stretch."""
    chains, starts = [], []
    for branch in graph.branches:
        fine = branch.refined(0.45 * min(geometry.spacing))
        voxels = np.rint(geometry.to_index(fine.points_mm)).astype(np.int64)
        seen = np.all((voxels >= 0) & (voxels < geometry.shape), axis=1) & (fine.radii_mm >= OPEN_MM)
        before = np.concatenate([[branch.parent is not None], seen[:-1]])
        chains.append(voxels[seen])
        starts.append(~before[seen])
    return np.concatenate(chains), np.concatenate(starts)


def _grown_in_box(order: NDArray[np.int64], seeds: NDArray[np.int64]) -> tuple[list[int], NDArray[np.bool_]]:
    """First voxel of the box around voxels (n, 3), and the lumen grown in it from those numbered in ``seeds``."""
    low, high = order.min(axis=0), order.max(axis=0)
    structure = np.zeros(high - low + 3, np.uint8)
    flat = np.ravel_multi_index(tuple((order - low + 1).T), structure.shape)
    own_piece = Rules.of(groups=[(1,)])
    for seed in flat[seeds]:
        plant(structure, 1, np.array([seed]), own_piece)
    _, first = np.unique(flat, return_index=True)
    once = flat[np.sort(first)]
    spread(structure, once, np.ones(len(once), np.uint8), Rules.of())
    return low.tolist(), structure[1:-1, 1:-1, 1:-1].astype(bool)
