"""UNet: the noisy residual and the condition features to the denoiser's raw answer F."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import ChannelNorm, Downsample, NoiseEmbedding, ResidualBlock, Upsample
from .condition_encoder import Features
from .condition_tensors import MAP_NAMES
from .full_resolution_head import FullResolutionHead
from .network_settings import NetworkSettings
from .space_to_depth import space_to_depth


class UNet(nn.Module):
    """Pixel-space 3D U-Net behind a space-to-depth of 2; condition features are added at every level of the way down."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        channels, width = settings.channels, settings.embedding_width
        self.noise = NoiseEmbedding(width)
        self.stem = nn.Conv3d(8, channels[0], 3, padding=1)
        self.downs = nn.ModuleList(Downsample(a, b) for a, b in pairwise(channels))
        self.ups = nn.ModuleList(Upsample(b, a) for a, b in pairwise(channels))
        self.merges = nn.ModuleList(nn.Conv3d(2 * c, c, 1) for c in channels[:-1])
        self.before = nn.ModuleList(_blocks(c, n, width) for c, n in zip(channels, settings.blocks_per_level))
        self.after = nn.ModuleList(_blocks(c, n, width) for c, n in zip(channels[:-1], settings.blocks_per_level))
        self.norm = ChannelNorm(channels[0])
        self.head = FullResolutionHead(channels[0], len(MAP_NAMES), settings.detail_channels)

    def forward(self, noisy: Tensor, c_noise: Tensor, features: Features) -> Tensor:
        """[B, 1, I, J, K] scaled noisy residual, [B] noise conditioning -> F [B, 1, I, J, K]."""
        embedding = self.noise(c_noise)
        noisy = noisy.to(self.stem.weight.dtype)
        level = self.stem(space_to_depth(noisy).contiguous(memory_format=torch.channels_last_3d))
        kept: list[Tensor] = []
        for depth, blocks in enumerate(self.before):
            if depth:
                level = self.downs[depth - 1](level)
            level = _through(blocks, level + features.levels[depth], embedding)
            kept.append(level)
        for depth in reversed(range(len(self.ups))):
            merged = torch.cat([self.ups[depth](level), kept[depth]], 1)
            level = _through(self.after[depth], self.merges[depth](merged), embedding)
        return self.head(F.silu(self.norm(level)), noisy, features.detail)


def _blocks(channels: int, count: int, width: int) -> nn.ModuleList:
    return nn.ModuleList(ResidualBlock(channels, width) for _ in range(count))


def _through(blocks: nn.Module, level: Tensor, embedding: Tensor) -> Tensor:
    for block in blocks.children():
        level = block(level, embedding)
    return level
