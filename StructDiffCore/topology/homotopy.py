"""Homotopy of a label map: a voxel may change its label only if it is simple for everything that gains or loses it.

With labels, groups of labels whose union is watched too, and pairs that must not touch. One place for the rule; growth,
settling and smoothing obey it, so what was one piece without loop or cavity stays so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.config.compiled import njit

from .simple_points import OFFSETS
from .simple_table import looked_up

VALUES = 256


@dataclass(frozen=True, eq=False)
class Rules:
    """What is watched while voxels change; label 0 is free."""

    member: NDArray[np.uint8]
    """(groups, 256): 1 where a label belongs to a group."""
    apart: NDArray[np.uint8]
    """(256, 256): 1 where two labels must not touch (26 neighbours)."""

    @classmethod
    def of(cls, groups: Sequence[Sequence[int]] = (), apart: Sequence[tuple[int, int]] = ()) -> Rules:
        member, table = np.zeros((len(groups), VALUES), np.uint8), np.zeros((VALUES, VALUES), np.uint8)
        for row, group in zip(member, groups):
            row[list(group)] = 1
        for a, b in apart:
            table[a, b] = table[b, a] = 1
        return cls(member, table)


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
    if new and not starts and (lone or not looked_up(table, bits_new)):
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
