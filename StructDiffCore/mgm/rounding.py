"""Rounding: what growth left over goes to a label that may take it, and the staircase goes; the homotopy rule is kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.config.compiled import njit
from StructDiffCore.topology.homotopy import VALUES, Rules, may_turn, steps_of
from StructDiffCore.topology.simple_table import simple_table

from .slabs import in_slabs

Bytes = NDArray[np.uint8]


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
    return sum(_smoothed_once(voxels, rules, fixed, backwards=bool(number % 2)) for number in range(passes))


def _smoothed_once(voxels: Bytes, rules: Rules, fixed: int, backwards: bool) -> int:
    weights, steps = _bell(voxels.shape)
    votes = np.zeros_like(voxels)  # label + 1; 0 where a voxel is content
    in_slabs(lambda start, stop: _vote(voxels, votes, weights, steps, fixed, start, stop), 2, len(voxels) - 2)
    where = np.flatnonzero(votes)[:: -1 if backwards else 1]
    return int(_turn(voxels, votes, where, simple_table(), rules.member, rules.apart))


def _bell(shape: tuple[int, ...], sigma: float = 1.2) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Gaussian weights and flat steps of the 5x5x5 neighbourhood."""
    offsets = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    weights = np.exp(-0.5 * (offsets**2).sum(axis=1) / sigma**2).astype(np.float32)
    return weights, (offsets @ np.array([shape[1] * shape[2], shape[2], 1])).astype(np.int64)


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
def _vote(structure, votes, weights, bell, fixed, start, stop):  # type: ignore[no-untyped-def]
    """What most of its surroundings are, for every border voxel that is something else; ``start`` <= i < ``stop``."""
    voxels, found = structure.ravel(), votes.ravel()
    _, nj, nk = structure.shape
    count, seen = np.zeros(256, np.float32), np.empty(256, np.uint8)
    for i in range(start, stop):
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
                kinds = 0
                for m in range(len(bell)):
                    value = voxels[flat + bell[m]]
                    if count[value] == 0:
                        seen[kinds] = value
                        kinds += 1
                    count[value] += weights[m]
                best, most = here, np.float32(0)
                for m in range(kinds):
                    if seen[m] != fixed and count[seen[m]] > most:
                        best, most = seen[m], count[seen[m]]
                    count[seen[m]] = 0
                if best != here:
                    found[flat] = best + 1


@njit(cache=True, nogil=True)
def _turn(structure, votes, where, table, member, apart):  # type: ignore[no-untyped-def]
    voxels, wish, steps, changed = structure.ravel(), votes.ravel(), steps_of(structure.shape), 0
    for flat in where:
        old, new = voxels[flat], np.uint8(wish[flat] - 1)
        if may_turn(voxels, flat, steps, table, old, new, member, apart, 0):
            voxels[flat] = new
            changed += 1
    return changed
