"""Acquisition noise of a scan: amplitude law and noise power spectrum, read in eroded homogeneous regions at native spacing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from StructDiffCore.domain import StructDiffError

DETREND_MM = 5.0
"""What is smoother than a Gaussian of this standard deviation counts as anatomy."""
LAG_MM = 10.0
"""Reach of the autocovariance; its inverse is the width of a frequency bin."""
BLOCK_MM = 10.0
FEWEST_VOXELS = 400
OUTLIER_SPREADS = 4.0
QUIET_FACTOR = 1.35
"""Regions louder than this times the quietest carry anatomical texture and are left out."""
AIR_BELOW_HU = -300.0
"""Air is clipped, lung is textured: neither is read unless there is nothing else."""


@dataclass(frozen=True)
class NoiseModel:
    """Zero-mean Gaussian noise, S(f_plane, f_axial) = amplitude² * plane spectrum * axial spectrum."""

    amplitude_hu: float
    """Standard deviation at the centre of the field."""
    plane_law: float
    """b of log(amplitude) = log(amplitude_hu) + b (r / 100 mm)² + c (z / 100 mm)², r in plane and z along the patient."""
    axial_law: float
    amplitude_range_hu: tuple[float, float]
    """Range seen in the scan; the law is not extrapolated beyond."""
    frequency_per_mm: tuple[float, ...]
    """In-plane bin centres, up to the scan's Nyquist frequency."""
    plane_power: tuple[float, ...]
    """Per bin, mm²; the last one holds out to the corners, the integral over all in-plane frequencies is 1."""
    axial_frequency_per_mm: tuple[float, ...]
    axial_power: tuple[float, ...]
    """Per bin, mm; its integral over -f..f is 1."""
    plane_nyquist_per_mm: float
    axial_nyquist_per_mm: float
    region_amplitude_hu: Mapping[str, float]
    """Amplitude per label that was read, for the report."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> NoiseModel:
        """From ``as_dict``."""
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in content.items()}
        return cls(**values)

    def amplitude_at(self, plane_mm2: NDArray, axial_mm2: NDArray) -> NDArray[np.float32]:
        """Standard deviation in HU at squared distances (mm²) from the field's axis and from its middle slice."""
        law = self.amplitude_hu * np.exp((self.plane_law * plane_mm2 + self.axial_law * axial_mm2) / 1e4)
        return np.clip(law, *self.amplitude_range_hu).astype(np.float32)

    def band_amplitudes(self, edges_per_mm: ArrayLike) -> NDArray[np.float64]:
        """Standard deviation in HU of the in-plane spectrum between consecutive frequencies."""
        edges, f = np.asarray(edges_per_mm, float), np.asarray(self.frequency_per_mm)
        ring = 2 * np.pi * f * np.asarray(self.plane_power) * np.gradient(f)
        share = np.array([ring[(f >= low) & (f < high)].sum() for low, high in pairwise(edges)])
        return self.amplitude_hu * np.sqrt(share)


def fit_noise(image: NDArray[np.float32], labels: NDArray[np.integer], spacing: ArrayLike, axial_axis: int = 2) -> NoiseModel:
    """Noise of ``image`` (i, j, k) in HU; ``labels`` (i, j, k) name its regions, 0 is not read; ``spacing`` in mm.

    Each region's median and what is smoother than 5 mm are taken off, outliers clipped, loud (textured) regions left out.
    Raises StructDiffError where no region is large enough to read noise in, or none has any.
    """
    step = np.asarray(spacing, float)
    interior = _interior(labels)
    residual, loudness = _residual(image, labels, interior, step)
    quiet = _quiet_values(loudness)
    read = interior & np.isin(labels, list(quiet))
    amplitudes = {str(value): round(loudness[value][0], 3) for value in sorted(quiet)}
    middle, plane_law, axial_law, span = _amplitude_law(residual, read, step, axial_axis)
    nyquist = (0.5 / _plane_step(step, axial_axis), 0.5 / float(step[axial_axis]))
    law = NoiseModel(middle, plane_law, axial_law, span, (), (), (), (), *nyquist, amplitudes)
    unit = np.where(read, residual / law.amplitude_at(*squared_offsets(image.shape, step, axial_axis)), 0)
    unit = np.clip(unit, -OUTLIER_SPREADS, OUTLIER_SPREADS).astype(np.float32)
    plane, axial = _separable(_power_spectrum(unit, read, step), step, axial_axis)
    return replace(law, frequency_per_mm=plane[0], plane_power=plane[1], axial_frequency_per_mm=axial[0], axial_power=axial[1])


