"""Organs: chambers, muscle and great vessels regrown on a new grid, each whole by construction."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, find_objects, label

from StructDiffCore.domain import StructDiffError, Triple
from StructDiffCore.topology.betti import betti_numbers
from StructDiffCore.topology.growth import grow, grown_from
from StructDiffCore.topology.homotopy import Rules

from .contract import WHOLE, Roles
from .rounding import settle, smooth
from .slabs import THREADS
from .warped_labels import DEPTH_STEPS, Target

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Index = NDArray[np.int64]
Box = tuple[slice, slice, slice]
RESERVED = 255
"""Voxels kept free for vessels while the organs grow."""
CORE_VOXELS = (2.5, 5.0)
"""Deeper than this an organ is taken as it is, if that core is whole; else the next, else its deepest voxel alone."""
POOL_GAP = 2
"""A pool's core keeps this many voxels away from its wall."""
_TOUCH = np.ones((3, 3, 3), bool)


def regrown(target: Target, reserved: Mask, roles: Roles, spacing: Triple, smoothing: int = 2) -> Bytes:
    """Labels (i + 4, j + 4, k + 4), two voxels of border around the target's grid, of the organs that the target asks for.

    A wall and the pool it holds grow as one body first; then the pool sinks into it. What growth refuses goes to a neighbour
    that may take it; then all surfaces are rounded.
    """
    wish = np.pad(np.where(reserved, np.uint8(0), target.label), 2)
    voxels = np.pad(np.where(reserved, np.uint8(RESERVED), np.uint8(0)), 2)
    rank = np.pad(target.depth, 2)
    voxel_rank = DEPTH_STEPS * max(spacing)
    _grow_bodies(voxels, _merged(wish, roles), rank, voxel_rank)
    for wall, pool in roles.enclosed:
        _sink(voxels, wish, rank, wall, pool, voxel_rank)
    rules = Rules.of(roles.enclosed)
    settle(voxels, wish, rules)
    smooth(voxels, rules, smoothing, RESERVED)
    voxels[voxels == RESERVED] = 0
    return voxels


def _merged(wish: Bytes, roles: Roles) -> Bytes:
    """Pools given to their walls."""
    bodies = wish.copy()
    for wall, pool in roles.enclosed:
        bodies[bodies == pool] = wall
    return bodies


def _grow_bodies(voxels: Bytes, bodies: Bytes, rank: Bytes, voxel_rank: float) -> None:
    """Every body grown from its core, each in its own box; they never meet in one voxel, so several grow at once."""
    boxes = {value: box for value, box in enumerate(find_objects(bodies), start=1) if box is not None}

    def body(value: int) -> Mask:
        asked, deep = bodies[boxes[value]] == value, rank[boxes[value]]
        return grown_from(_core(asked, deep, voxel_rank), asked, np.uint8(255) - deep)

    largest_first = sorted(boxes, key=lambda value: -bodies[boxes[value]].size)
    with ThreadPoolExecutor(THREADS) as threads:
        for value, found in zip(largest_first, threads.map(body, largest_first)):
            voxels[boxes[value]][found] = value


def _core(asked: Mask, rank: Bytes, voxel_rank: float) -> Mask:
    """The inner part of what an organ asks for, checked to be whole."""
    for depth in CORE_VOXELS:
        core = _largest_piece(asked & (rank >= depth * voxel_rank))
        if betti_numbers(core) == WHOLE:
            return core
    core = np.zeros(asked.shape, bool)
    core[np.unravel_index(np.where(asked, rank.astype(np.int16), -1).argmax(), asked.shape)] = True
    return core


def _largest_piece(mask: Mask) -> Mask:
    pieces, count = label(mask, _TOUCH)
    return mask if count < 2 else pieces == int(np.bincount(pieces.ravel())[1:].argmax()) + 1


def _sink(voxels: Bytes, wish: Bytes, rank: Bytes, wall: int, pool: int, voxel_rank: float) -> None:
    """Turn the part of the wall's body that its pool asks for into the pool (in place); both stay whole."""
    box = _box_around(voxels == wall)
    part, asked = voxels[box].copy(), wish[box]
    body = part == wall
    sunken = (asked == pool) & body
    opening = _opening(part, sunken, body)
    core = _pool_core(body, sunken & (rank[box] >= CORE_VOXELS[0] * voxel_rank), opening)
    part[core] = pool
    seeds = {} if core.any() else {pool: np.ravel_multi_index(tuple(opening.T), part.shape)}
    grow(part, np.where(sunken, asked, np.uint8(0)), rank[box], Rules.of(), seeds)
    voxels[box] = part


def _pool_core(body: Mask, deep: Mask, opening: Index) -> Mask:
    """The part of a pool away from its wall, led to its opening; empty unless both it and what it leaves are whole."""
    core = _largest_piece(deep & ~binary_dilation(body & ~deep, _TOUCH, iterations=POOL_GAP))
    where = np.argwhere(core)
    if len(where):
        nearest = where[((where - opening[0]) ** 2).sum(axis=1).argmin()]
        steps = int(np.abs(nearest - opening[0]).max())
        core[tuple(np.rint(np.linspace(opening[0], nearest, steps + 1)).astype(int).T)] = True
    whole = betti_numbers(core) == WHOLE and betti_numbers(body & ~core) == WHOLE
    return core if whole else np.zeros_like(core)


def _opening(voxels: Bytes, sunken: Mask, body: Mask) -> Index:
    """Where a pool may enter its wall: voxels (n, 3) of its largest patch on the body's surface, the patch's middle first."""
    outside = binary_dilation(~body & (voxels != RESERVED), _TOUCH)
    patches, count = label(sunken & outside, _TOUCH)
    if count == 0:
        raise StructDiffError("a chamber has no opening in its wall", "give a mask whose valve plane is open")
    largest = int(np.bincount(patches.ravel())[1:].argmax()) + 1
    where = np.argwhere(patches == largest)
    return where[((where - where.mean(axis=0)) ** 2).sum(axis=1).argsort(kind="stable")]


def _box_around(mask: Mask) -> Box:
    """The box with one voxel of margin, inside the two-voxel border of the labels."""
    found = find_objects(mask.view(np.uint8))
    if not found:
        return (slice(0, 1),) * 3
    i, j, k = (slice(side.start - 1, side.stop + 1) for side in found[0])
    return i, j, k
