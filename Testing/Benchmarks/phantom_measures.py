"""Measures for the phantom page: patches with named features, noise spectra, edge widths, a small cross-validated classifier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude, map_coordinates, uniform_filter
from scipy.stats import kurtosis, rankdata, skew

from StructDiffCore.phantom.noise import Noise, noise_amplitude

PATCH_MM = 12.0
CLASSES: Mapping[str, tuple[float, float]] = {
    "lung": (-960.0, -650.0),
    "fat": (-140.0, -40.0),
    "soft": (0.0, 140.0),
    "blood": (200.0, 700.0),
    "edge": (-np.inf, np.inf),
}
"""Patches by mean HU; "edge" takes what is left, where the spread exceeds ``EDGE_SPREAD_HU``."""
EDGE_SPREAD_HU = 120.0
PURITY_HU = 60.0
"""How far the tails of a patch may leave its class: room for noise, not for another tissue."""
FEATURES = (
    "spread", "skewness", "kurtosis", "range", "gradient", "gradient peak", "low band", "middle band", "high band",
    "neighbour correlation in plane", "two-step correlation in plane", "neighbour correlation axial", "slow slope", "isotropy",
)  # fmt: skip
EDGES: Mapping[str, tuple[float, float]] = {
    "lung": (-820.0, 0.0),
    "fat": (-100.0, 40.0),
    "blood": (70.0, 350.0),
    "air": (-1000.0, -60.0),
}
"""Mean HU of the low and the high side of the edges that are measured."""


@dataclass(frozen=True)
class Patches:
    """Features (n, len(FEATURES)), class by patch and the region it comes from (for splitting)."""

    features: NDArray[np.float64]
    kind: NDArray[np.str_]
    region: NDArray[np.int64]


def patches(image: NDArray[np.float32], spacing: NDArray[np.float64], rng: np.random.Generator, count: int = 250) -> Patches:
    """At most ``count`` patches of each class of an (i, j, k) image; regions are its octants."""
    size = np.maximum(np.round(PATCH_MM / spacing).astype(int), 3)
    starts = rng.integers(0, np.maximum(np.array(image.shape) - size, 1), (60 * count, 3))
    rows, kinds, regions = [], [], []
    taken = dict.fromkeys(CLASSES, 0)
    for start in starts:
        patch = image[tuple(slice(a, a + n) for a, n in zip(start, size))]
        kind = _class_of(patch)
        if kind is None or taken[kind] >= count:
            continue
        taken[kind] += 1
        rows.append(_features(patch.astype(float), spacing))
        kinds.append(kind)
        regions.append(int(np.dot(2 * start >= np.array(image.shape) - size, (1, 2, 4))))
    return Patches(np.array(rows).reshape(-1, len(FEATURES)), np.array(kinds), np.array(regions))


def _class_of(patch: NDArray[np.float32]) -> str | None:
    mean, spread = float(patch.mean()), float(patch.std())
    if spread > EDGE_SPREAD_HU:
        return "edge" if mean > -900 else None
    kind = next((kind for kind, (low, high) in CLASSES.items() if kind != "edge" and low < mean < high), None)
    if kind in (None, "lung"):
        return kind
    low, high = CLASSES[kind]
    whole = low - PURITY_HU < np.percentile(patch, 5) and np.percentile(patch, 95) < high + PURITY_HU
    return kind if whole else None


def _features(patch: NDArray[np.float64], spacing: NDArray[np.float64]) -> list[float]:
    residual = patch - patch.mean()
    flat = residual - uniform_filter(residual, np.maximum(np.round(6.0 / spacing), 1).astype(int))
    steps = [np.diff(patch, axis=a) / spacing[a] for a in range(3)]
    peak = np.concatenate([np.abs(s).ravel() for s in steps])
    bands = _bands(residual, spacing)
    spread = max(float(residual.std()), 1e-6)
    return [
        np.log(spread),
        float(skew(residual, axis=None)),
        float(np.log1p(kurtosis(residual, axis=None, fisher=False))),
        float(np.ptp(patch) / spread),
        float(np.log(np.mean(peak) + 1e-6)),
        float(np.percentile(peak, 98) / (np.mean(peak) + 1e-6)),
        *np.log(bands + 1e-6),
        _correlation(flat, 0, 1),
        _correlation(flat, 0, 2),
        _correlation(flat, 2, 1),
        float(np.log(gaussian_filter(residual, 3.0 / spacing).std() / spread + 1e-6)),
        float(np.log((np.abs(steps[0]).mean() + 1e-6) / (np.abs(steps[1]).mean() + 1e-6))),
    ]


def _correlation(field: NDArray[np.float64], axis: int, step: int) -> float:
    field = np.moveaxis(field, axis, 0)
    return float((field[step:] * field[:-step]).mean() / ((field**2).mean() + 1e-9)) if field.shape[0] > step else 0.0


def _bands(residual: NDArray[np.float64], spacing: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of in-plane power below 0.12, up to 0.25 and above 0.25 cycles per mm."""
    window = np.outer(np.hanning(residual.shape[0] + 2)[1:-1], np.hanning(residual.shape[1] + 2)[1:-1])[..., None]
    power = (np.abs(np.fft.fft2(residual * window, axes=(0, 1))) ** 2).sum(axis=2)
    radius = _radius(residual.shape[:2], spacing)
    total = power[radius > 0].sum() + 1e-9
    return np.array(
        [power[(radius > low) & (radius <= high)].sum() / total for low, high in ((0, 0.12), (0.12, 0.25), (0.25, 9))]
    )


