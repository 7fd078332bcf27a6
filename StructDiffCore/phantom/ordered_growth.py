"""Ordered growth: a structure filled voxel by voxel, nearest to its core first, through simple points only.

Started from one voxel, what grows is one piece without loop or cavity (26-connected), whatever the candidates look like.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.config.compiled import njit
from StructDiffCore.topology.simple_points import OFFSETS, is_simple, neighbourhood

Index = NDArray[np.int64]


def grown(candidates: NDArray[np.bool_], depth: NDArray[np.floating], seed: tuple[int, int, int]) -> NDArray[np.bool_]:
    """The part of ``candidates`` (i, j, k) that grows from ``seed``, the lowest ``depth`` (signed distance) first."""
    box = _box_around(candidates)
    order = np.argwhere(candidates[box])
    ranked = order[np.argsort(depth[box][tuple(order.T)], kind="stable")]
    rank = np.full(tuple(s.stop - s.start + 2 for s in box), -1, np.int64)
    rank[tuple(ranked.T + 1)] = np.arange(len(ranked))
    found = np.zeros(rank.shape, np.uint8)
    start = tuple(int(c) - s.start + 1 for c, s in zip(seed, box))
    _grow(found, rank, ranked + 1, *start)
    result = np.zeros(candidates.shape, bool)
    result[box] = found[1:-1, 1:-1, 1:-1]
    return result


def _box_around(candidates: NDArray[np.bool_]) -> tuple[slice, ...]:
    hits = [np.flatnonzero(candidates.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    return tuple(slice(int(hit[0]), int(hit[-1]) + 1) for hit in hits)


@njit(cache=True, nogil=True)
def _grow(found: NDArray[np.uint8], rank: Index, ranked: Index, i: int, j: int, k: int) -> None:
    """Grow in ``found`` from (i, j, k); a heap keeps the lowest rank in front, a refused voxel waits for a new neighbour."""
    heap = np.empty(len(ranked) + 1, np.int64)
    waiting = np.zeros(len(ranked), np.uint8)
    heap[0], size, first = rank[i, j, k], 1, True
    while size > 0:
        top, size = heap[0], size - 1
        _sift_down(heap, size)
        waiting[top] = 0
        i, j, k = ranked[top, 0], ranked[top, 1], ranked[top, 2]
        if not (first or is_simple(neighbourhood(found, i, j, k))):
            continue
        found[i, j, k], first = 1, False
        for b in range(26):
            other = rank[i + OFFSETS[b, 0], j + OFFSETS[b, 1], k + OFFSETS[b, 2]]
            if other < 0 or waiting[other] or found[i + OFFSETS[b, 0], j + OFFSETS[b, 1], k + OFFSETS[b, 2]]:
                continue
            _push(heap, size, other)
            waiting[other], size = 1, size + 1


@njit(cache=True)
def _push(heap: Index, size: int, value: int) -> None:
    at = size
    while at > 0 and heap[(at - 1) // 2] > value:
        heap[at] = heap[(at - 1) // 2]
        at = (at - 1) // 2
    heap[at] = value


@njit(cache=True)
def _sift_down(heap: Index, size: int) -> None:
    """Move the last of ``size + 1`` entries to the top and restore the order."""
    value, at = heap[size], 0
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = value
