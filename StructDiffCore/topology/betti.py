"""Betti numbers of a structure on the grid: 26-connected object, 6-connected background."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import numba
import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray


@dataclass(frozen=True)
class Betti:
    """b0 pieces, b1 loops (tunnels), b2 cavities (enclosed holes)."""

    b0: int
    b1: int
    b2: int


def betti_numbers(structure: NDArray[np.bool_]) -> Betti:
    """Betti numbers of a boolean (i, j, k) array.

    b0 and b2 by counting components, b1 = b0 + b2 - chi with the Euler number chi of the union of closed voxels.
    """
    cropped = boxed(structure)
    if cropped is None:
        return Betti(0, 0, 0)
    pieces = count_components(cropped, fully_connected=True)
    cavities = count_components(~cropped, fully_connected=False) - 1
    return Betti(pieces, pieces + cavities - euler_number(cropped), cavities)


def boxed(structure: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """The structure cropped to its bounding box with a border of one empty voxel; None where it is empty."""
    box = []
    for axis in range(3):
        hit = np.flatnonzero(structure.any(axis=tuple(a for a in range(3) if a != axis)))
        if hit.size == 0:
            return None
        box.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return np.pad(structure[tuple(box)], 1)


def count_components(structure: NDArray[np.bool_], fully_connected: bool) -> int:
    """Number of connected pieces: 26-connected if ``fully_connected``, else 6-connected."""
    pieces = sitk.ConnectedComponent(sitk.GetImageFromArray(structure.view(np.uint8)), fully_connected)
    return int(sitk.GetArrayViewFromImage(pieces).max())


def euler_number(structure: NDArray[np.bool_]) -> int:
    """Euler number of the union of closed voxels (26-connectivity); the array needs an empty border."""
    histogram = _pattern_histogram(np.ascontiguousarray(structure).view(np.uint8))
    return int(histogram @ _eighths_of_chi()) // 8


@numba.njit(cache=True)
def _pattern_histogram(structure: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each of the 256 patterns of a 2x2x2 block occurs."""
    histogram = np.zeros(256, np.int64)
    ni, nj, nk = structure.shape
    for i in range(ni - 1):
        for j in range(nj - 1):
            left = (
                structure[i, j, 0] | structure[i, j + 1, 0] << 1 | structure[i + 1, j, 0] << 2 | structure[i + 1, j + 1, 0] << 3
            )
            for k in range(1, nk):
                right = (
                    structure[i, j, k]
                    | structure[i, j + 1, k] << 1
                    | structure[i + 1, j, k] << 2
                    | structure[i + 1, j + 1, k] << 3
                )
                histogram[left | right << 4] += 1
                left = right
    return histogram


@cache
def _eighths_of_chi() -> NDArray[np.int64]:
    """8 chi contributed by one grid vertex for each pattern of its 8 voxels: vertices - edges + faces - cubes.

    An edge is shared by 2 vertices, a face by 4, a cube by 8; each cell exists where any voxel around it is set.
    """
    corners = list(product((0, 1), repeat=3))  # (k, i, j): bit 4k + 2i + j
    cells = list(product((0, 1, None), repeat=3))  # a fixed axis picks the half-cell on that side of the vertex
    table = np.zeros(256, np.int64)
    for pattern in range(256):
        filled = [corner for bit, corner in enumerate(corners) if pattern >> bit & 1]
        for cell in cells:
            if any(all(c is None or c == v for c, v in zip(cell, corner)) for corner in filled):
                dimension = sum(fixed is not None for fixed in cell)
                table[pattern] += (-1) ** dimension * (8 >> dimension)
    return table