Line = tuple[float, ...]
Offsets = tuple[NDArray[np.float32], NDArray[np.float32]]


def squared_offsets(shape: tuple[int, ...], spacing: ArrayLike, axial_axis: int) -> Offsets:
    """Squared distance in mm² from the field's centre, in plane and axial; broadcastable to ``shape``."""
    squares = []
    for axis, (n, step) in enumerate(zip(shape, np.asarray(spacing, float))):
        line = (((np.arange(n) - (n - 1) / 2) * step) ** 2).astype(np.float32)
        squares.append(line.reshape([-1 if axis == other else 1 for other in range(3)]))
    first, second = (squares[a] for a in range(3) if a != axial_axis)
    return first + second, squares[axial_axis]


def _plane_step(spacing: NDArray, axial_axis: int) -> float:
    return float(max(spacing[a] for a in range(3) if a != axial_axis))


def _interior(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Voxels two layers inside their label; one layer where that leaves too few."""
    for size in (5, 3):
        inside = (ndimage.minimum_filter(labels, size) == ndimage.maximum_filter(labels, size)) & (labels != 0)
        if inside.sum() >= 10 * FEWEST_VOXELS:
            return inside
    return inside


def _residual(
    image: NDArray[np.float32], labels: NDArray[np.integer], interior: NDArray[np.bool_], step: NDArray
) -> tuple[NDArray[np.float32], dict[int, tuple[float, float]]]:
    """High-pass residual (i, j, k), 0 outside ``interior``; (amplitude, median HU) per label that is large enough."""
    flat, hu = labels[interior], image[interior].astype(np.float32)
    order = np.argsort(flat, kind="stable")
    values, starts = np.unique(flat[order], return_index=True)
    groups = np.split(order, starts[1:])
    medians = [float(np.median(hu[g])) for g in groups]
    centred = np.zeros(image.shape, np.float32)
    centred[interior] = hu - np.asarray(medians, np.float32)[np.searchsorted(values, flat)]
    weight = interior.astype(np.float32)
    sigma = DETREND_MM / step
    trend = ndimage.gaussian_filter(centred, sigma, truncate=2.0)
    trend /= np.maximum(ndimage.gaussian_filter(weight, sigma, truncate=2.0), 1e-3)
    residual = (centred - trend) * weight
    left = residual[interior]
    large = {int(v): (_spread(left[g]), m) for v, g, m in zip(values, groups, medians) if len(g) >= FEWEST_VOXELS}
    return residual, large


def _quiet_values(loudness: Mapping[int, tuple[float, float]]) -> set[int]:
    """The labels to read: dense enough not to be air or lung, and not much louder than the quietest."""
    tissue = {v: a for v, (a, median) in loudness.items() if median > AIR_BELOW_HU and a > 0}
    tissue = tissue or {v: a for v, (a, _) in loudness.items() if a > 0}
    if loudness and not tissue:
        raise StructDiffError(
            "the template has no noise: inside its labels every voxel is as its neighbours",
            "give a CT as it was reconstructed, not a drawn or denoised one",
        )
    if not tissue:
        raise StructDiffError(
            f"no region has {FEWEST_VOXELS} voxels away from its border to read the noise in",
            "give a template with a larger labelled structure",
        )
    limit = QUIET_FACTOR * min(tissue.values())
    return {v for v, a in tissue.items() if a <= limit}


def _amplitude_law(
    residual: NDArray[np.float32], read: NDArray[np.bool_], step: NDArray, axial_axis: int
) -> tuple[float, float, float, tuple[float, float]]:
    """Centre amplitude, in-plane and axial curvature, and the range, from the spreads of blocks of about a centimetre."""
    plane, axial = squared_offsets(residual.shape, step, axial_axis)
    index = np.argwhere(read)
    block = (index * step // BLOCK_MM).astype(np.int64)
    key = np.ravel_multi_index(tuple(block.T), tuple(block.max(0) + 1))
    order = np.argsort(key, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(key[order])) + 1)
    values = residual[read]
    r2 = (np.broadcast_to(plane, residual.shape)[read], np.broadcast_to(axial, residual.shape)[read])
    rows = [(_spread(values[g]), r2[0][g].mean(), r2[1][g].mean(), len(g)) for g in groups if len(g) >= 60]
    overall = _spread(values)
    if len(rows) < 12:
        return overall, 0.0, 0.0, (overall, overall)
    spread, plane2, axial2, count = np.asarray(rows, float).T
    low, high = np.percentile(spread, (5, 95))
    centre, b, c = _law_fit(np.maximum(spread, 1e-3), plane2 / 1e4, axial2 / 1e4, np.sqrt(count))
    return centre, b, c, (float(low), float(high))


def _law_fit(spread: NDArray, plane2: NDArray, axial2: NDArray, weight: NDArray) -> tuple[float, float, float]:
    """Least squares of log spread on (1, r², z²), with a little shrinkage of the curvatures towards 0."""
    columns = np.stack([np.ones_like(plane2), plane2, axial2], 1) * weight[:, None]
    shrink = np.diag([0.0, 1.0, 1.0]) * 2e-4 * float(np.sum(weight**2))
    normal = columns.T @ columns + shrink
    a, b, c = np.linalg.solve(normal, columns.T @ (np.log(spread) * weight))
    return float(np.exp(a)), float(b), float(c)


def _power_spectrum(unit: NDArray[np.float32], read: NDArray[np.bool_], step: NDArray) -> NDArray[np.float64]:
    """Noise power (fft order, mm³, integral 1) from the autocovariance of irregular regions (masked correlation)."""
    reach = np.minimum(np.ceil(LAG_MM / step).astype(int), (np.asarray(unit.shape) - 1) // 2)
    shape = tuple(scipy.fft.next_fast_len(int(n + r), real=True) for n, r in zip(unit.shape, reach))
    covariance = _autocorrelation(unit, shape, reach)
    pairs = _autocorrelation(read.astype(np.float32), shape, reach)
    ratio = np.where(pairs > 50, covariance / np.maximum(pairs, 1), 0.0)
    taper = np.ones(())
    for r in reach:
        lag = np.arange(-r, r + 1) / (r + 1)
        taper = np.multiply.outer(taper, 0.5 * (1 + np.cos(np.pi * lag)))
    power = np.fft.fftn(np.fft.ifftshift(ratio * taper)).real.clip(min=0) * float(np.prod(step))
    cell = float(np.prod(1 / (np.asarray(power.shape) * step)))
    return power / max(float(power.sum()) * cell, 1e-12)


def _autocorrelation(values: NDArray[np.float32], shape: tuple[int, ...], reach: NDArray) -> NDArray[np.float64]:
    """Sum of products at all lags up to ``reach``, lag 0 in the middle."""
    spectrum = scipy.fft.rfftn(values, s=shape)
    products = scipy.fft.irfftn(np.abs(spectrum) ** 2, s=shape)
    for axis, r in enumerate(reach):
        products = np.take(products, np.arange(-r, r + 1), axis=axis, mode="wrap")
    return products.astype(np.float64)


def _separable(power: NDArray[np.float64], step: NDArray, axial_axis: int) -> tuple[tuple[Line, Line], tuple[Line, Line]]:
    """(frequencies, power) of the in-plane radial and of the axial spectrum of a 3D one, each of integral 1."""
    moved = np.moveaxis(power, axial_axis, 2)
    spacing = [step[a] for a in range(3) if a != axial_axis] + [step[axial_axis]]
    first, second, axial = (np.fft.fftfreq(n, s) for n, s in zip(moved.shape, spacing))
    radius = np.sqrt(first[:, None] ** 2 + second[None, :] ** 2)
    width = max(1 / (n * s) for n, s in zip(moved.shape[:2], spacing[:2]))
    nyquist = 0.5 / max(spacing[:2])
    edges = np.arange(0, nyquist + width, width)
    which = np.digitize(radius.ravel(), edges) - 1
    in_plane = moved.sum(2).ravel()
    count = np.bincount(which, minlength=len(edges))[: len(edges) - 1]
    total = np.bincount(which, in_plane, minlength=len(edges))[: len(edges) - 1]
    f = (edges[:-1] + edges[1:]) / 2
    plane = total / np.maximum(count, 1) / (moved.shape[2] * spacing[2])
    half = moved.shape[2] // 2 + 1
    along = np.abs(axial[:half])
    line = moved.sum((0, 1))[:half]
    mirrored = np.where(along == 0, 1.0, 2.0) * line / (moved.shape[2] * spacing[2])
    line = line / max(float(mirrored.sum()), 1e-12)
    return (tuple(f.tolist()), tuple(plane.tolist())), (tuple(along.tolist()), tuple(line.tolist()))


def _spread(values: NDArray) -> float:
    """Robust standard deviation of centred values."""
    return 1.4826 * float(np.median(np.abs(values)))
