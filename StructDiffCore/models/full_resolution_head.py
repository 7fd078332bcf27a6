"""FullResolutionHead: the last two convolutions on the voxel grid itself, so that the stem does not limit detail."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .space_to_depth import depth_to_space


class FullResolutionHead(nn.Module):
    """U-Net features on the half grid + noisy image x + condition maps on the full grid -> a + b x, [B, 1, I, J, K].

    b is a skip per voxel: the spread of the residual differs a hundredfold between a labelled chamber and unlabelled lung, so
    one c_skip fits neither. Starts at zero.
    """

    def __init__(self, channels: int, maps: int, detail_channels: int) -> None:
        super().__init__()
        self.spread = nn.Conv3d(channels, 8 * detail_channels, 1)
        self.look = nn.Conv3d(1 + maps, detail_channels, 3, padding=1)
        self.answer = nn.Conv3d(detail_channels, 2, 3, padding=1)
        nn.init.zeros_(self.answer.weight)
        nn.init.zeros_(self.answer.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor, noisy: Tensor, maps: Tensor) -> Tensor:
        coarse = depth_to_space(self.spread(features))
        fine = self.look(torch.cat([noisy, maps], 1).contiguous(memory_format=torch.channels_last_3d))
        value, skip = self.answer(F.silu(coarse + fine)).chunk(2, 1)
        return value + skip * noisy
