"""Growth: structures that spread over a grid voxel by voxel, the best voxel first, through simple points only.

What is grown from one voxel, or from a core without loop or cavity, has none either (26-connected), whatever is asked for:
the only place where the core grows anything. A refused voxel waits until one of its neighbours changes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.config.compiled import njit

from .homotopy import Rules, may_turn, steps_of
from .rank_queue import empty_queue, pop, push
from .simple_table import simple_table

Bytes = NDArray[np.uint8]
Index = NDArray[np.int64]
ANYWHERE, AT_GROUP = 1, 2
"""Where a label without any voxel may begin: anywhere, or only where it touches its group."""


def grown(candidates: NDArray[np.bool_], depth: NDArray[np.generic], seed: tuple[int, int, int]) -> NDArray[np.bool_]:
    """The part of ``candidates`` (i, j, k) that grows from ``seed``, the lowest ``depth`` (e.g. signed distance) first."""
    core = np.zeros(candidates.shape, bool)
    core[seed] = True
    return grown_from(core, candidates, depth)


def grown_from(core: NDArray[np.bool_], candidates: NDArray[np.bool_], depth: NDArray[np.generic]) -> NDArray[np.bool_]:
    """``core`` (i, j, k) and the part of ``candidates`` that grows from it, the lowest ``depth`` first."""
    box = _box_around(candidates | core)
    voxels, wish, last = (np.pad(array[box], 1) for array in (core.view(np.uint8), candidates, depth))
    where = np.flatnonzero(wish.ravel() > voxels.ravel())
    order = np.argsort(last.ravel()[where], kind="stable")
    spread(voxels, where[order], np.ones(len(where), np.uint8), Rules.of())
    result = np.zeros(candidates.shape, bool)
    result[box] = voxels[1:-1, 1:-1, 1:-1].view(bool)
    return result


def grow(voxels: Bytes, wish: Bytes, rank: Bytes, rules: Rules, seeds: Mapping[int, Index], begin: int = ANYWHERE) -> int:
    """Let labels spread over ``voxels`` (i, j, k; changed in place; one voxel of border kept) wherever ``wish`` asks for them.

    Voxels of higher ``rank`` first; each enters if it may. A label with nothing on the map yet starts at one of its ``seeds``:
    flat indices in order of preference, the first that may ``begin``. Returns how many voxels were changed.
    """
    planted = sum(plant(voxels, value, indices, rules, begin) for value, indices in seeds.items())
    where = np.flatnonzero((wish.ravel() != 0) & (wish.ravel() != voxels.ravel()))
    order = where[np.argsort(np.uint8(255) - rank.ravel()[where], kind="stable")]
    return planted + spread(voxels, order, wish.ravel()[order], rules)


def plant(voxels: Bytes, value: int, indices: Index, rules: Rules, begin: int = ANYWHERE) -> int:
    """Give a label its first voxel: the earliest of the flat ``indices`` that may turn (in place). 1 if one was found, else 0."""
    args = (simple_table(), rules.member, rules.apart)
    return int(_plant(voxels, np.uint8(value), np.asarray(indices, np.int64), *args, begin))


def spread(voxels: Bytes, order: Index, values: Bytes, rules: Rules) -> int:
    """Turn voxels ``order`` (n,), flat and the best first, to ``values`` (n,) where the label is next door and they may.

    ``voxels`` is changed in place and keeps its border of one voxel. Returns how many were turned.
    """
    rank = np.full(voxels.size, -1, np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return int(_spread(voxels, rank, order, values, simple_table(), rules.member, rules.apart))


def _box_around(candidates: NDArray[np.bool_]) -> tuple[slice, ...]:
    hits = [np.flatnonzero(candidates.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    return tuple(slice(int(hit[0]), int(hit[-1]) + 1) for hit in hits)


@njit(cache=True, nogil=True)
def _spread(structure, rank, order, values, table, member, apart):  # type: ignore[no-untyped-def]
    voxels, steps, changed = structure.ravel(), steps_of(structure.shape), 0
    words, first = empty_queue(len(order))
    for n in range(len(order)):
        for b in range(26):
            if voxels[order[n] + steps[b]] == values[n]:
                push(words, first, n)
                break
    while True:
        n = pop(words, first)
        if n < 0:
            return changed
        flat, value = order[n], values[n]
        old = voxels[flat]
        if old == value or not may_turn(voxels, flat, steps, table, old, value, member, apart, 0):
            continue
        voxels[flat] = value
        changed += 1
        for b in range(26):
            other = rank[flat + steps[b]]
            if other >= 0 and values[other] == value and voxels[flat + steps[b]] != value:
                push(words, first, other)


@njit(cache=True, nogil=True)
def _plant(structure, value, indices, table, member, apart, begin):  # type: ignore[no-untyped-def]
    voxels, steps = structure.ravel(), steps_of(structure.shape)
    for flat in indices:
        if voxels[flat] == value or may_turn(voxels, flat, steps, table, voxels[flat], value, member, apart, begin):
            voxels[flat] = value
            return 1
    return 0
