"""The tile plan: overlapping tiles of one shape over a volume of any size, with windows that add up to one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

Index = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Tile:
    """One box of the plan."""

    start: Index
    shape: Index
    window: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
    """Weights along i, j, k; their product over the tile, summed over all tiles, is 1 everywhere."""

    @property
    def box(self) -> tuple[slice, slice, slice]:
        i, j, k = (slice(s, s + n) for s, n in zip(self.start, self.shape))
        return i, j, k

    @cached_property
    def weight(self) -> NDArray[np.float32]:
        """(i, j, k) product of the windows."""
        i, j, k = self.window
        return i[:, None, None] * j[None, :, None] * k[None, None, :]


@dataclass(frozen=True, eq=False)
class TilePlan:
    """Tiles over the padded volume."""

    shape: Index
    """The volume."""
    padded: Index
    """The volume grown to multiples the network can halve; does not depend on the tile size."""
    tiles: tuple[Tile, ...]

    @property
    def tile_shape(self) -> Index:
        return self.tiles[0].shape


def plan_tiles(shape: Index, tile: int, overlap: int, multiple: int = 8) -> TilePlan:
    """Tiles of edge ``tile`` (or the padded volume's, where that is smaller) sharing at least ``overlap`` voxels.

    All starts and sizes are multiples of ``multiple``, so a voxel keeps its place in the network's coarser grids.
    """
    sizes = [-(-n // multiple) * multiple for n in shape]
    edges = [min(tile, size) for size in sizes]
    starts = [_starts(size, edge, overlap, multiple) for size, edge in zip(sizes, edges)]
    windows = [_windows(size, edge, axis_starts) for size, edge, axis_starts in zip(sizes, edges, starts)]
    tiles = tuple(
        Tile(tuple(starts[a][n] for a, n in enumerate(ranks)), tuple(edges), tuple(windows[a][n] for a, n in enumerate(ranks)))  # type: ignore[arg-type]
        for ranks in product(*(range(len(s)) for s in starts))
    )
    return TilePlan(tuple(shape), tuple(sizes), tiles)  # type: ignore[arg-type]


def _starts(size: int, edge: int, overlap: int, multiple: int) -> list[int]:
    """Evenly spread starts from 0 to size - edge, neighbours sharing at least ``overlap``."""
    if size <= edge:
        return [0]
    count = -(-(size - edge) // max(multiple, edge - overlap)) + 1
    last = (size - edge) // multiple
    return [multiple * (last * n // (count - 1)) for n in range(count)]


def _windows(size: int, edge: int, starts: list[int]) -> list[NDArray[np.float32]]:
    """Raised-cosine ramps over what neighbours share, divided by their sum."""
    raw = []
    for n, start in enumerate(starts):
        window = np.ones(edge)
        if n > 0:
            shared = starts[n - 1] + edge - start
            window[:shared] *= _ramp(shared)
        if n + 1 < len(starts):
            shared = start + edge - starts[n + 1]
            window[edge - shared :] *= _ramp(shared)[::-1]
        raw.append(window)
    total = np.zeros(size)
    for window, start in zip(raw, starts):
        total[start : start + edge] += window
    return [(window / total[start : start + edge]).astype(np.float32) for window, start in zip(raw, starts)]


def _ramp(length: int) -> NDArray[np.float64]:
    """From nearly 0 to nearly 1; never 0, so that every voxel has weight."""
    return np.sin(0.5 * np.pi * (np.arange(length) + 0.5) / max(length, 1)) ** 2
