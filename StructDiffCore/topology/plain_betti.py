"""Betti numbers without compiled loops: the same numbers as ``betti``, slower, where numba is not installed."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Box = tuple[slice, slice, slice]


def plain_betti(structure: NDArray[np.bool_]) -> tuple[int, int, int]:
    """(b0, b1, b2) of a boolean (i, j, k) array: 26-connected object, 6-connected background."""
    if not structure.any():
        return 0, 0, 0
    padded = np.pad(structure[box_of(structure)], 1)
    pieces = ndimage.label(padded, np.ones((3, 3, 3)))[1]
    cavities = ndimage.label(~padded)[1] - 1
    return pieces, pieces + cavities - plain_euler(padded), cavities


def plain_euler(padded: NDArray[np.bool_]) -> int:
    """Euler number of the union of closed voxels: vertices - edges + faces - voxels; the array's border must be empty.

    A vertex, edge or face belongs to the union if any of the 8, 4 or 2 voxels around it does.
    """
    chi = 0
    for across in range(4):
        for axes in combinations(range(3), across):
            chi += (-1) ** (3 - across) * int(np.count_nonzero(_any_of_neighbours(padded, axes)))
    return chi


def _any_of_neighbours(padded: NDArray[np.bool_], axes: tuple[int, ...]) -> NDArray[np.bool_]:
    """Whether a voxel, or its next one along any of the axes, is set."""
    cells = padded
    for axis in axes:
        low, high = [slice(None)] * 3, [slice(None)] * 3
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        cells = cells[tuple(low)] | cells[tuple(high)]
    return cells


def box_of(structure: NDArray[np.bool_], margin: int = 0) -> Box:
    """Smallest box that holds all set voxels (at least one), grown by ``margin`` voxels inside the array."""
    sides = (np.any(structure, axis=(1, 2)), np.any(structure, axis=(0, 2)), np.any(structure, axis=(0, 1)))
    found = [np.flatnonzero(side) for side in sides]
    i, j, k = (
        slice(max(0, int(at[0]) - margin), min(size, int(at[-1]) + margin + 1)) for at, size in zip(found, structure.shape)
    )
    return i, j, k
