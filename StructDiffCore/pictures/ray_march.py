"""The inner loop of the 3D view: parallel rays through a scalar field, first crossing of a level."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.config.compiled import njit

BLOCK = 4
"""Empty space is skipped by blocks of this edge."""


def march(
    field: NDArray[np.float32],
    level: np.float32,
    origin: NDArray[np.float64],
    axes: NDArray[np.float64],
    mm_per_pixel: float,
    spacing_mm: float,
    value: int,
    depth: NDArray[np.float32],
    normal: NDArray[np.float32],
    owner: NDArray[np.int32],
) -> None:
    """Draw the level set of ``field`` (i, j, k) into square ``depth`` (mm towards the eye), ``normal`` and ``owner``.

    ``origin``: index of the picture's centre; ``axes``: (3, 3), rows are index steps per mm along right, up, eye.
    Pixels are overwritten where this surface is nearer than what is there.
    """
    inverse = np.linalg.inv(axes)
    corners = np.array(np.meshgrid(*[(0.0, n - 1.0) for n in field.shape])).reshape(3, -1).T
    seen = (corners - origin) @ inverse  # (8, 3): right, up, eye in mm
    low, high = seen.min(axis=0), seen.max(axis=0)
    half = depth.shape[0] / 2
    columns = _pixel_range(low[0] / mm_per_pixel + half, high[0] / mm_per_pixel + half, depth.shape[1])
    rows = _pixel_range(half - high[1] / mm_per_pixel, half - low[1] / mm_per_pixel, depth.shape[0])
    _march(
        field, _block_maxima(field), level, origin, axes, mm_per_pixel, 0.5 * spacing_mm,
        (low[2], high[2]), rows, columns, value, depth, normal, owner,
    )  # fmt: skip


def _pixel_range(low: float, high: float, size: int) -> tuple[int, int]:
    return max(0, math.floor(low)), min(size, math.ceil(high) + 1)


def _block_maxima(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Largest value in each block and the voxel layer after it, so that a low maximum proves the block empty."""
    blocks = [-(-n // BLOCK) for n in field.shape]
    padded = np.zeros([b * BLOCK + 1 for b in blocks], np.float32)
    padded[tuple(slice(0, n) for n in field.shape)] = field
    maxima = padded
    for axis in range(3):
        starts = np.arange(blocks[axis]) * BLOCK
        layers = [np.take(maxima, starts + offset, axis=axis) for offset in range(BLOCK + 1)]
        maxima = np.maximum.reduce(layers)
    return maxima


@njit(cache=True, inline="always")
def _at(field, x, y, z):  # type: ignore[no-untyped-def]  # numba infers the types
    """Trilinear value; 0 outside."""
    i, j, k = math.floor(x), math.floor(y), math.floor(z)
    if i < 0 or j < 0 or k < 0 or i + 1 >= field.shape[0] or j + 1 >= field.shape[1] or k + 1 >= field.shape[2]:
        return 0.0
    u, v, w = x - i, y - j, z - k
    low = (field[i, j, k] * (1 - u) + field[i + 1, j, k] * u) * (1 - v) + (
        field[i, j + 1, k] * (1 - u) + field[i + 1, j + 1, k] * u
    ) * v
    high = (field[i, j, k + 1] * (1 - u) + field[i + 1, j, k + 1] * u) * (1 - v) + (
        field[i, j + 1, k + 1] * (1 - u) + field[i + 1, j + 1, k + 1] * u
    ) * v
    return low * (1 - w) + high * w


@njit(cache=True)
def _march(  # type: ignore[no-untyped-def]  # numba infers the types
    field, maxima, level, origin, axes, mm_per_pixel, step_mm, reach, rows, columns, value, depth, normal, owner
):
    size = depth.shape[0]
    for row in range(rows[0], rows[1]):
        up = (size / 2 - row - 0.5) * mm_per_pixel
        for column in range(columns[0], columns[1]):
            across = (column + 0.5 - size / 2) * mm_per_pixel
            eye, last = reach[1], 0.0
            while eye > reach[0] and eye > depth[row, column]:
                x = origin[0] + across * axes[0, 0] + up * axes[1, 0] + eye * axes[2, 0]
                y = origin[1] + across * axes[0, 1] + up * axes[1, 1] + eye * axes[2, 1]
                z = origin[2] + across * axes[0, 2] + up * axes[1, 2] + eye * axes[2, 2]
                if _is_empty(maxima, level, x, y, z):
                    eye -= _to_next_block(axes, x, y, z)
                    last = 0.0
                    continue
                here = _at(field, x, y, z)
                if here >= level:
                    back = step_mm * (here - level) / max(here - last, 1e-6)
                    _keep(field, axes, x, y, z, eye + min(back, step_mm), value, row, column, depth, normal, owner)
                    break
                last = here
                eye -= step_mm


@njit(cache=True, inline="always")
def _is_empty(maxima, level, x, y, z):  # type: ignore[no-untyped-def]  # numba infers the types
    i, j, k = math.floor(x / BLOCK), math.floor(y / BLOCK), math.floor(z / BLOCK)
    if i < 0 or j < 0 or k < 0 or i >= maxima.shape[0] or j >= maxima.shape[1] or k >= maxima.shape[2]:
        return True
    return maxima[i, j, k] < level


@njit(cache=True, inline="always")
def _to_next_block(axes, x, y, z):  # type: ignore[no-untyped-def]  # numba infers the types
    """Millimetres away from the eye until the ray is just inside the next block."""
    nearest = 1e9
    for axis, here in enumerate((x, y, z)):
        speed = -axes[2, axis]  # index steps per mm away from the eye
        if speed > 1e-9:
            nearest = min(nearest, ((math.floor(here / BLOCK) + 1) * BLOCK - here) / speed)
        elif speed < -1e-9:
            nearest = min(nearest, (math.floor(here / BLOCK) * BLOCK - here) / speed)
    return nearest + 1e-3


@njit(cache=True)
def _keep(field, axes, x, y, z, eye, value, row, column, depth, normal, owner):  # type: ignore[no-untyped-def]
    """Store a hit: depth, label and the outward normal in picture axes."""
    along = np.empty(3)
    for axis in range(3):
        dx, dy, dz = axes[axis, 0] * 0.8, axes[axis, 1] * 0.8, axes[axis, 2] * 0.8
        along[axis] = _at(field, x - dx, y - dy, z - dz) - _at(field, x + dx, y + dy, z + dz)
    length = math.sqrt(along[0] ** 2 + along[1] ** 2 + along[2] ** 2)
    if length > 0:
        for axis in range(3):
            normal[row, column, axis] = along[axis] / length
    depth[row, column] = eye
    owner[row, column] = value
