"""ConditionEncoder: prior, distances, template and label slots to features per U-Net level; once per tile, no noise enters."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from .blocks import ChannelNorm, Downsample, ResidualBlock
from .condition_tensors import MAP_NAMES, ConditionTensors
from .network_settings import NetworkSettings
from .region_attention import RegionAttention
from .space_to_depth import space_to_depth


@dataclass(frozen=True, eq=False)
class Features:
    """What all sampling steps of one tile share."""

    levels: tuple[Tensor, ...]
    """One [B, C_l, I/2^(l+1), ...] per U-Net level."""
    detail: Tensor
    """[B, 6, I, J, K]: the maps at full resolution, for the head."""


class SlotEmbedding(nn.Module):
    """Labels enter by what their region codes say, never by their number: a sum over slots, so their order cannot matter."""

    def __init__(self, code_length: int, features: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(code_length, 64), nn.SiLU(), nn.Linear(64, features))

    def forward(self, occupancy: Tensor, codes: Tensor) -> Tensor:
        """[B, S, i, j, k] shares and [B, S, code_length] codes -> [B, features, i, j, k]."""
        return torch.einsum("bsijk,bsf->bfijk", occupancy, self.mlp(codes).to(occupancy.dtype))


class ConditionEncoder(nn.Module):
    """Residual blocks on the way down; every level's result is handed to the U-Net."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        channels, attends = settings.channels, settings.region_conditioning == "attention"
        self.slots = None if attends else SlotEmbedding(settings.code_length, settings.slot_features)
        self.stem = nn.Conv3d(8 * len(MAP_NAMES) + (0 if attends else settings.slot_features), channels[0], 3, padding=1)
        self.downs = nn.ModuleList(Downsample(a, b) for a, b in pairwise(channels))
        self.blocks = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(c) for _ in range(n))) for c, n in zip(channels, settings.condition_blocks)
        )
        self.norms = nn.ModuleList(ChannelNorm(c) for c in channels)
        self.regions = RegionAttention(channels[-1], settings.code_length) if attends else None

    def forward(self, condition: ConditionTensors) -> Features:
        dtype = self.stem.weight.dtype
        maps, codes = condition.maps.to(dtype), condition.codes.to(dtype)
        told = [space_to_depth(maps)]
        if self.slots is not None:
            told.append(self.slots(condition.occupancy.to(dtype), codes).to(dtype))
        level = self.blocks[0](self.stem(torch.cat(told, 1).contiguous(memory_format=torch.channels_last_3d)))
        levels = [level]
        for down, blocks in zip(self.downs, self.blocks[1:]):
            level = blocks(down(level))
            levels.append(level)
        if self.regions is not None:
            levels[-1] = level + self.regions(level, codes)
        return Features(tuple(norm(level) for norm, level in zip(self.norms, levels)), maps)
