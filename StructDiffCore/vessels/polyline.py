"""Polyline: what one does with a curve given by points (n, 3) in mm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

Floats = NDArray[np.float64]


def arclength(points: Floats) -> Floats:
    """Distance (n,) along the polyline from its first point."""
    steps = np.sqrt((np.diff(points, axis=0) ** 2).sum(axis=1))
    return np.concatenate([[0.0], np.cumsum(steps)])


def resampled(points: Floats, step_mm: float) -> Floats:
    """The polyline (n, 3) at equal distances of about ``step_mm``; both ends stay; at least two points."""
    along = arclength(points)
    at = np.linspace(0, along[-1], max(2, round(along[-1] / step_mm) + 1))
    return np.stack([np.interp(at, along, points[:, axis]) for axis in range(3)], axis=1)


def refined(along: Floats, max_step_mm: float) -> Floats:
    """Arclengths with equal subdivisions of every step that is longer than ``max_step_mm``; the given ones stay."""
    pieces = np.maximum(1, np.ceil(np.diff(along) / max_step_mm - 1e-9)).astype(int)
    parts = [np.linspace(a, b, n, endpoint=False) for a, b, n in zip(along[:-1], along[1:], pieces)]
    return np.concatenate([*parts, along[-1:]])


def tangents(points: Floats) -> Floats:
    """Unit tangents (n, 3) by central differences; repeated points take their neighbour's."""
    along = arclength(points)
    if np.all(np.diff(along) > 1e-9) and len(points) > 2:
        slope = np.gradient(points, along, axis=0)
    else:
        slope = np.gradient(points, axis=0)
    return slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-12)


def smoothed(points: Floats, sigma_mm: float) -> Floats:
    """Gaussian smoothing along an evenly sampled polyline (n, 3); both ends stay where they are.

    Reflection through the end points (odd extension) keeps the ends and their direction.
    """
    step = arclength(points)[-1] / max(1, len(points) - 1)
    sigma = sigma_mm / max(step, 1e-9)
    margin = min(len(points) - 1, int(np.ceil(4 * sigma)))
    head = 2 * points[0] - points[margin:0:-1]
    tail = 2 * points[-1] - points[-2 : -margin - 2 : -1]
    smooth = gaussian_filter1d(np.concatenate([head, points, tail]), sigma, axis=0, mode="nearest")
    return np.asarray(smooth[margin : margin + len(points)])


def simplified(points: Floats, tolerance: float) -> NDArray[np.bool_]:
    """Which points (n,) of a polyline in any dimension (n, d) to keep so that it moves by at most ``tolerance`` (Ramer 1972)."""
    keep = np.zeros(len(points), bool)
    keep[[0, -1]] = True
    stack = [(0, len(points) - 1)]
    while stack:
        first, last = stack.pop()
        if last - first < 2:
            continue
        inside, step = points[first + 1 : last] - points[first], points[last] - points[first]
        share = np.clip(inside @ step / max(step @ step, 1e-18), 0, 1)
        gap2 = ((inside - share[:, None] * step) ** 2).sum(axis=1)
        worst = int(gap2.argmax())
        if gap2[worst] > tolerance**2:
            middle = first + 1 + worst
            keep[middle] = True
            stack += [(first, middle), (middle, last)]
    return keep
