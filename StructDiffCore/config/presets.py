"""Presets: one table. Standard library only, so that the command line can name its choices at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SamplerPreset:
    """How a named sampler is run when nothing else is asked for."""

    steps: int
    """Denoising steps on the log-SNR grid."""
    calls_per_step: int = 1
    """Network calls per step (Heun corrects every step once)."""


SAMPLERS: dict[str, SamplerPreset] = {
    "dpm_solver_pp_2m": SamplerPreset(10),
    "ddim": SamplerPreset(20),
    "ddpm": SamplerPreset(50),
    "euler": SamplerPreset(20),
    "heun": SamplerPreset(10, calls_per_step=2),
}
"""Steps at which each sampler keeps a 20 HU noise texture on the log-SNR grid (METHODS, section 1) with some reserve."""

DEFAULT_SAMPLER = "dpm_solver_pp_2m"
DEFAULT_TEMPERATURE = 0.8
"""Strength of the start noise. At 1 tissue speckles where mask and template disagree (BENCHMARKS, "Temperature")."""
DEFAULT_MODEL = "structdiff-cardiac"
TILE_MULTIPLE = 8
"""Space-to-depth by 2 and two halvings: a tile's edge must divide by it."""

SSV_METHODS = {
    "trajectory": "spread of the estimates along the sample's own path (no further network calls)",
    "tails": "spread over short paths that leave the sample's own at its middle (one further call each)",
    "full": "spread over several skipped paths from the same start noise, as published: found not informative on digital hearts",
    "noises": "spread over several samples from fresh start noises",
    "head": "expected error, from a small network on the generator's features (no further network calls); informative on digital "
    "hearts about errors above 50 HU, not about what a segmenter would misread",
    "off": "no confidence map",
}
"""How a confidence map is made, in the order of the command line's choices."""
DEFAULT_SSV = "head"
SSV_PATHS = 5
"""Paths of ``full``, ``tails`` and ``noises``."""
CONFIDENCE_WINDOW_HU = (0.0, 100.0)
"""Fixed display window of the confidence map, the same for all samples, so that two maps can be compared.

Expected errors of the error head: 12 HU within a chamber, 60 HU in coronaries, hundreds where one is missing."""


@dataclass(frozen=True)
class Preset:
    """How a synthesis runs when one word is all that is asked for."""

    sampler: str
    steps: int
    samples: int
    ssv: str
    words: str
    """What it is for, for a person."""


PRESETS: dict[str, Preset] = {
    "quick": Preset(DEFAULT_SAMPLER, 6, 1, DEFAULT_SSV, "a first look"),
    "standard": Preset(DEFAULT_SAMPLER, SAMPLERS[DEFAULT_SAMPLER].steps, 1, DEFAULT_SSV, "one volume as it is meant to be"),
    "best": Preset(DEFAULT_SAMPLER, 20, 3, DEFAULT_SSV, "three volumes in fine steps"),
}
"""Explicit options win over a preset's."""
DEFAULT_PRESET = "standard"
