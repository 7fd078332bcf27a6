"""Measures for the phantom page: patches with named features, noise spectra, edge widths, a small cross-validated classifier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude, map_coordinates

from StructDiffCore.measures.patches import radial_frequency
from StructDiffCore.phantom.noise import Noise, noise_amplitude

EDGES: Mapping[str, tuple[float, float]] = {
    "lung": (-820.0, 0.0),
    "fat": (-100.0, 40.0),
    "blood": (70.0, 350.0),
    "air": (-1000.0, -60.0),
}
"""Mean HU of the low and the high side of the edges that are measured."""


@dataclass(frozen=True)
class NoiseSpectrum:
    """In-plane power per radial frequency (shares of one) and the noise's spread in HU; NaN where nothing calm was found."""

    per_mm: NDArray[np.float64]
    power: NDArray[np.float64]
    sigma_hu: float


def noise_spectrum(image: NDArray[np.float32], spacing: NDArray[np.float64], low: float, high: float) -> NoiseSpectrum:
    """Spectrum of the calmest third of the axial 24 mm tiles whose mean lies between ``low`` and ``high`` HU."""
    n = round(24.0 / spacing[0])
    window = np.outer(np.hanning(n), np.hanning(n))
    found: list[tuple[float, NDArray]] = []
    for patch in _tiles(image, n):
        if low < patch.mean() < high and patch.min() > low - 250 and patch.max() < high + 250:
            residual = _detrended(patch)
            found.append((float(residual.std()), np.abs(np.fft.fft2(residual * window)) ** 2))
    edges = np.arange(0.0, 0.5 / spacing[0] + 0.04, 0.04)
    centres = 0.5 * (edges[1:] + edges[:-1])
    if len(found) < 4:
        return NoiseSpectrum(centres, np.full(len(centres), np.nan), float("nan"))
    calm = sorted(found, key=lambda item: item[0])[: max(4, len(found) // 3)]
    power = np.mean([item[1] / item[1].sum() for item in calm], axis=0)
    bins = np.digitize(radial_frequency((n, n), spacing).ravel(), edges) - 1
    radial = np.array([power.ravel()[bins == b].mean() if (bins == b).any() else np.nan for b in range(len(centres))])
    return NoiseSpectrum(centres, radial / np.nansum(radial), float(np.median([item[0] for item in calm])))


def drawn_spectrum(noise: Noise, like: NoiseSpectrum) -> NDArray[np.float64]:
    """In-plane power the noise was asked for, at the frequencies of a measured spectrum and scaled to it above 0.1 per mm."""
    f = like.per_mm.astype(np.float32)
    power = noise_amplitude(noise, (f, np.zeros_like(f), np.zeros_like(f))).astype(float) ** 2
    fine = like.per_mm > 0.1
    return power * np.nansum(like.power[fine]) / power[fine].sum()


def _tiles(image: NDArray[np.float32], n: int) -> Iterator[NDArray[np.float64]]:
    for k in range(0, image.shape[2], 2):
        for i in range(0, image.shape[0] - n + 1, n // 2):
            for j in range(0, image.shape[1] - n + 1, n // 2):
                yield image[i : i + n, j : j + n, k].astype(float)


def _detrended(patch: NDArray[np.float64]) -> NDArray[np.float64]:
    """The patch less its best quadratic surface."""
    x, y = np.meshgrid(*(np.linspace(-1, 1, n) for n in patch.shape), indexing="ij")
    basis = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=-1).reshape(-1, 6)
    return (patch.ravel() - basis @ np.linalg.lstsq(basis, patch.ravel(), rcond=None)[0]).reshape(patch.shape)


def edge_widths(image: NDArray[np.float32], spacing: NDArray[np.float64], rng: np.random.Generator) -> dict[str, float]:
    """Median sigma (mm) of error-function edges between two tissues, in the axial plane: contrast / (slope * sqrt(2 pi)).

    Profiles of +-5 mm run along the gradient of the slightly smoothed image through voxels of a strong gradient; those whose two
    ends match the mean HU of the two sides (within a third of the contrast) count.
    """
    smooth = gaussian_filter(image, 0.7 / spacing)
    gradient = np.stack(np.gradient(smooth, *spacing)[:2], axis=-1)
    strong = np.argwhere(gaussian_gradient_magnitude(image, 0.7 / spacing) * 1.0 > 12.0 * spacing.min())
    strong = strong[rng.permutation(len(strong))[:40000]]
    normal = gradient[tuple(strong.T)]
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    steps = np.arange(-5.0, 5.01, 0.25)
    places = strong[:, None, :2] + steps[None, :, None] * normal[:, None, :] / spacing[:2]
    axial = np.broadcast_to(strong[:, None, 2:], (*places.shape[:2], 1))
    profiles = map_coordinates(image, np.concatenate([places, axial], axis=-1).transpose(2, 0, 1), order=1, mode="nearest")
    ends = profiles[:, :6].mean(axis=1), profiles[:, -6:].mean(axis=1)
    slope = np.diff(profiles, axis=1).max(axis=1) / 0.25
    widths = {}
    for name, (low, high) in EDGES.items():
        fits = (np.abs(ends[0] - low) < (high - low) / 3) & (np.abs(ends[1] - high) < (high - low) / 3)
        sigma = (ends[1] - ends[0])[fits] / (slope[fits] * np.sqrt(2 * np.pi) + 1e-9)
        widths[name] = float(np.median(sigma)) if fits.sum() >= 30 else float("nan")
    return widths
