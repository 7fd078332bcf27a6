"""FeatureCache: condition features of tiles, kept up to a budget of memory and made anew beyond it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor

from .tiles import Index, Tile


class FeatureCache:
    """Features do not depend on the noise, so one set per tile serves all steps."""

    def __init__(self, encode: Callable[[Tile], Any], budget_mib: int) -> None:
        self._encode = encode
        self._left = budget_mib * 2**20
        self._kept: dict[Index, Any] = {}

    def of(self, tile: Tile) -> Any:
        """The tile's features; kept if they fit into what is left of the budget."""
        if tile.start in self._kept:
            return self._kept[tile.start]
        features = self._encode(tile)
        size = bytes_of(features)
        if size <= self._left:
            self._left -= size
            self._kept[tile.start] = features
        return features


def bytes_of(features: Any) -> int:
    """Bytes of all tensors in a dataclass, a sequence or a tensor."""
    if isinstance(features, Tensor):
        return features.numel() * features.element_size()
    if isinstance(features, (tuple, list)):
        return sum(bytes_of(item) for item in features)
    if is_dataclass(features):
        return sum(bytes_of(getattr(features, f.name)) for f in fields(features))
    return 0
