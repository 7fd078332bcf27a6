"""Settings of a synthesis: how the volume is made, stored as they are in the manifest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from StructDiffCore.domain import StructDiffError

from .presets import DEFAULT_SAMPLER, DEFAULT_SSV, DEFAULT_TEMPERATURE, SAMPLERS, SSV_METHODS, SSV_PATHS, TILE_MULTIPLE

PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class SynthesisSettings:
    """How a whole volume is sampled. Equal settings, seed, device type, precision and threads give equal voxels."""

    sampler: str = DEFAULT_SAMPLER
    """Name in the presets' table of samplers."""
    steps: int = SAMPLERS[DEFAULT_SAMPLER].steps
    """Denoising steps on the log-SNR grid."""
    tile: int = 128
    """Edge of a tile in voxels; memory grows with its cube, the share of voxels computed twice shrinks with it."""
    overlap: int = 16
    """Voxels that neighbouring tiles share and blend."""
    precision: str = "auto"
    """Network arithmetic: float32, bfloat16, or auto: bfloat16 where it is clearly faster."""
    temperature: float = DEFAULT_TEMPERATURE
    """Strength of the start noise, 0 to 1: less makes calmer, less varied tissue (0: the most likely picture)."""
    template_detail: bool = False
    """Carry over what the template shows of tissue that neither mask labels (vessels of the lung, cortex of bone, devices)."""
    feature_cache_mib: int = 512
    """Memory for condition features kept from step to step; tiles beyond it are encoded anew at every step."""
    ssv: str = DEFAULT_SSV
    """How the confidence map is made: a name in the presets' table of methods."""
    ssv_paths: int = SSV_PATHS
    """Paths of the methods ``full``, ``tails`` and ``noises``."""

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            raise StructDiffError(f"unknown sampler '{self.sampler}'", f"choose one of {', '.join(SAMPLERS)}")
        if self.precision not in PRECISIONS:
            raise StructDiffError(f"unknown precision '{self.precision}'", f"choose one of {', '.join(PRECISIONS)}")
        if self.steps < 1:
            raise StructDiffError(f"steps is {self.steps}, expected 1 or more", "ask for 1 or more steps")
        if not 0 <= self.temperature <= 1:
            raise StructDiffError(f"temperature is {self.temperature}, expected 0 to 1", "give 1 for full variety")
        if self.tile < 16 or self.tile % TILE_MULTIPLE:
            raise StructDiffError(f"tile is {self.tile}, expected a multiple of {TILE_MULTIPLE}, 16 or more", "give 64 or 96")
        if self.overlap < 0 or self.overlap % TILE_MULTIPLE or self.overlap > self.tile // 2:
            raise StructDiffError(
                f"overlap is {self.overlap}, expected a multiple of {TILE_MULTIPLE} up to half the tile ({self.tile // 2})",
                "give 16",
            )
        if self.feature_cache_mib < 0:
            raise StructDiffError(f"the feature cache is {self.feature_cache_mib} MiB", "give 0 or more")
        if self.ssv not in SSV_METHODS:
            raise StructDiffError(f"unknown confidence method '{self.ssv}'", f"choose one of {', '.join(SSV_METHODS)}")
        if self.ssv_paths < 2:
            raise StructDiffError(f"ssv_paths is {self.ssv_paths}, expected 2 or more", "a spread needs two paths or more")

    @property
    def denoiser_calls(self) -> int:
        """How often a sampler asks for a clean estimate; the last step needs no correction."""
        per_step = SAMPLERS[self.sampler].calls_per_step
        return self.steps * per_step - (per_step - 1)

    def as_dict(self) -> dict[str, Any]:
        """JSON form, as manifests carry it."""
        return asdict(self)
