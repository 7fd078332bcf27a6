"""Stationary velocity fields: smooth motions that can be added and blended, and that fold nowhere in the continuum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

Field = NDArray[np.float32]
SQUARINGS = 6


def exponential(velocity_mm: Field, step_mm: float, squarings: int = SQUARINGS) -> Field:
    """Displacement (3, a, b, c) in mm after unit time on a grid of ``step_mm`` (Arsigny 2006: scaling and squaring)."""
    displacement = velocity_mm / np.float32(2**squarings)
    index = np.stack(np.meshgrid(*[np.arange(n, dtype=np.float32) for n in velocity_mm.shape[1:]], indexing="ij"))
    for _ in range(squarings):
        there = index + displacement / np.float32(step_mm)
        displacement = displacement + np.stack([map_coordinates(axis, there, order=1) for axis in displacement])
    return displacement.astype(np.float32)


def faded(velocity_mm: Field, step_mm: float, margin_mm: float) -> Field:
    """The field brought smoothly to nothing over a margin inside the grid's border."""
    found = velocity_mm.copy()
    for axis, size in enumerate(velocity_mm.shape[1:], start=1):
        edge = np.minimum(np.arange(size), np.arange(size)[::-1]) * step_mm / margin_mm
        window = np.sin(0.5 * np.pi * np.clip(edge, 0, 1)) ** 2
        found *= window.reshape([-1 if a == axis else 1 for a in range(4)]).astype(np.float32)
    return found
