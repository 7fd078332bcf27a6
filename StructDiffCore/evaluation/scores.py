"""Scores of a synthetic volume: does it look like the scan it should look like?"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from scipy.stats import wasserstein_distance

from StructDiffCore.measures.noise import NoiseModel

from .look import TISSUES, Look

Scores = dict[str, float]

NOISE_BANDS_PER_MM = (0.05, 0.15, 0.3, 0.5)
HEARD = 0.05
"""Bands with less of the noise than this share are not compared."""
THIN_TOLERANCE_HU = 40.0
FLOOR_FACTOR = 1.5
PEAK_RESOLUTION_MM = 0.125
"""Distances to the gradient peak are read in steps of 0.25 mm: less than half a step is none."""
Labels = dict[str, dict[str, float]]


def look_scores(made: Look, reference: Look, parts: Labels) -> Scores:
    """HU, noise and edges of ``made`` against a reference in the same look (its anatomy may differ); ``parts``: ``per_part``."""
    return {**_hu_scores(parts), **_unlabelled(made, reference), **_noise(made, reference), **_edges(made, reference)}


def per_part(made: Look, reference: Look, again: Look | None = None, peaks: bool = False) -> Labels:
    """Median and IQR (HU) of every shared part, and of unlabelled tissues, beside the reference's, their Wasserstein distance and
    the tolerance.

    ``again``: the reference's heart rendered once more, which says how far two true renderings lie apart. ``peaks``: also how far
    the gradient's peak lies from the mask.
    """
    shared = [name for name in made.intensities if name in reference.intensities]
    found = {name: _row(name, made, reference, again) for name in shared}
    for name in shared if peaks else ():
        if name in made.peaks_mm and name in reference.peaks_mm:
            found[name] |= {"edge distance mm": made.peaks_mm[name], "reference edge distance mm": reference.peaks_mm[name]}
    return found


def _row(name: str, made: Look, reference: Look, again: Look | None) -> dict[str, float]:
    ours, theirs = made.intensities[name], reference.intensities[name]
    apart = 0.0 if made is reference else float(wasserstein_distance(made.samples[name], reference.samples[name]))
    row = {
        "median HU": ours.median_hu,
        "reference median HU": theirs.median_hu,
        "IQR HU": ours.iqr_hu,
        "reference IQR HU": theirs.iqr_hu,
        "Wasserstein HU": apart,
        "thin": float(name in made.parts.thin),
        "labelled": float(name not in TISSUES),
    }
    repeated = None if again is None else again.intensities.get(name)
    if repeated is not None:
        row["floor HU"] = abs(repeated.median_hu - theirs.median_hu)
    if name in made.parts.thin:
        row["tolerance HU"] = max(THIN_TOLERANCE_HU, FLOOR_FACTOR * row.get("floor HU", 0.0))
    return row


def _hu_scores(parts: Labels) -> Scores:
    labelled = {name: row for name, row in parts.items() if row["labelled"]}
    apart = {name: abs(row["median HU"] - row["reference median HU"]) for name, row in labelled.items()}
    thick, thin = ([name for name, row in labelled.items() if row["thin"] == kind] for kind in (0, 1))
    return {
        "median error thick HU": _mean(apart[name] for name in thick),
        "median error thin HU": _mean(apart[name] for name in thin),
        "thin median error / tolerance": _most(apart[name] / parts[name]["tolerance HU"] for name in thin),
        "IQR error HU": _mean(abs(row["IQR HU"] - row["reference IQR HU"]) for row in labelled.values()),
    }


def _unlabelled(made: Look, reference: Look) -> Scores:
    apart = 0.0 if made is reference else float(wasserstein_distance(made.unlabelled, reference.unlabelled))
    return {"unlabelled Wasserstein HU": apart}


def _noise(made: Look, reference: Look) -> Scores:
    ours, theirs = made.noise, reference.noise
    if ours is None or theirs is None:
        return {"noise ratio": float("nan"), "noise band error": float("nan")}
    ratios = _band_ratios(ours, theirs)
    worst = max((abs(ratio - 1) for ratio in ratios.values()), default=float("nan"))
    return {"noise ratio": ours.amplitude_hu / theirs.amplitude_hu, "noise band error": worst, **ratios}


def _band_ratios(ours: NoiseModel, theirs: NoiseModel) -> Scores:
    """Share of each band of the spectrum over the reference's own."""
    bands, wanted = (model.band_amplitudes(NOISE_BANDS_PER_MM) / model.amplitude_hu for model in (ours, theirs))
    limits = pairwise(NOISE_BANDS_PER_MM)
    return {
        f"noise band {low:g}-{high:g} per mm": float(band / want)
        for (low, high), band, want in zip(limits, bands, wanted)
        if want > HEARD
    }


def _edges(made: Look, reference: Look) -> Scores:
    """Mean ratio of edge widths over the labels whose edges both show."""
    ours, theirs = made.edges, reference.edges
    return {"edge ratio": _mean(ours[v].sigma_mm / theirs[v].sigma_mm for v in ours if v in theirs)}


def _mean(numbers: Iterable[float]) -> float:
    known = [number for number in numbers if np.isfinite(number)]
    return float(np.mean(known)) if known else float("nan")


def _most(numbers: Iterable[float]) -> float:
    return max(numbers, default=float("nan"))
