"""Homotopy of a label map: a voxel may change its label only if it is simple for everything that gains or loses it.

With labels, groups of labels whose union is watched too, and pairs that must not touch. One place for the rule; growth and
smoothing both obey it, so what was one piece without loop or cavity stays so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.config.compiled import njit
from StructDiffCore.topology.simple_points import OFFSETS
from StructDiffCore.topology.simple_table import looked_up, simple_table

Bytes = NDArray[np.uint8]
VALUES = 256


@dataclass(frozen=True, eq=False)
class Rules:
    """What is watched while voxels change; label 0 is free."""

    member: Bytes
    """(groups, 256): 1 where a label belongs to a group."""
    apart: Bytes
    """(256, 256): 1 where two labels must not touch (26 neighbours)."""

    @classmethod
    def of(cls, groups: Sequence[Sequence[int]] = (), apart: Sequence[tuple[int, int]] = ()) -> Rules:
        member, table = np.zeros((len(groups), VALUES), np.uint8), np.zeros((VALUES, VALUES), np.uint8)
        for row, group in zip(member, groups):
            row[list(group)] = 1
        for a, b in apart:
            table[a, b] = table[b, a] = 1
        return cls(member, table)


def grow(
    voxels: Bytes, wish: Bytes, rank: Bytes, rules: Rules, seeds: Mapping[int, NDArray[np.int64]], rooted: bool = False
) -> int:
    """Let labels spread over ``voxels`` (i, j, k; changed in place; one voxel of border kept) wherever ``wish`` asks for them.

    Voxels of higher ``rank`` first; each enters if it may. A label with nothing on the map yet starts at one of its ``seeds``:
    flat indices in order of preference; ``rooted``: only where it touches its group. Returns how many voxels were changed.
    """
    first, order = _flattened(seeds)
    return int(_grow(voxels, wish, rank, simple_table(), rules.member, rules.apart, first, order, 2 if rooted else 1))


def settle(voxels: Bytes, wish: Bytes, rules: Rules, passes: int = 3, barred: Sequence[int] = ()) -> int:
    """Give voxels that growth refused to another touching label that may take them (in place); returns how many.

    Labels in ``barred`` take none.
    """
    waiting = np.flatnonzero((wish.ravel() != 0) & (voxels.ravel() == 0))
    closed = np.zeros(VALUES, np.uint8)
    closed[[0, VALUES - 1, *barred]] = 1
    return sum(int(_settle(voxels, waiting, simple_table(), rules.member, rules.apart, closed)) for _ in range(passes))


def smooth(voxels: Bytes, rules: Rules, passes: int = 2, fixed: int = VALUES - 1) -> int:
    """Round the surfaces of all labels (in place; two voxels of border kept): each voxel of a border turns to what surrounds it.

    A turn is taken only if the voxel may; voxels of label ``fixed`` stay. Returns how many turned.
    """
    weights, steps = _bell(voxels.shape)
    return sum(
        int(_smooth(voxels, simple_table(), rules.member, rules.apart, weights, steps, fixed, bool(n % 2))) for n in range(passes)
    )


def _bell(shape: tuple[int, ...], sigma: float = 1.2) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Gaussian weights and flat steps of the 5x5x5 neighbourhood."""
    offsets = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    weights = np.exp(-0.5 * (offsets**2).sum(axis=1) / sigma**2).astype(np.float32)
    return weights, (offsets @ np.array([shape[1] * shape[2], shape[2], 1])).astype(np.int64)


