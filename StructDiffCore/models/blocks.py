"""Parts of the U-Net: channel norm, noise embedding, residual block, changes of size."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ChannelNorm(nn.Module):
    """Layer norm over the channels of each voxel: its statistics are local, so a tile and the whole volume agree.

    Group norm pools over the tile, and tiles then differ in grey level (METHODS section 1, "Tiles").
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        last = x.permute(0, 2, 3, 4, 1)
        normed = F.layer_norm(last, (x.shape[1],), self.weight.to(x.dtype), self.bias.to(x.dtype))
        return normed.permute(0, 4, 1, 2, 3)


class NoiseEmbedding(nn.Module):
    """c_noise [B] -> [B, width]: Fourier features of the log noise level, then an MLP (Karras et al. 2022, appendix F)."""

    def __init__(self, width: int, frequencies: int = 16) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.exp(torch.linspace(0.0, math.log(32.0), frequencies)), persistent=False)
        self.mlp = nn.Sequential(nn.Linear(2 * frequencies, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())

    def forward(self, c_noise: Tensor) -> Tensor:
        angles = c_noise.float()[:, None] * torch.as_tensor(self.frequencies, dtype=torch.float32)
        return self.mlp(torch.cat([angles.cos(), angles.sin()], 1).to(next(self.mlp.parameters()).dtype))


class ResidualBlock(nn.Module):
    """x + conv(silu(scale-shift(norm(conv(silu(norm(x))))))); without an embedding the scale and shift stay out."""

    def __init__(self, channels: int, embedding_width: int = 0) -> None:
        super().__init__()
        self.norm_in, self.norm_out = ChannelNorm(channels), ChannelNorm(channels)
        self.conv_in = nn.Conv3d(channels, channels, 3, padding=1)
        self.conv_out = nn.Conv3d(channels, channels, 3, padding=1)
        self.modulation = nn.Linear(embedding_width, 2 * channels) if embedding_width else None
        _shrink(self.conv_out, 0.1)

    def forward(self, x: Tensor, embedding: Tensor | None = None) -> Tensor:
        hidden = self.norm_out(self.conv_in(F.silu(self.norm_in(x))))
        if self.modulation is not None and embedding is not None:
            scale, shift = self.modulation(embedding)[:, :, None, None, None].chunk(2, 1)
            hidden = hidden * (1 + scale) + shift
        return x + self.conv_out(F.silu(hidden))


class Downsample(nn.Module):
    """Norm, then a strided convolution that halves the grid and changes the channel count.

    Without the norm the residual stream grows tenfold per level within a hundred steps.
    """

    def __init__(self, channels: int, channels_out: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.conv = nn.Conv3d(channels, channels_out, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.norm(x))


class Upsample(nn.Module):
    """Changes the channel count on the coarse grid (cheap there), then repeats every voxel twice along each axis."""

    def __init__(self, channels: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(self.conv(x), scale_factor=2, mode="nearest")


def _shrink(layer: nn.Conv3d, factor: float) -> None:
    """Scale a fresh layer's weights, so that a deep stack starts near the identity."""
    with torch.no_grad():
        layer.weight.mul_(factor)
        if layer.bias is not None:
            layer.bias.zero_()
