"""Warped labels: what every voxel of a new grid should become, read from the reference by one-hot trilinear majority."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.config.compiled import njit
from StructDiffCore.domain import Geometry

from .slabs import in_slabs
from .warp import GRID_MM, Warp

Bytes = NDArray[np.uint8]
DEPTH_STEPS = 8
"""Depth is stored as uint8 in eighths of a millimetre."""


class Target(NamedTuple):
    """What the warp asks for; a wish, not yet a mask."""

    label: Bytes
    """(i, j, k)"""
    depth: Bytes
    """(i, j, k): distance to the nearest other label in the reference, in eighths of a mm, 255 at most."""


def warped_labels(label: Bytes, depth: Bytes, source: Geometry, warp: Warp, geometry: Geometry) -> Target:
    """Labels and depth (i, j, k) of the reference on a new grid, seen through a warp."""
    lattice, step = source_lattice(source, warp, geometry)
    found, deep = np.zeros(geometry.shape, np.uint8), np.zeros(geometry.shape, np.uint8)
    in_slabs(lambda start, stop: _take(label, depth, lattice, step, found, deep, start, stop), 0, len(found))
    return Target(found, deep)


def warped_values(values: NDArray[np.float32], source: Geometry, warp: Warp, geometry: Geometry) -> NDArray[np.float32]:
    """A smooth map (i, j, k) of the reference on a new grid, trilinear, its edge going on beyond its grid."""
    lattice, step = source_lattice(source, warp, geometry)
    found = np.empty(geometry.shape, np.float32)
    in_slabs(lambda start, stop: _interpolate(values, lattice, step, found, start, stop), 0, len(found))
    return found


def source_lattice(source: Geometry, warp: Warp, geometry: Geometry) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Source indices (a, b, c, 3) at every ``step``-th voxel (3,) of the new grid; linear in between."""
    step = np.maximum(1, np.floor(0.75 * GRID_MM / np.asarray(geometry.spacing))).astype(np.int64)
    axes = [np.arange(0, n + s, s) for n, s in zip(geometry.shape, step)]
    corners = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    world = geometry.to_world(corners.reshape(-1, 3))
    return source.to_index(warp.source_of(world)).reshape(corners.shape).astype(np.float32), step


@njit(cache=True, nogil=True, inline="always")
def _row(lattice, step, i, j, row):  # type: ignore[no-untyped-def]
    """The lattice's line (c, 3) above voxels (i, j, :)."""
    a, b = i // step[0], j // step[1]
    u, v = np.float32(i - a * step[0]) / step[0], np.float32(j - b * step[1]) / step[1]
    for c in range(row.shape[0]):
        for d in range(3):
            low = lattice[a, b, c, d] * (1 - v) + lattice[a, b + 1, c, d] * v
            high = lattice[a + 1, b, c, d] * (1 - v) + lattice[a + 1, b + 1, c, d] * v
            row[c, d] = low * (1 - u) + high * u


@njit(cache=True, nogil=True)
def _take(label, depth, lattice, step, found, deep, start, stop):  # type: ignore[no-untyped-def]
    ni, nj, nk = label.shape
    row = np.empty((lattice.shape[2], 3), np.float32)
    for i in range(start, stop):
        for j in range(found.shape[1]):
            _row(lattice, step, i, j, row)
            for c in range(row.shape[0] - 1):
                first = c * step[2]
                last = min(first + step[2], found.shape[2])
                dx = (row[c + 1, 0] - row[c, 0]) / step[2]
                dy = (row[c + 1, 1] - row[c, 1]) / step[2]
                dz = (row[c + 1, 2] - row[c, 2]) / step[2]
                for k in range(first, last):
                    x = row[c, 0] + (k - first) * dx
                    y = row[c, 1] + (k - first) * dy
                    z = row[c, 2] + (k - first) * dz
                    if x < -0.49 or y < -0.49 or z < -0.49 or x > ni - 0.51 or y > nj - 0.51 or z > nk - 0.51:
                        continue
                    deep[i, j, k] = depth[int(x + 0.5), int(y + 0.5), int(z + 0.5)]
                    found[i, j, k] = _majority(label, x, y, z)


@njit(cache=True, nogil=True)
def _majority(label, x, y, z):  # type: ignore[no-untyped-def]
    """The label with the largest trilinear weight around an index."""
    ni, nj, nk = label.shape
    p, q, r = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    u, v, w = x - p, y - q, z - r
    if min(p, q, r) >= 0 and p < ni - 1 and q < nj - 1 and r < nk - 1:
        here = label[p, q, r]
        if (
            here == label[p + 1, q, r]
            and here == label[p, q + 1, r]
            and here == label[p, q, r + 1]
            and here == label[p + 1, q + 1, r]
            and here == label[p + 1, q, r + 1]
            and here == label[p, q + 1, r + 1]
            and here == label[p + 1, q + 1, r + 1]
        ):
            return here
    best, most = np.uint8(0), np.float32(-1)
    for corner in range(8):
        value = _corner(label, corner, p, q, r, ni, nj, nk)
        weight = np.float32(0)
        for other in range(8):
            if _corner(label, other, p, q, r, ni, nj, nk) == value:
                weight += (u if other & 1 else 1 - u) * (v if other & 2 else 1 - v) * (w if other & 4 else 1 - w)
        if weight > most:
            best, most = value, weight
        if weight > 0.5:
            break
    return best


@njit(cache=True, nogil=True, inline="always")
def _corner(label, corner, p, q, r, ni, nj, nk):  # type: ignore[no-untyped-def]
    a = min(max(p + (corner & 1), 0), ni - 1)
    b = min(max(q + (corner >> 1 & 1), 0), nj - 1)
    c = min(max(r + (corner >> 2 & 1), 0), nk - 1)
    return label[a, b, c]


@njit(cache=True, nogil=True)
def _interpolate(values, lattice, step, found, start, stop):  # type: ignore[no-untyped-def]
    ni, nj, nk = values.shape
    row = np.empty((lattice.shape[2], 3), np.float32)
    for i in range(start, stop):
        for j in range(found.shape[1]):
            _row(lattice, step, i, j, row)
            for k in range(found.shape[2]):
                c = k // step[2]
                t = np.float32(k - c * step[2]) / step[2]
                x = min(max(row[c, 0] * (1 - t) + row[c + 1, 0] * t, 0.0), ni - 1.001)
                y = min(max(row[c, 1] * (1 - t) + row[c + 1, 1] * t, 0.0), nj - 1.001)
                z = min(max(row[c, 2] * (1 - t) + row[c + 1, 2] * t, 0.0), nk - 1.001)
                p, q, r = int(x), int(y), int(z)
                u, v, w = x - p, y - q, z - r
                low = (values[p, q, r] * (1 - w) + values[p, q, r + 1] * w) * (1 - v)
                low += (values[p, q + 1, r] * (1 - w) + values[p, q + 1, r + 1] * w) * v
                high = (values[p + 1, q, r] * (1 - w) + values[p + 1, q, r + 1] * w) * (1 - v)
                high += (values[p + 1, q + 1, r] * (1 - w) + values[p + 1, q + 1, r + 1] * w) * v
                found[i, j, k] = low * (1 - u) + high * u
