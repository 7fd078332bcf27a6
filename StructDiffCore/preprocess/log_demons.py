"""Deformable registration of labels: log-domain demons on signed distance maps (Vercauteren et al. 2008).

The gradient of a distance map has length 1 and its misfit is a way in mm, so the demons' force needs no intensity scale:
along the surface's normal, as far as the surfaces lie apart. What comes out is a velocity field, which can be blended.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from .velocity import exponential, faded

Field = NDArray[np.float32]
ROUNDS = 40
SQUARINGS = 5
NEAR_MM = 6.0
"""Surfaces pull at what lies about this near to them."""
LONGEST_STEP_MM = 2.0
FLUID_MM, ELASTIC_MM = 8.0, 4.0
"""Gaussian sigma that smooths each step, and the field after it."""
DAMPING = 0.2


def log_demons(
    fixed: Sequence[Field], moving: Sequence[Field], seen: Field, step_mm: float, margin_mm: float, rounds: int = ROUNDS
) -> Field:
    """Velocity (3, a, b, c) in mm with ``moving(y + exp(velocity)(y))`` near ``fixed(y)``.

    ``fixed`` and ``moving``: one signed distance map (a, b, c) in mm per label on a grid of ``step_mm``; ``seen`` (a, b, c)
    0..1 says where both are known. The field fades over ``margin_mm`` at the border.
    """
    velocity = np.zeros((3, *seen.shape), np.float32)
    index = np.stack(np.meshgrid(*[np.arange(n, dtype=np.float32) for n in seen.shape], indexing="ij"))
    for _ in range(rounds):
        there = index + exponential(velocity, step_mm, SQUARINGS) / np.float32(step_mm)
        force = _force(fixed, [map_coordinates(one, there, order=1, mode="nearest") for one in moving], seen, step_mm)
        velocity = velocity + _smoothed(force, FLUID_MM / step_mm)
        velocity = faded(_smoothed(velocity, ELASTIC_MM / step_mm), step_mm, margin_mm)
    return velocity


def _force(fixed: Sequence[Field], warped: Sequence[Field], seen: Field, step_mm: float) -> Field:
    """One step (3, a, b, c) in mm: every label's misfit along its normal, weighted by nearness."""
    pull, weights = np.zeros((3, *seen.shape), np.float32), np.full(seen.shape, DAMPING, np.float32)
    for aim, here in zip(fixed, warped):
        near = seen * np.exp(-((np.minimum(np.abs(aim), np.abs(here)) / NEAR_MM) ** 2))
        slope = np.asarray(np.gradient(here, step_mm))
        pull += near * (aim - here) * slope
        weights += near * (slope**2).sum(axis=0)
    force = pull / weights
    length = np.sqrt((force**2).sum(axis=0))
    return np.asarray(force * np.minimum(1.0, LONGEST_STEP_MM / np.maximum(length, 1e-6)), np.float32)


def _smoothed(field: Field, sigma: float) -> Field:
    return np.stack([gaussian_filter(axis, sigma, mode="nearest") for axis in field])
