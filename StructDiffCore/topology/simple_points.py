"""Simple points: voxels whose flip leaves the homotopy of object (26) and background (6) unchanged.

Characterisation by Bertrand and Malandain (1994): exactly one 26-component of object neighbours, and exactly one 6-component
of background within the 18-neighbourhood that touches the voxel by a face.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.config.compiled import njit

OFFSETS = np.array([offset for offset in product((-1, 0, 1), repeat=3) if offset != (0, 0, 0)], np.int64)
"""The 26 neighbours; bit b of a neighbourhood is the voxel at OFFSETS[b]."""


def _bits(chosen: NDArray[np.bool_]) -> np.uint32:
    return np.uint32(sum(1 << int(b) for b in np.flatnonzero(chosen)))


_STEPS = np.abs(OFFSETS).sum(1)
_APART = OFFSETS[:, None] - OFFSETS[None]
FACES = _bits(_STEPS == 1)
N18 = _bits(_STEPS <= 2)
ADJACENT_26 = np.array([_bits(np.abs(row).max(1) == 1) for row in _APART])
ADJACENT_6 = np.array([_bits((np.abs(row).sum(1) == 1) & (_STEPS <= 2)) for row in _APART])


@njit(cache=True, inline="always")
def neighbourhood(structure: NDArray[np.uint8], i: int, j: int, k: int) -> np.uint32:
    """The 26 neighbours of a voxel as bits; the voxel must not lie on the array's border."""
    bits = np.uint32(0)
    for b in range(26):
        if structure[i + OFFSETS[b, 0], j + OFFSETS[b, 1], k + OFFSETS[b, 2]]:
            bits |= np.uint32(1) << np.uint32(b)
    return bits


@njit(cache=True)
def reached(start: np.uint32, allowed: np.uint32, adjacent: NDArray[np.uint32]) -> np.uint32:
    """All allowed neighbours connected to the ones in ``start``."""
    seen = start
    frontier = start
    while frontier:
        grown = np.uint32(0)
        for b in range(26):
            if frontier >> np.uint32(b) & np.uint32(1):
                grown |= adjacent[b]
        frontier = grown & allowed & ~seen
        seen |= frontier
    return seen


@njit(cache=True)
def is_simple(bits: np.uint32) -> bool:
    """Whether the voxel with these object neighbours is simple (26-connected object, 6-connected background)."""
    lowest = bits & (~bits + np.uint32(1))
    if bits == 0 or reached(lowest, bits, ADJACENT_26) != bits:
        return False
    background = ~bits & N18
    faces = background & FACES
    if faces == 0:
        return False
    return (faces & ~reached(faces & (~faces + np.uint32(1)), background, ADJACENT_6)) == 0
