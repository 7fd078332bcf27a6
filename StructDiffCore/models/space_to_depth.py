"""Space-to-depth by 2: every 2x2x2 block of voxels becomes 8 channels, and back. Lossless (Shi et al. 2016, in 3D)."""

from __future__ import annotations

from torch import Tensor


def space_to_depth(voxels: Tensor) -> Tensor:
    """[B, C, I, J, K], sizes even, -> [B, 8 C, I/2, J/2, K/2]; sub-voxel (a, b, c) of channel n lands in 8 n + 4 a + 2 b + c."""
    b, c, i, j, k = voxels.shape
    blocks = voxels.reshape(b, c, i // 2, 2, j // 2, 2, k // 2, 2)
    return blocks.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(b, 8 * c, i // 2, j // 2, k // 2)


def depth_to_space(channels: Tensor) -> Tensor:
    """[B, 8 C, I, J, K] -> [B, C, 2 I, 2 J, 2 K]: the inverse of ``space_to_depth``."""
    b, c, i, j, k = channels.shape
    blocks = channels.reshape(b, c // 8, 2, 2, 2, i, j, k)
    return blocks.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(b, c // 8, 2 * i, 2 * j, 2 * k)
