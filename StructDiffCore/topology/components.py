"""Connected pieces of a structure given by runs: how many, how large, where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.config.compiled import njit

from .runs import Runs


@dataclass(frozen=True, eq=False)
class Pieces:
    """All connected pieces of a structure, numbered from 0 in the order of their first voxel."""

    of_run: NDArray[np.int64]
    """(runs,): piece of every run."""
    voxels: NDArray[np.int64]
    """(pieces,): size of every piece."""
    centre: NDArray[np.float64]
    """(pieces, 3): mean voxel index."""
    low: NDArray[np.int64]
    """(pieces, 3): first voxel of the bounding box."""
    high: NDArray[np.int64]
    """(pieces, 3): last voxel of the bounding box."""
    a_voxel: NDArray[np.int64]
    """(pieces, 3): the piece's first voxel, certainly inside it."""

    def __len__(self) -> int:
        return len(self.voxels)

    def moved(self, corner: NDArray[np.int64]) -> Pieces:
        """The same pieces of a box that begins at voxel ``corner`` (3,) of the volume."""
        boxes = (self.low + corner, self.high + corner, self.a_voxel + corner)
        return Pieces(self.of_run, self.voxels, self.centre + corner, *boxes)

    @property
    def by_size(self) -> NDArray[np.int64]:
        """Piece numbers, the largest first."""
        return np.argsort(-self.voxels, kind="stable")


def pieces_of(runs: Runs, fully_connected: bool) -> Pieces:
    """Pieces: 26-connected if ``fully_connected``, else 6-connected."""
    of_run, count = _connected(*runs.rows, runs.first, runs.start, runs.stop, fully_connected)
    measured = _measured(count, of_run, *runs.corner, runs.rows[1], runs.row_of_run, runs.start, runs.stop)
    return Pieces(of_run, *measured)


def piece_count(runs: Runs, fully_connected: bool) -> int:
    """Number of pieces only."""
    return int(_connected(*runs.rows, runs.first, runs.start, runs.stop, fully_connected)[1])


@njit(cache=True)
def _root(parent, r):  # type: ignore[no-untyped-def]
    while parent[r] != r:
        parent[r] = parent[parent[r]]
        r = parent[r]
    return r


@njit(cache=True)
def _join(parent, start, stop, a, a_end, b, b_end, reach):  # type: ignore[no-untyped-def]
    """Unite the runs of two neighbouring rows that meet (``reach`` 1: also by a corner)."""
    while a < a_end and b < b_end:
        if start[a] < stop[b] + reach and start[b] < stop[a] + reach:
            one, other = _root(parent, a), _root(parent, b)
            if one < other:
                parent[other] = one
            else:
                parent[one] = other
        if stop[a] < stop[b]:
            a += 1
        else:
            b += 1


@njit(cache=True)
def _connected(ni, nj, first, start, stop, fully):  # type: ignore[no-untyped-def]
    """Piece of every run and the number of pieces (union-find on runs)."""
    parent = np.arange(len(start))
    reach = 1 if fully else 0
    for i in range(ni):
        for j in range(nj):
            row = i * nj + j
            a, a_end = first[row], first[row + 1]
            if a == a_end:
                continue
            if j > 0:
                _join(parent, start, stop, a, a_end, first[row - 1], first[row], reach)
            if i == 0:
                continue
            above = row - nj
            _join(parent, start, stop, a, a_end, first[above], first[above + 1], reach)
            if fully and j > 0:
                _join(parent, start, stop, a, a_end, first[above - 1], first[above], 1)
            if fully and j < nj - 1:
                _join(parent, start, stop, a, a_end, first[above + 1], first[above + 2], 1)
    count = 0
    for r in range(len(parent)):
        if parent[r] == r:
            parent[r] = count
            count += 1
        else:
            parent[r] = parent[parent[r]]
    return parent, count


@njit(cache=True)
def _measured(count, of_run, i_corner, j_corner, nj, row_of_run, start, stop):  # type: ignore[no-untyped-def]
    voxels = np.zeros(count, np.int64)
    centre = np.zeros((count, 3))
    low = np.full((count, 3), np.iinfo(np.int64).max)
    high = np.full((count, 3), np.iinfo(np.int64).min)
    a_voxel = np.zeros((count, 3), np.int64)
    for r in range(len(of_run)):
        piece = of_run[r]
        i, j = i_corner + row_of_run[r] // nj, j_corner + row_of_run[r] % nj
        size = np.int64(stop[r] - start[r])
        if voxels[piece] == 0:
            a_voxel[piece, 0], a_voxel[piece, 1], a_voxel[piece, 2] = i, j, start[r]
        voxels[piece] += size
        centre[piece, 0] += size * i
        centre[piece, 1] += size * j
        centre[piece, 2] += size * 0.5 * (start[r] + stop[r] - 1)
        low[piece, 0], high[piece, 0] = min(low[piece, 0], i), max(high[piece, 0], i)
        low[piece, 1], high[piece, 1] = min(low[piece, 1], j), max(high[piece, 1], j)
        low[piece, 2], high[piece, 2] = min(low[piece, 2], start[r]), max(high[piece, 2], stop[r] - 1)
    for piece in range(count):
        centre[piece] /= voxels[piece]
    return voxels, centre, low, high, a_voxel
