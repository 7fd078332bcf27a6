"""Acquisition noise sampled from a template's noise model on any grid, with its own seed."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry
from StructDiffCore.measures.noise import NoiseModel, squared_offsets


def sample_noise(model: NoiseModel, geometry: Geometry, seed: int) -> NDArray[np.float32]:
    """Noise in HU (i, j, k) on ``geometry``: the model's spectrum in cycles per mm, its amplitude law about the field's centre.

    Beyond the template's Nyquist frequency there is no power, so a finer grid gets no invented detail; a coarser one loses
    what it cannot carry. Equal arguments give equal voxels.
    """
    rng = np.random.default_rng(seed)
    shape = tuple(scipy.fft.next_fast_len(n, real=True) for n in geometry.shape)
    spectrum = scipy.fft.rfftn(rng.standard_normal(shape, dtype=np.float32))
    first, second, axial = _frequencies(shape, geometry)
    spectrum *= np.sqrt(_plane_power(model, first, second) / _plane_area(geometry))
    spectrum *= np.sqrt(_axial_power(model, axial) / geometry.spacing[axial_axis(geometry)])
    spectrum[0, 0, 0] = 0
    i, j, k = geometry.shape
    field = scipy.fft.irfftn(spectrum, s=shape, overwrite_x=True)[:i, :j, :k]
    offsets = squared_offsets(geometry.shape, geometry.spacing, axial_axis(geometry))
    return np.ascontiguousarray(field * model.amplitude_at(*offsets), np.float32)


def axial_axis(geometry: Geometry) -> int:
    """The index axis that runs closest to the patient's long axis."""
    return int(np.argmax(np.abs(np.asarray(geometry.direction)[2])))


def _plane_area(geometry: Geometry) -> float:
    return geometry.voxel_volume_mm3 / geometry.spacing[axial_axis(geometry)]


def _frequencies(shape: tuple[int, ...], geometry: Geometry) -> list[NDArray[np.float32]]:
    """Absolute frequencies per mm of the half spectrum: two in-plane axes, then the axial one; broadcastable to it."""
    lines = [scipy.fft.fftfreq(shape[a], geometry.spacing[a]) for a in (0, 1)]
    lines.append(scipy.fft.rfftfreq(shape[2], geometry.spacing[2]))
    grids = [np.abs(line).astype(np.float32).reshape([-1 if a == b else 1 for b in range(3)]) for a, line in enumerate(lines)]
    axial = axial_axis(geometry)
    return [grids[a] for a in range(3) if a != axial] + [grids[axial]]


def _plane_power(model: NoiseModel, first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    power = np.interp(np.sqrt(first**2 + second**2), model.frequency_per_mm, model.plane_power)
    carried = np.maximum(first, second) <= model.plane_nyquist_per_mm
    return np.where(carried, power, 0).astype(np.float32)


def _axial_power(model: NoiseModel, frequency: NDArray[np.float32]) -> NDArray[np.float32]:
    power = np.interp(frequency, model.axial_frequency_per_mm, model.axial_power)
    return np.where(frequency <= model.axial_nyquist_per_mm, power, 0).astype(np.float32)
