"""Lumens: vessel labels grown from their centreline's root, true to the reference's lumen where a branch was kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from StructDiffCore.domain import Geometry
from StructDiffCore.topology.growth import ANYWHERE, AT_GROUP, grow
from StructDiffCore.topology.homotopy import Rules
from StructDiffCore.vessels.branch import Branch
from StructDiffCore.vessels.graph import VesselGraph
from StructDiffCore.vessels.painting import paint_tree

from .contract import Roles
from .reference import LUMEN_REACH_MM, LumenMap
from .warp import Warp
from .warped_labels import warped_values

Bytes = NDArray[np.uint8]
Index = NDArray[np.int64]
SAME_MM = 0.1
"""A branch whose course differs by less is the reference's own."""
FIRST_RANK = 255
GAP_MM = 8.0
"""An ostium may lie this far from the aorta's new wall; the root is led there."""


class LumenWish(NamedTuple):
    """Where one vessel wants to be, on the whole grid."""

    start: tuple[int, int, int]
    level_mm: NDArray[np.float32]
    """Signed distance on the box that begins at ``start``."""
    spine: Index
    """(n, 3) voxels of the grid along the centrelines, from the root outwards."""

    @property
    def box(self) -> tuple[slice, slice, slice]:
        i, j, k = (slice(a, a + n) for a, n in zip(self.start, self.level_mm.shape))
        return i, j, k

    def wanted(self) -> NDArray[np.bool_]:
        """Voxels of the box inside the lumen or on its centreline."""
        inside = self.level_mm < 0
        inside[tuple((self.spine - self.start).T)] = True
        return inside


@dataclass(frozen=True, eq=False)
class Course:
    """A tree before (as the warp left it) and after its edits."""

    before: VesselGraph
    after: VesselGraph
    lumen: LumenMap | None
    """The reference's lumen; None: the tree is painted from its radii alone (it comes from another heart)."""


def lumen_wish(course: Course, warp: Warp, geometry: Geometry) -> LumenWish:
    """Signed distance to the lumen: the reference's own, moved by the change of radius, and tubes where the course is new."""
    start, shape = _box(course, geometry)
    around = geometry.cropped(start, shape)
    level = np.full(shape, LUMEN_REACH_MM, np.float32)
    kept = {branch.name: _kept_until(course, branch) for branch in course.after.branches}
    if course.lumen is not None:
        _carry(level, course, kept, warp, around)
    for branch in course.after.branches:
        if kept[branch.name] < branch.length_mm - SAME_MM or course.lumen is None:
            fresh = _stretch(branch, kept[branch.name] if course.lumen is not None else 0.0)
            np.minimum(level, paint_tree(VesselGraph((fresh,)), around, 1.5).distance_mm, out=level)
    return LumenWish(start, level, spine_of(course.after, geometry))


def _box(course: Course, geometry: Geometry) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    index = geometry.to_index(np.concatenate([branch.points_mm for branch in course.after.branches]))
    thick = max(float(branch.radii_mm.max()) for branch in course.after.branches) + 2.0
    margin = thick / np.asarray(geometry.spacing)
    low = np.clip(np.floor(index.min(axis=0) - margin), 0, np.asarray(geometry.shape) - 1).astype(int)
    high = np.clip(np.ceil(index.max(axis=0) + margin) + 1, low + 1, geometry.shape).astype(int)
    return tuple(low.tolist()), tuple((high - low).tolist())


def _kept_until(course: Course, branch: Branch) -> float:
    """How far (mm) a branch follows its own course of before; 0 for a new one."""
    if branch.name not in course.before.names:
        return 0.0
    old = course.before.branch(branch.name)
    along = np.arange(0, min(branch.length_mm, old.length_mm) + 1e-6, 0.5)
    gap = np.linalg.norm(branch.point_at(along) - old.point_at(along), axis=1)
    return float(along[-1] + 0.5) if not (gap > SAME_MM).any() else float(max(0.0, along[int((gap > SAME_MM).argmax())] - 0.5))


def _carry(level: NDArray[np.float32], course: Course, kept: Mapping[str, float], warp: Warp, around: Geometry) -> None:
    """Lower the level to the reference's lumen, changed by how much the radius changed at the nearest centreline point."""
    assert course.lumen is not None
    painted = paint_tree(course.before, around, 1.5)
    near = np.argwhere(painted.capsule >= 0)
    owner, along, old_radius = painted.at(near)
    carried = warped_values(course.lumen.distance_mm, course.lumen.geometry, warp, around)[tuple(near.T)] * warp.size
    found = np.full(len(near), LUMEN_REACH_MM)
    for number, old in enumerate(course.before.branches):
        if kept.get(old.name, 0.0) <= 0:
            continue
        mine = (owner == number) & (along <= kept[old.name])
        change = course.after.branch(old.name).radius_at(along[mine]) - old_radius[mine]
        found[mine] = carried[mine] - change
    level[tuple(near.T)] = found


