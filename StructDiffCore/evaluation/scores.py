"""Scores of a synthetic volume: does it look like the scan it should look like?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from StructDiffCore.domain import LabelMap, StructDiffError, Volume
from StructDiffCore.measures.edges import edge_widths
from StructDiffCore.measures.intensity import Intensity, intensities, wasserstein_hu
from StructDiffCore.measures.noise import NoiseModel, fit_noise

Scores = dict[str, float]

NOISE_BANDS_PER_MM = (0.05, 0.15, 0.3, 0.5)
MOST_VOXELS = 200_000
"""Sample of unlabelled voxels whose distributions are compared."""


@dataclass(frozen=True, eq=False)
class Scan:
    """An image with the mask it is held to, on one grid."""

    image: Volume
    mask: LabelMap


def look_scores(made: Scan, reference: Scan) -> Scores:
    """HU, noise and edges of ``made`` against a reference in the same look (its anatomy may differ)."""
    thin = made.mask.scheme.thin_values
    return {**_hu_scores(made, reference, thin), **_noise_scores(made, reference), **_edge_scores(made, reference)}


def per_label(made: Scan, reference: Scan) -> dict[str, dict[str, float]]:
    """Median and IQR (HU) of every shared label beside the reference's, with their Wasserstein distance."""
    ours, theirs = _intensities(made), _intensities(reference)
    apart = wasserstein_hu(made.image.voxels, made.mask.voxels, reference.image.voxels, reference.mask.voxels)
    return {made.mask.scheme[v].name: _row(ours[v], theirs[v], apart[v]) for v in ours if v in theirs}


def _row(ours: Intensity, theirs: Intensity, apart_hu: float) -> dict[str, float]:
    return {
        "median HU": ours.median_hu,
        "reference median HU": theirs.median_hu,
        "IQR HU": ours.iqr_hu,
        "reference IQR HU": theirs.iqr_hu,
        "Wasserstein HU": apart_hu,
    }


def _intensities(scan: Scan) -> dict[int, Intensity]:
    return intensities(scan.image.voxels, scan.mask.voxels)


def _hu_scores(made: Scan, reference: Scan, thin: Iterable[int]) -> Scores:
    ours, theirs = _intensities(made), _intensities(reference)
    errors = {v: abs(ours[v].median_hu - theirs[v].median_hu) for v in ours if v in theirs}
    spreads = [abs(ours[v].iqr_hu - theirs[v].iqr_hu) for v in errors]
    return {
        "median error thick HU": _mean(e for v, e in errors.items() if v not in thin),
        "median error thin HU": _mean(e for v, e in errors.items() if v in thin),
        "IQR error HU": _mean(spreads),
        "unlabelled Wasserstein HU": wasserstein_distance(_unlabelled(made), _unlabelled(reference)),
    }


def _noise_scores(made: Scan, reference: Scan) -> Scores:
    ours, theirs = _noise(made), _noise(reference)
    if ours is None or theirs is None:
        return {"noise ratio": float("nan"), "noise band error": float("nan")}
    bands, wanted = (model.band_amplitudes(NOISE_BANDS_PER_MM) / model.amplitude_hu for model in (ours, theirs))
    heard = wanted > 0.05
    return {
        "noise ratio": ours.amplitude_hu / theirs.amplitude_hu,
        "noise band error": float(np.abs(bands[heard] / wanted[heard] - 1).max()) if heard.any() else float("nan"),
    }


def _noise(scan: Scan) -> NoiseModel | None:
    """The scan's noise; None where no region is large enough to read it."""
    try:
        return fit_noise(scan.image.voxels, scan.mask.voxels, scan.image.geometry.spacing)
    except StructDiffError:
        return None


def _edge_scores(made: Scan, reference: Scan) -> Scores:
    """Mean ratio of edge widths over the labels whose edges both show."""
    ours, theirs = (edge_widths(s.image.voxels, s.mask.voxels, s.image.geometry.spacing) for s in (made, reference))
    return {"edge ratio": _mean(ours[v].sigma_mm / theirs[v].sigma_mm for v in ours if v in theirs)}


def _unlabelled(scan: Scan) -> NDArray[np.float32]:
    hu = scan.image.voxels[scan.mask.voxels == 0]
    return hu[:: max(1, hu.size // MOST_VOXELS)] if hu.size else np.zeros(1, np.float32)


def _mean(numbers: Iterable[float]) -> float:
    known = [number for number in numbers if np.isfinite(number)]
    return float(np.mean(known)) if known else float("nan")
