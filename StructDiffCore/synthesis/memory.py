"""What a synthesis needs of memory, from sizes alone: no torch, so that a window can ask while it is being filled in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from StructDiffCore.config.settings import SynthesisSettings

TARGET_BYTES_PER_VOXEL = 48
"""Whole-volume arrays at the peak: labels, aligned template, slots, sampler state, noise."""
SPREAD_BYTES_PER_VOXEL = {"off": 0, "trajectory": 8, "full": 16, "tails": 24, "noises": 20, "head": 8}
"""The confidence map's running mean and squares; several paths walk on beside the finished volume."""
DETAIL_BYTES_PER_VOXEL = 4
"""The template's detail, kept beside the condition."""
TEMPLATE_BYTES_PER_VOXEL = 100
"""Reading a template's region codes and noise."""
MOST_VOXELS_READ = 24_000_000
"""Of a larger template, a slab of this size is read."""
TILE_BYTES_PER_VOXEL = {"float32": 800, "bfloat16": 400}
"""The network at work on one tile (bfloat16 measured: 330)."""
PROGRAM_BYTES = 700 * 2**20
"""Libraries and weights."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that a synthesis needs at its peak."""

    volume: int
    tile: int
    cache: int

    @property
    def total(self) -> int:
        return self.volume + self.tile + self.cache


def memory_needed(shape: Sequence[int], template_voxels: int, settings: SynthesisSettings, precision: str) -> MemoryEstimate:
    """Estimate for a target of ``shape`` voxels in float32 or bfloat16, beyond what the program itself holds."""
    voxels = int(shape[0]) * int(shape[1]) * int(shape[2])
    detail = DETAIL_BYTES_PER_VOXEL if settings.template_detail else 0
    target = voxels * (TARGET_BYTES_PER_VOXEL + SPREAD_BYTES_PER_VOXEL[settings.ssv] + detail)
    whole = max(target, min(template_voxels, MOST_VOXELS_READ) * TEMPLATE_BYTES_PER_VOXEL)
    tile_voxels = min(settings.tile, shape[0]) * min(settings.tile, shape[1]) * min(settings.tile, shape[2])
    return MemoryEstimate(whole, int(tile_voxels) * TILE_BYTES_PER_VOXEL[precision], settings.feature_cache_mib * 2**20)
