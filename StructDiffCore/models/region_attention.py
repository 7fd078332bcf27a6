"""RegionAttention: voxels of the coarsest level attend to the template's regions; the rival of codes gathered per slot."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import ChannelNorm


class RegionAttention(nn.Module):
    """Cross-attention over region tokens (Vaswani et al. 2017), one token per region code; their order cannot matter.

    A voxel finds its region by content: its features show the painted prior, the tokens hold the medians it was painted with.
    Null codes are no tokens; one learned token stands for "nothing known". No statistic of the tile enters, so tiles agree.
    """

    def __init__(self, channels: int, code_length: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.tokens = nn.Sequential(nn.Linear(code_length, 64), nn.SiLU(), nn.Linear(64, channels))
        self.nothing = nn.Parameter(torch.zeros(1, 1, channels))
        self.norm = ChannelNorm(channels)
        self.query = nn.Linear(channels, channels)
        self.key_value = nn.Linear(channels, 2 * channels)
        self.answer = nn.Linear(channels, channels)

    def forward(self, level: Tensor, codes: Tensor) -> Tensor:
        """[B, C, i, j, k] features and [B, S, code_length] codes -> what the regions say to each voxel, [B, C, i, j, k]."""
        batch, channels, *grid = level.shape
        known = F.pad(codes.ne(0).any(-1), (1, 0), value=True)[:, None, None]
        tokens = torch.cat([self.nothing.expand(batch, -1, -1), self.tokens(codes)], 1)
        keys, values = (self._per_head(x) for x in self.key_value(tokens).chunk(2, -1))
        queries = self._per_head(self.query(self.norm(level).flatten(2).transpose(1, 2)))
        heard = F.scaled_dot_product_attention(queries, keys, values, attn_mask=known)
        said: Tensor = self.answer(heard.transpose(1, 2).flatten(2))
        return said.transpose(1, 2).reshape(batch, channels, *grid)

    def _per_head(self, x: Tensor) -> Tensor:
        """[B, N, C] -> [B, heads, N, C / heads]."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
