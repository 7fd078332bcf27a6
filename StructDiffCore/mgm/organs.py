"""Organs: chambers, muscle and great vessels regrown on a new grid, each whole by construction."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, find_objects, label

from StructDiffCore.domain import StructDiffError, Triple
from StructDiffCore.topology.betti import Betti, betti_numbers
from StructDiffCore.topology.growth import grow, grown_from
from StructDiffCore.topology.homotopy import Rules

from .contract import WHOLE, Contract, Roles
from .rounding import settle, smooth
from .slabs import THREADS
from .warped_labels import DEPTH_STEPS, Target

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Index = NDArray[np.int64]
Box = tuple[slice, slice, slice]
RESERVED = 255
"""Voxels kept free for vessels while the organs grow."""
CORE_VOXELS = (2.5, 5.0, 1.5, 1.0)
"""Deeper than this an organ is taken as it is, if that core has its topology; else the next, else its deepest voxel alone."""
POOL_GAP = 2
"""A pool's core keeps this many voxels away from its wall."""
MOST_OPENINGS = 4
SOFTER = "use a weaker warp or a finer spacing, or mend the reference"
_TOUCH = np.ones((3, 3, 3), bool)


def regrown(target: Target, reserved: Mask, contract: Contract, roles: Roles, spacing: Triple, smoothing: int = 2) -> Bytes:
    """Labels (i + 4, j + 4, k + 4), two voxels of border around the target's grid, of the organs that the target asks for.

    A wall and the pool it holds grow as one body first; then the pool sinks into it. What growth refuses goes to a neighbour
    that may take it; then all surfaces are rounded. Raises StructDiffError where no core has an organ's tunnels and shells.
    """
    wish = np.pad(np.where(reserved, np.uint8(0), target.label), 2)
    voxels = np.pad(np.where(reserved, np.uint8(RESERVED), np.uint8(0)), 2)
    rank = np.pad(target.depth, 2)
    voxel_rank = DEPTH_STEPS * max(spacing)
    _grow_bodies(voxels, _merged(wish, roles), rank, voxel_rank, _of_bodies(contract, roles))
    for wall, pool in roles.enclosed:
        _sink(voxels, wish, rank, (wall, pool), voxel_rank, contract)
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


def _of_bodies(contract: Contract, roles: Roles) -> dict[int, Betti]:
    """What each body has to be; a wall's is that of wall and pool together."""
    return dict(contract.labels) | {wall: contract.groups[wall, pool] for wall, pool in roles.enclosed}


def _grow_bodies(voxels: Bytes, bodies: Bytes, rank: Bytes, voxel_rank: float, wanted: Mapping[int, Betti]) -> None:
    """Every body grown from its core, each in its own box; they never meet in one voxel, so several grow at once."""
    boxes = {value: box for value, box in enumerate(find_objects(bodies), start=1) if box is not None}

    def body(value: int) -> Mask:
        asked, deep = bodies[boxes[value]] == value, rank[boxes[value]]
        return grown_from(_core(asked, deep, voxel_rank, wanted[value]), asked, np.uint8(255) - deep)

    largest_first = sorted(boxes, key=lambda value: -bodies[boxes[value]].size)
    with ThreadPoolExecutor(THREADS) as threads:
        for value, found in zip(largest_first, threads.map(body, largest_first)):
            voxels[boxes[value]][found] = value


def _core(asked: Mask, rank: Bytes, voxel_rank: float, wanted: Betti) -> Mask:
    """The inner part of what an organ asks for, checked to have its topology."""
    for depth in CORE_VOXELS:
        core = _largest_piece(asked & (rank >= depth * voxel_rank))
        if betti_numbers(core) == wanted:
            return core
    if wanted != WHOLE:
        raise StructDiffError(f"no part of the warped mask has an organ's {wanted.b1} tunnels and {wanted.b2} shells", SOFTER)
    core = np.zeros(asked.shape, bool)
    core[np.unravel_index(np.where(asked, rank.astype(np.int16), -1).argmax(), asked.shape)] = True
    return core


def _largest_piece(mask: Mask) -> Mask:
    pieces, count = label(mask, _TOUCH)
    return mask if count < 2 else pieces == int(np.bincount(pieces.ravel())[1:].argmax()) + 1


def _sink(voxels: Bytes, wish: Bytes, rank: Bytes, pair: tuple[int, int], voxel_rank: float, contract: Contract) -> None:
    """Turn the part of the wall's body that its pool asks for into the pool (in place); both keep their topology."""
    wall, pool = pair
    box = _box_around(voxels == wall)
    part, asked = voxels[box].copy(), wish[box]
    body = part == wall
    sunken = (asked == pool) & body
    whole = contract.labels[wall] == contract.labels[pool] == WHOLE
    openings = _openings(part, sunken, body)[: 1 if whole else 1 + contract.labels[wall].b1]
    core = _pool_core(body, sunken & (rank[box] >= CORE_VOXELS[0] * voxel_rank), openings)
    holds = betti_numbers(core) == contract.labels[pool] and betti_numbers(body & ~core) == contract.labels[wall]
    if not (holds or whole):
        raise StructDiffError(f"the pool cannot be opened in {len(openings)} places of its wall", SOFTER)
    part[core & holds] = pool
    seeds = {} if holds else {pool: np.ravel_multi_index(tuple(openings[0].T), part.shape)}
    grow(part, np.where(sunken, asked, np.uint8(0)), rank[box], Rules.of(), seeds)
    voxels[box] = part


def _pool_core(body: Mask, deep: Mask, openings: list[Index]) -> Mask:
    """The part of a pool away from its wall, led to its openings by a line each."""
    core = _largest_piece(deep & ~binary_dilation(body & ~deep, _TOUCH, iterations=POOL_GAP))
    where = np.argwhere(core)
    for opening in openings if len(where) else []:
        nearest = where[((where - opening[0]) ** 2).sum(axis=1).argmin()]
        core[tuple(_line(opening[0], nearest).T)] = True
    return core


def _line(start: Index, stop: Index) -> Index:
    """Voxels (n, 3) from ``start`` to ``stop``, each sharing a face with the next: what it cuts through is open."""
    steps = int(np.abs(stop - start).max())
    line = np.rint(np.linspace(start, stop, steps + 1)).astype(int)
    here, ahead = line[:-1], line[1:]
    corners = [np.column_stack([ahead[:, :axis], here[:, axis:]]) for axis in range(3)]
    return np.concatenate([*corners, line[-1:]])


def _openings(voxels: Bytes, sunken: Mask, body: Mask) -> list[Index]:
    """Where a pool may enter its wall: voxels (n, 3) of its patches on the body's surface, the largest patch first.

    Of each patch its middle comes first.
    """
    outside = binary_dilation(~body & (voxels != RESERVED))
    patches, count = label(sunken & outside, _TOUCH)
    if count == 0:
        raise StructDiffError("a chamber has no opening in its wall", "give a mask whose valve plane is open")
    found = [np.argwhere(patches == n) for n in 1 + np.argsort(-np.bincount(patches.ravel())[1:], kind="stable")[:MOST_OPENINGS]]
    return [where[((where - where.mean(axis=0)) ** 2).sum(axis=1).argsort(kind="stable")] for where in found]


def _box_around(mask: Mask) -> Box:
    """The box with one voxel of margin, inside the two-voxel border of the labels."""
    found = find_objects(mask.view(np.uint8))
    if not found:
        return (slice(0, 1),) * 3
    i, j, k = (slice(side.start - 1, side.stop + 1) for side in found[0])
    return i, j, k
