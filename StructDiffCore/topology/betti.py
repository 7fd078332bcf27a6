"""Betti numbers of a structure on the grid: 26-connected object, 6-connected background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.config.compiled import njit

from .components import piece_count
from .runs import Runs, runs_of


@dataclass(frozen=True)
class Betti:
    """b0 pieces, b1 loops (tunnels), b2 cavities (enclosed holes)."""

    b0: int
    b1: int
    b2: int


def betti_numbers(structure: NDArray[np.bool_]) -> Betti:
    """Betti numbers of a boolean (i, j, k) array."""
    return betti_of_runs(runs_of(structure)) if structure.any() else Betti(0, 0, 0)


def betti_of_runs(runs: Runs) -> Betti:
    """b0 and b2 by counting components, b1 = b0 + b2 - chi with the Euler number chi of the union of closed voxels."""
    pieces = piece_count(runs, fully_connected=True)
    cavities = piece_count(runs.complement(), fully_connected=False) - 1
    return Betti(pieces, pieces + cavities - euler_number(runs), cavities)


def betti_by_faces(runs: Runs) -> Betti:
    """Betti numbers of the 6-connected structure in a 26-connected background.

    By Alexander duality from the background: where they differ from ``betti_of_runs`` a diagonal contact decides.
    """
    around = runs.complement()
    pieces = piece_count(runs, fully_connected=False)
    shells = piece_count(around, fully_connected=True)
    return Betti(pieces, shells + pieces - euler_number(around), shells - 1)


def euler_number(runs: Runs) -> int:
    """Euler number of the union of closed voxels.

    Over every open cell of the plane of rows lies a union of closed intervals of k, and chi adds up cell by cell: number of
    intervals over the faces (rows), minus over the edges (two rows), plus over the vertices (four rows).
    """
    return int(_euler(*runs.rows, runs.first, runs.start, runs.stop))


@njit(cache=True)
def _euler(ni, nj, first, start, stop):  # type: ignore[no-untyped-def]
    at, end = np.zeros(4, np.int64), np.zeros(4, np.int64)
    chi = len(start)
    for i in range(ni + 1):
        for j in range(nj + 1):
            filled = 0
            for corner in range(4):  # rows (i-1, j-1), (i-1, j), (i, j-1), (i, j)
                a, b = i - 1 + corner // 2, j - 1 + corner % 2
                inside = 0 <= a < ni and 0 <= b < nj
                at[corner] = first[a * nj + b] if inside else 0
                end[corner] = first[a * nj + b + 1] if inside else 0
                filled += end[corner] > at[corner]
            if filled == 0:
                continue
            chi += _intervals(at, end, 0, 1, 2, 3, start, stop)
            chi -= _intervals(at, end, 1, 3, -1, -1, start, stop)
            chi -= _intervals(at, end, 2, 3, -1, -1, start, stop)
    return chi


@njit(cache=True)
def _intervals(at, end, a, b, c, d, start, stop):  # type: ignore[no-untyped-def]
    """Number of closed intervals in the union of some rows' runs."""
    pa, pb = at[a], at[b]
    pc, pd = (at[c], at[d]) if c >= 0 else (0, 0)
    ea, eb = end[a], end[b]
    ec, ed = (end[c], end[d]) if c >= 0 else (0, 0)
    far = np.int64(1) << 40
    count, reach = 0, -far
    while True:
        sa = np.int64(start[pa]) if pa < ea else far
        sb = np.int64(start[pb]) if pb < eb else far
        sc = np.int64(start[pc]) if pc < ec else far
        sd = np.int64(start[pd]) if pd < ed else far
        nearest = min(min(sa, sb), min(sc, sd))
        if nearest == far:
            return count
        if nearest > reach:
            count += 1
        if sa == nearest:
            reach = max(reach, np.int64(stop[pa]))
            pa += 1
        elif sb == nearest:
            reach = max(reach, np.int64(stop[pb]))
            pb += 1
        elif sc == nearest:
            reach = max(reach, np.int64(stop[pc]))
            pc += 1
        else:
            reach = max(reach, np.int64(stop[pd]))
            pd += 1