def _radius(shape: tuple[int, ...], spacing: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.hypot(np.fft.fftfreq(shape[0], spacing[0])[:, None], np.fft.fftfreq(shape[1], spacing[1])[None, :])


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
    bins = np.digitize(_radius((n, n), spacing).ravel(), edges) - 1
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


def area_under_curve(score: NDArray[np.float64], real: NDArray[np.bool_]) -> float:
    """Probability that a real patch scores above a phantom one."""
    ranks = rankdata(score)
    n, m = int(real.sum()), int((~real).sum())
    return float((ranks[real].sum() - n * (n + 1) / 2) / max(n * m, 1))


@dataclass(frozen=True)
class Verdict:
    """How well real and phantom patches are told apart: 0.5 not at all, 1 always; and the mean weight of each feature."""

    area: float
    weights: NDArray[np.float64]


def cross_validated(features: NDArray[np.float64], real: NDArray[np.bool_], region: NDArray[np.int64]) -> Verdict:
    """Logistic regression on the features and their squares, judged on left-out regions."""
    standard = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-9)
    design = np.hstack([np.clip(standard, -4, 4), np.clip(standard, -3, 3) ** 2, np.ones((len(features), 1))])
    scores, weights = np.zeros(len(real)), []
    for fold in np.unique(region % 4):
        held = region % 4 == fold
        if len(np.unique(real[~held])) < 2:
            continue
        weight = _logistic(design[~held], real[~held].astype(float))
        weights.append(weight)
        scores[held] = design[held] @ weight
    return Verdict(area_under_curve(scores, real), np.mean(weights, axis=0)[: features.shape[1]])


def _logistic(design: NDArray[np.float64], target: NDArray[np.float64], ridge: float = 1.0) -> NDArray[np.float64]:
    """Newton's iterations on the ridge-penalised likelihood, classes weighted equally."""
    weight = np.zeros(design.shape[1])
    balance = np.where(target > 0, 0.5 / max(target.mean(), 1e-9), 0.5 / max(1 - target.mean(), 1e-9))
    for _ in range(12):
        p = 1.0 / (1.0 + np.exp(-np.clip(design @ weight, -30, 30)))
        gradient = design.T @ (balance * (p - target)) + ridge * weight
        hessian = (design * (balance * p * (1 - p))[:, None]).T @ design + ridge * np.eye(len(weight))
        weight -= np.linalg.solve(hessian, gradient)
    return weight
