"""Organs: chambers, muscle and great vessels regrown on a new grid, each whole by construction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, label

from StructDiffCore.domain import StructDiffError

from .contract import Roles
from .homotopy import Rules, grow, settle, smooth
from .warped_labels import Target

Bytes = NDArray[np.uint8]
RESERVED = 255
"""Voxels kept free for vessels while the organs grow."""
_TOUCH = np.ones((3, 3, 3), bool)


def regrown(target: Target, reserved: NDArray[np.bool_], roles: Roles, smoothing: int = 2) -> Bytes:
    """Labels (i + 4, j + 4, k + 4), two voxels of border around the target's grid, of the organs that the target asks for.

    A wall and the pool it holds grow as one body first; then the pool sinks into it from its opening. What growth refuses goes
    to a neighbour that may take it; then all surfaces are rounded.
    """
    voxels = np.where(np.pad(reserved, 2), np.uint8(RESERVED), np.uint8(0))
    wish = np.where(voxels == RESERVED, np.uint8(0), np.pad(target.label, 2))
    rank = np.pad(target.depth, 2)
    bodies = wish.copy()
    for wall, pool in roles.enclosed:
        bodies[bodies == pool] = wall
    rules = Rules.of(roles.enclosed)
    grow(voxels, bodies, rank, rules, {value: _deepest(bodies, rank, value) for value in np.unique(bodies) if value})
    for wall, pool in roles.enclosed:
        sunken = np.where((wish == pool) & (voxels == wall), wish, np.uint8(0))
        grow(voxels, sunken, rank, rules, {pool: _opening(voxels, wish, wall, pool)})
    settle(voxels, wish, rules)
    smooth(voxels, rules, smoothing, RESERVED)
    voxels[voxels == RESERVED] = 0
    return voxels


def _deepest(wish: Bytes, rank: Bytes, value: int) -> NDArray[np.int64]:
    """The most inner voxel that a label asks for."""
    here = np.flatnonzero(wish.ravel() == value)
    return here[[int(rank.ravel()[here].argmax())]]


def _opening(voxels: Bytes, wish: Bytes, wall: int, pool: int) -> NDArray[np.int64]:
    """Where a pool may enter its wall: voxels of its largest patch on the body's surface, the patch's middle first."""
    body = voxels == wall
    outside = binary_dilation(~body & (voxels != RESERVED), _TOUCH)
    patches, count = label(body & (wish == pool) & outside, _TOUCH)
    if count == 0:
        raise StructDiffError("a chamber has no opening in its wall", "give a mask whose valve plane is open")
    largest = int(np.bincount(patches.ravel())[1:].argmax()) + 1
    where = np.argwhere(patches == largest)
    order = ((where - where.mean(axis=0)) ** 2).sum(axis=1).argsort(kind="stable")
    return np.ravel_multi_index(tuple(where[order].T), voxels.shape).astype(np.int64)