def _flattened(seeds: Mapping[int, NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows (label, start, stop) and all seed indices in one array."""
    rows, at = [], 0
    for value, indices in seeds.items():
        rows.append((value, at, at + len(indices)))
        at += len(indices)
    order = np.concatenate([np.asarray(indices, np.int64) for indices in seeds.values()]) if rows else np.empty(0, np.int64)
    return np.array(rows, np.int64).reshape(-1, 3), order


@njit(cache=True, nogil=True)
def may_turn(voxels, flat, steps, table, old, new, member, apart, starts):  # type: ignore[no-untyped-def]
    """Whether voxel ``flat`` may turn from ``old`` to ``new``; ``starts``: the new label has no voxel yet and may
    begin anywhere (1) or only where it touches its group (2); else 0."""
    bits_old, bits_new, lone = np.uint32(0), np.uint32(0), True
    for b in range(26):
        value = voxels[flat + steps[b]]
        if value == old:
            bits_old |= np.uint32(1) << np.uint32(b)
        elif value == new:
            bits_new |= np.uint32(1) << np.uint32(b)
            lone = False
        if apart[new, value]:
            return False
    if new and not starts and lone:
        return False
    if new and not starts and not looked_up(table, bits_new):
        return False
    if old and not looked_up(table, bits_old):
        return False
    for g in range(member.shape[0]):
        if member[g, old] == member[g, new]:
            continue
        bits = np.uint32(0)
        for b in range(26):
            if member[g, voxels[flat + steps[b]]]:
                bits |= np.uint32(1) << np.uint32(b)
        if not looked_up(table, bits) and not (starts == 1 and bits == 0):
            return False
    return True


@njit(cache=True)
def steps_of(shape):  # type: ignore[no-untyped-def]
    """Flat index steps (26,) to the neighbours."""
    steps = np.empty(26, np.int64)
    for b in range(26):
        steps[b] = (OFFSETS[b, 0] * shape[1] + OFFSETS[b, 1]) * shape[2] + OFFSETS[b, 2]
    return steps


@njit(cache=True, nogil=True)
def _grow(structure, wish_map, rank_map, table, member, apart, first, order, start):  # type: ignore[no-untyped-def]
    voxels, wish, rank = structure.ravel(), wish_map.ravel(), rank_map.ravel()
    steps = steps_of(structure.shape)
    room = max(1024, len(voxels) // 8)
    where, onward = np.empty(room, np.int64), np.empty(room, np.int64)
    heads = np.full(256, -1, np.int64)
    queued = np.zeros(len(voxels), np.uint8)
    free, used, top, changed = np.int64(-1), np.int64(0), 0, 0
    changed += _plant(voxels, steps, table, member, apart, first, order, start)
    for flat in range(len(voxels)):  # the frontier of what is there
        value = wish[flat]
        if value == 0 or voxels[flat] == value:
            continue
        for b in range(26):
            if voxels[flat + steps[b]] == value:
                if used == room:
                    where, onward, room = _wider(where, onward)
                where[used], onward[used] = flat, heads[rank[flat]]
                heads[rank[flat]] = used
                used += 1
                queued[flat] = 1
                top = max(top, int(rank[flat]))
                break
    while top >= 0:
        node = heads[top]
        if node < 0:
            top -= 1
            continue
        flat = where[node]
        heads[top] = onward[node]
        onward[node], free = free, node
        queued[flat] = 0
        value = wish[flat]
        if not may_turn(voxels, flat, steps, table, voxels[flat], value, member, apart, 0):
            continue
        voxels[flat] = value
        changed += 1
        for b in range(26):
            other = flat + steps[b]
            if wish[other] != value or voxels[other] == value or queued[other]:
                continue
            if free >= 0:
                node, free = free, onward[free]
            else:
                if used == room:
                    where, onward, room = _wider(where, onward)
                node = used
                used += 1
            level = int(rank[other])
            where[node], onward[node] = other, heads[level]
            heads[level] = node
            queued[other] = 1
            top = max(top, level)
    return changed


@njit(cache=True, nogil=True)
def _plant(voxels, steps, table, member, apart, first, order, start):  # type: ignore[no-untyped-def]
    """Each label's first voxel: the earliest of its candidates that may turn; how many labels found one."""
    planted = 0
    for s in range(first.shape[0]):
        value = np.uint8(first[s, 0])
        for n in range(first[s, 1], first[s, 2]):
            flat = order[n]
            if voxels[flat] != value and not may_turn(voxels, flat, steps, table, voxels[flat], value, member, apart, start):
                continue
            voxels[flat] = value
            planted += 1
            break
    return planted


@njit(cache=True)
def _wider(where, onward):  # type: ignore[no-untyped-def]
    """The queue's arrays at twice their room."""
    room = 2 * len(where)
    more, after = np.empty(room, np.int64), np.empty(room, np.int64)
    more[: len(where)], after[: len(where)] = where, onward
    return more, after, room


@njit(cache=True, nogil=True)
def _settle(structure, waiting, table, member, apart, closed):  # type: ignore[no-untyped-def]
    voxels, steps, changed = structure.ravel(), steps_of(structure.shape), 0
    for flat in waiting:
        if voxels[flat]:
            continue
        for b in range(26):
            value = voxels[flat + steps[b]]
            if not closed[value] and may_turn(voxels, flat, steps, table, np.uint8(0), value, member, apart, 0):
                voxels[flat] = value
                changed += 1
                break
    return changed


@njit(cache=True, nogil=True)
def _smooth(structure, table, member, apart, weights, bell, fixed, backwards):  # type: ignore[no-untyped-def]
    voxels, steps, changed = structure.ravel(), steps_of(structure.shape), 0
    ni, nj, nk = structure.shape
    votes = np.zeros(256, np.float32)
    for n in range(2, ni - 2):
        i = ni - 1 - n if backwards else n
        for j in range(2, nj - 2):
            for k in range(2, nk - 2):
                flat = (i * nj + j) * nk + k
                here = voxels[flat]
                if here == fixed or (
                    voxels[flat + 1] == here
                    and voxels[flat - 1] == here
                    and voxels[flat + nk] == here
                    and voxels[flat - nk] == here
                    and voxels[flat + nj * nk] == here
                    and voxels[flat - nj * nk] == here
                ):
                    continue
                best, most = here, np.float32(0)
                for m in range(len(bell)):
                    value = voxels[flat + bell[m]]
                    if value != fixed:
                        votes[value] += weights[m]
                for m in range(len(bell)):
                    value = voxels[flat + bell[m]]
                    if votes[value] > most:
                        best, most = value, votes[value]
                    votes[value] = 0
                if best == here or not may_turn(voxels, flat, steps, table, here, best, member, apart, 0):
                    continue
                voxels[flat] = best
                changed += 1
    return changed