def _stretch(branch: Branch, first_mm: float) -> Branch:
    """The part of a branch from a distance on, as a root of its own."""
    along = branch.arclength_mm
    first = min(max(0.0, first_mm - 0.5), 0.98 * branch.length_mm)
    at = np.concatenate([[first], along[along > first + 1e-6]])
    return replace(branch, points_mm=branch.point_at(at), radii_mm=branch.radius_at(at), parent=None)


def spine_of(graph: VesselGraph, geometry: Geometry) -> Index:
    """Voxels (n, 3) of the grid along all centrelines, parents before children, no voxel twice."""
    chains = [
        np.rint(geometry.to_index(branch.refined(0.45 * min(geometry.spacing)).points_mm)).astype(np.int64)
        for branch in graph.branches
    ]
    voxels = np.concatenate(chains)
    voxels = voxels[np.all((voxels >= 0) & (voxels < geometry.shape), axis=1)]
    _, first = np.unique(voxels, axis=0, return_index=True)
    return voxels[np.sort(first)]


def grow_lumens(voxels: Bytes, wishes: Mapping[int, LumenWish], roles: Roles, geometry: Geometry) -> None:
    """Grow every vessel into the padded labels (two voxels of border; in place), from its ostium, by simple points only."""
    rules = Rules.of(roles.groups, roles.apart)
    inner = voxels[2:-2, 2:-2, 2:-2]
    for value, wish in wishes.items():
        spine = wish.spine
        trunk = roles.trunk_of.get(value)
        if trunk is not None:
            spine = _rooted(inner == trunk, spine, geometry)
        if len(spine) == 0:
            continue
        start, stop = np.array(wish.start), np.array(wish.start) + wish.level_mm.shape
        low, high = np.minimum(start, spine.min(axis=0)), np.maximum(stop, spine.max(axis=0) + 1)
        box = tuple(slice(int(a) + 1, int(b) + 3) for a, b in zip(low, high))  # one voxel around wish and spine
        part, wanted, rank = voxels[box], np.zeros(voxels[box].shape, np.uint8), np.zeros(voxels[box].shape, np.uint8)
        core = tuple(slice(int(a), int(b)) for a, b in zip(start - low + 1, stop - low + 1))
        wanted[core][wish.level_mm < 0] = value
        rank[core] = np.clip(120 - 60 * wish.level_mm, 1, FIRST_RANK - 5)
        at = spine - low + 1
        wanted[tuple(at.T)], rank[tuple(at.T)] = value, FIRST_RANK
        if trunk is not None:
            wanted[part == trunk] = 0
        block = np.ascontiguousarray(part)
        grow(block, wanted, rank, rules, {value: _seeds(block, wanted, at, trunk)}, ANYWHERE if trunk is None else AT_GROUP)
        voxels[box] = block


def _seeds(labels: Bytes, wanted: Bytes, spine: Index, trunk: int | None) -> Index:
    """Flat indices where the vessel may begin: its first voxel, then wanted voxels on the trunk's wall, the nearest first."""
    first = np.ravel_multi_index(tuple(spine[:4].T), wanted.shape)
    if trunk is None:
        return first
    wall = np.argwhere((wanted != 0) & binary_dilation(labels == trunk, np.ones((3, 3, 3), bool)))
    inner = wall[np.all((wall >= 1) & (wall < np.array(wanted.shape) - 1), axis=1)]
    order = ((inner - spine[0]) ** 2).sum(axis=1).argsort(kind="stable")
    return np.concatenate([first, np.ravel_multi_index(tuple(inner[order].T), wanted.shape)])


def _rooted(trunk: NDArray[np.bool_], spine: Index, geometry: Geometry) -> Index:
    """The spine from where it leaves the trunk, led to the trunk's wall where it begins outside."""
    inside = trunk[tuple(spine.T)]
    near_root = np.linalg.norm((spine - spine[0]) * np.asarray(geometry.spacing), axis=1) < 15.0
    last = np.flatnonzero(inside & near_root)
    if len(last):
        spine = spine[last[-1] + 1 :]
        spine = spine[~trunk[tuple(spine.T)]]
        if len(spine) == 0:
            return spine
    return np.concatenate([_lead(trunk, spine[0], geometry), spine])


def _lead(trunk: NDArray[np.bool_], first: Index, geometry: Geometry) -> Index:
    """Voxels from the trunk's wall to a spine's first voxel (both ends left out), none where they touch."""
    reach = np.ceil(GAP_MM / np.asarray(geometry.spacing)).astype(int) + 1
    low = np.maximum(first - reach, 0)
    part = trunk[tuple(slice(a, b) for a, b in zip(low, first + reach + 1))]
    if not part.any():
        return np.empty((0, 3), np.int64)
    where = np.argwhere(part) + low
    nearest = where[(((where - first) * np.asarray(geometry.spacing)) ** 2).sum(axis=1).argmin()]
    steps = int(np.abs(nearest - first).max())
    line = np.rint(nearest + np.linspace(0, 1, steps + 1)[:, None] * (first - nearest)).astype(np.int64)
    return line[1:-1]
