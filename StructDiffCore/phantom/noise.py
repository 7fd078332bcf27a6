"""Correlated CT noise: Gaussian fields with a power spectrum given per mm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from StructDiffCore.domain import Geometry

Point = NDArray[np.float64]
"""World position (3,) in mm, RAS."""

Frequencies = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Signed cycles per mm along the two in-plane axes and the axial one, broadcastable to the half spectrum."""


@dataclass(frozen=True)
class Spectrum:
    """A family of in-plane power spectra: (floor + f)^ramp * exp(-(f / cutoff)^decay)."""

    ramp: float
    cutoff_per_mm: tuple[float, float]
    decay: tuple[float, float]
    directional: bool = False


NOISE_SPECTRA: dict[str, Spectrum] = {
    "soft": Spectrum(1.0, (0.10, 0.32), (0.9, 1.8)),
    "bone": Spectrum(1.2, (0.50, 0.95), (2.0, 4.0)),
    "white": Spectrum(0.0, (0.60, 1.40), (3.0, 6.0)),
    "blotchy": Spectrum(0.0, (0.05, 0.20), (1.0, 2.0)),
    "streaky": Spectrum(0.8, (0.15, 0.50), (1.0, 2.0), directional=True),
}
"""Filtered back-projection: ramp times apodisation (Siewerdsen 2002); iterative reconstruction shifts power to low
frequencies (Solomon 2014)."""

RAMP_FLOOR_PER_MM = 0.02
STREAK_WIDTH_RAD = 0.35
PATCH_MM = 45.0
LUNG_BORDER_MM = 6.0


@dataclass(frozen=True)
class Noise:
    """Noise of one scan."""

    texture: str = "soft"
    """Key of ``NOISE_SPECTRA``."""
    sigma_hu: float = 20.0
    """Standard deviation on the rendered grid where the gain is 1."""
    cutoff_per_mm: float = 0.2
    decay: float = 1.2
    axial_sigma_mm: float = 0.4
    """Gaussian correlation along the patient."""
    radial_gain: float = 0.3
    """Extra share of noise on the body's axis, fading outwards."""
    patchiness: float = 0.0
    """Slow random modulation of the amplitude."""
    lung_gain: float = 1.0
    """Amplitude in the lung as a share of that in soft tissue: less attenuation, and denoisers that follow the image."""
    stretch: float = 1.0
    """Correlation across the patient (first in-plane axis) over that from front to back: lateral paths are noisier."""
    angle_rad: float = 0.0
    """Direction of streaks from the in-plane first axis."""


def axial_axis(geometry: Geometry) -> int:
    """The index axis that runs closest to the patient's long axis."""
    return int(np.argmax(np.abs(np.asarray(geometry.direction)[2])))


def frequencies(shape: tuple[int, int, int], geometry: Geometry) -> Frequencies:
    """Frequencies of ``scipy.fft.rfftn`` of ``shape``: two in-plane axes, then the axial one."""
    per_axis = [scipy.fft.fftfreq(shape[a], geometry.spacing[a]) for a in (0, 1)]
    per_axis.append(scipy.fft.rfftfreq(shape[2], geometry.spacing[2]))
    grids = [along_axis(f.astype(np.float32), a) for a, f in enumerate(per_axis)]
    axial = axial_axis(geometry)
    first, second = (grids[a] for a in range(3) if a != axial)
    return first, second, grids[axial]


def gaussian_field(
    geometry: Geometry, amplitude: Callable[[Frequencies], NDArray[np.float32]], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Zero-mean unit-variance field (i, j, k) whose amplitude spectrum is ``amplitude`` of the frequencies."""
    shape = tuple(scipy.fft.next_fast_len(n, real=True) for n in geometry.shape)
    spectrum = scipy.fft.rfftn(rng.standard_normal(shape, dtype=np.float32))
    spectrum *= amplitude(frequencies(shape, geometry))
    spectrum[0, 0, 0] = 0.0
    i, j, k = geometry.shape
    field = scipy.fft.irfftn(spectrum, s=shape, overwrite_x=True)
    field *= np.float32(1.0 / max(float(field.std()), 1e-12))
    return np.ascontiguousarray(field[:i, :j, :k])


def noise_amplitude(noise: Noise, along: Frequencies) -> NDArray[np.float32]:
    """Square root of the noise power spectrum (relative) at the given frequencies."""
    family = NOISE_SPECTRA[noise.texture]
    first, second, axial = along
    radius = np.sqrt((first * noise.stretch) ** 2 + second**2)
    power = (RAMP_FLOOR_PER_MM + radius) ** family.ramp * np.exp(-((radius / noise.cutoff_per_mm) ** noise.decay))
    if family.directional:
        power = power * _streak_weight(noise, first, second)
    return np.sqrt(power) * np.exp(-2.0 * (np.pi * noise.axial_sigma_mm * axial) ** 2)


def _streak_weight(noise: Noise, first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Power gathered around the frequencies perpendicular to the streaks, with a tenth everywhere."""
    across = np.arctan2(np.abs(second * np.cos(noise.angle_rad) - first * np.sin(noise.angle_rad)), 1e-6 + np.abs(first))
    return 0.1 + np.exp(-(((np.pi / 2 - across) / STREAK_WIDTH_RAD) ** 2))


def sample_noise(noise: Noise, geometry: Geometry, centre_mm: Point, rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise in HU (i, j, k); ``centre_mm`` is a point on the body's axis."""
    field = gaussian_field(geometry, lambda along: noise_amplitude(noise, along), rng)
    phases = rng.uniform(0.0, 2.0 * np.pi, 3)
    field *= np.float32(noise.sigma_hu) * _gain(noise, geometry, centre_mm, phases)
    return field


def _gain(noise: Noise, geometry: Geometry, centre_mm: Point, phases: NDArray[np.float64]) -> NDArray[np.float32]:
    """Amplitude by place (i, j, k): 1 + radial gain near the body's axis, times slow waves."""
    indices = [along_axis(np.arange(n), a) for a, n in enumerate(geometry.shape)]
    away = np.zeros((1, 1, 1))
    for world, reach_mm in ((0, 90.0), (1, 75.0)):
        row = geometry.affine[world]
        away = away + ((sum(row[a] * indices[a] for a in range(3)) + row[3] - centre_mm[world]) / reach_mm) ** 2
    gain = 1.0 + noise.radial_gain * np.exp(-0.5 * away.astype(np.float32))
    for a, index in enumerate(indices):
        wave = np.sin(2.0 * np.pi * index * geometry.spacing[a] / PATCH_MM + phases[a])
        gain = gain * (1.0 + noise.patchiness * wave).astype(np.float32)
    return gain.astype(np.float32)


def lung_gain(noise: Noise, clean: NDArray[np.float32], geometry: Geometry) -> NDArray[np.float32]:
    """Amplitude (i, j, k) that falls to ``noise.lung_gain`` inside the lung, over about ``LUNG_BORDER_MM``."""
    density = np.clip((clean + np.float32(850.0)) * np.float32(1.0 / 700.0), 0.0, 1.0)
    for axis, step in enumerate(geometry.spacing):
        density = uniform_filter1d(density, max(1, round(LUNG_BORDER_MM / step)), axis=axis, mode="nearest")
    return np.float32(noise.lung_gain) + np.float32(1.0 - noise.lung_gain) * density


def along_axis(values: NDArray, axis: int) -> NDArray:
    """A vector laid along one axis of a volume, broadcastable to (i, j, k)."""
    return values.reshape([-1 if axis == other else 1 for other in range(3)])
