"""Patches of a CT and what they look like in 14 named numbers: the features behind the realism scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter
from scipy.stats import kurtosis, skew

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
    radius = radial_frequency(residual.shape[:2], spacing)
    total = power[radius > 0].sum() + 1e-9
    return np.array(
        [power[(radius > low) & (radius <= high)].sum() / total for low, high in ((0, 0.12), (0.12, 0.25), (0.25, 9))]
    )


def radial_frequency(shape: tuple[int, ...], spacing: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.hypot(np.fft.fftfreq(shape[0], spacing[0])[:, None], np.fft.fftfreq(shape[1], spacing[1])[None, :])
