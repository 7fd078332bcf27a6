"""Frame: a set of axes carried along a vessel without twist, for curved views and for plaques at an angle."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.config.compiled import njit

from .polyline import tangents

Floats = NDArray[np.float64]


class Frame(NamedTuple):
    """Right-handed unit axes at every point of a curve, each (n, 3): tangent = normal x binormal."""

    tangent: Floats
    normal: Floats
    binormal: Floats


def curved_frame(points_mm: Floats, start_normal: Floats | None = None) -> Frame:
    """Parallel-transport frame of a curve (n, 3) by double reflection (Wang, Juettler, Zheng, Liu 2008).

    ``start_normal`` (3,) fixes the first normal (made orthogonal); by default it lies across the tangent's smallest axis.
    """
    points = np.ascontiguousarray(points_mm, dtype=np.float64)
    tangent = tangents(points)
    guess = np.eye(3)[np.abs(tangent[0]).argmin()] if start_normal is None else np.asarray(start_normal, float)
    first = guess - (guess @ tangent[0]) * tangent[0]
    normal = _double_reflection(points, tangent, first / max(float(np.linalg.norm(first)), 1e-12))
    return Frame(tangent, normal, np.cross(tangent, normal))


@njit(cache=True)
def _double_reflection(points: Floats, tangent: Floats, first: Floats) -> Floats:
    """Carry a normal (3,) along points (n, 3) with unit tangents (n, 3)."""
    normal = np.empty_like(points)
    normal[0] = first
    for n in range(len(points) - 1):
        chord = points[n + 1] - points[n]
        c1 = max((chord * chord).sum(), 1e-18)
        reflected = normal[n] - (2 / c1) * (chord * normal[n]).sum() * chord
        forward = tangent[n] - (2 / c1) * (chord * tangent[n]).sum() * chord
        turn = tangent[n + 1] - forward
        c2 = (turn * turn).sum()
        if c2 > 1e-18:
            reflected = reflected - (2 / c2) * (turn * reflected).sum() * turn
        reflected = reflected - (reflected * tangent[n + 1]).sum() * tangent[n + 1]
        normal[n + 1] = reflected / np.sqrt((reflected * reflected).sum())
    return normal
