"""The honest rival: painted prior, point spread and noise fitted to the template, no network."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from StructDiffCore.domain import Geometry
from StructDiffCore.measures.noise import NoiseModel
from StructDiffCore.models.conditioning import ConditionSource

from .acquisition_noise import sample_noise
from .result import Synthesis, ct_volume


def render_from_prior(
    source: ConditionSource, geometry: Geometry, noise: NoiseModel, psf_sigma_mm: ArrayLike, seed: int
) -> Synthesis:
    """The painted prior under the fitted point spread (one sigma or one per axis), plus noise."""
    clean = source.prior(psf_sigma_mm)
    noisy = clean + sample_noise(noise, geometry, seed)
    record = {"generator": "renderer", "seed": seed, "psf_sigma_mm": np.asarray(psf_sigma_mm, float).tolist()}
    return Synthesis(ct_volume(clean, geometry), ct_volume(noisy, geometry), {**record, "noise": noise.as_dict()})
