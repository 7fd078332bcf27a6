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
DEFAULT_MODEL = "structdiff-cardiac"
TILE_MULTIPLE = 8
"""Space-to-depth by 2 and two halvings: a tile's edge must divide by it."""
