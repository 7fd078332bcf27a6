"""Smooth noise: periodic random fields that bend ideal solids into natural ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FIELD_CELLS = 64
WARP_CELL_MM = 6.0
RELIEF_CELL_MM = 2.5


def smooth_field(rng: np.random.Generator, sigma_cells: float, cells: int = FIELD_CELLS) -> NDArray[np.float32]:
    """A periodic Gaussian random field (cells, cells, cells) of unit standard deviation and Gaussian correlation."""
    frequency = np.fft.fftfreq(cells)
    rapid = np.fft.rfftfreq(cells)
    squared = frequency[:, None, None] ** 2 + frequency[None, :, None] ** 2 + rapid[None, None, :] ** 2
    response = np.exp(-2.0 * (np.pi * sigma_cells) ** 2 * squared)
    response[0, 0, 0] = 0.0
    spectrum = np.fft.rfftn(rng.standard_normal((cells, cells, cells), dtype=np.float32))
    field = np.fft.irfftn(spectrum * response, s=(cells, cells, cells), axes=(0, 1, 2))
    return (field / field.std()).astype(np.float32)


def warp_fields(rng: np.random.Generator, amplitude_mm: float) -> NDArray[np.float32]:
    """Displacements (3, n, n, n) in mm on ``WARP_CELL_MM`` cells: broad bends (24 mm) with finer ones (12 mm) on top."""
    broad = np.stack([smooth_field(rng, 24.0 / WARP_CELL_MM) for _ in range(3)])
    finer = np.stack([smooth_field(rng, 12.0 / WARP_CELL_MM) for _ in range(3)])
    return (amplitude_mm * (broad + 0.3 * finer)).astype(np.float32)
