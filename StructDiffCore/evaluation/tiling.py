"""Tiles against one pass: the same seed, the same volume, cut or whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.synthesis.prepared import Prepared
from StructDiffCore.synthesis.synthesize import sample
from StructDiffCore.synthesis.tiles import plan_tiles
from StructDiffCore.systems.structdiff import StructDiff

from .scores import Scores


def tile_scores(system: StructDiff, prepared: Prepared, steps: int, seed: int, tile: int = 64, overlap: int = 16) -> Scores:
    """Noise-free difference in HU between tiles of ``tile`` voxels and one pass, and the gradient across seams.

    The seam score is the mean |step| between neighbouring voxels across the tiles' borders over that across all other planes, of
    the tiled volume divided by the same of the whole one: 1 means that no seam can be found.
    """
    shape = prepared.geometry.shape
    whole_tile = max(16, -(-max(shape) // 16) * 16)
    whole, cut = (
        sample(system, prepared, SynthesisSettings(steps=steps, tile=t, overlap=o, precision="float32"), seed).clean.voxels
        for t, o in ((whole_tile, 0), (tile, overlap))
    )
    plan = plan_tiles(shape, tile, overlap, system.multiple)
    borders = [sorted({edge for t in plan.tiles for edge in (t.start[a], t.start[a] + t.shape[a])}) for a in range(3)]
    inner = [[b for b in found if 0 < b < n] for found, n in zip(borders, shape)]
    apart = cut - whole
    return {
        "tiles rms HU": float(np.sqrt(np.mean(apart**2))),
        "tiles largest HU": float(np.abs(apart).max()),
        "tiles seam ratio": _seam(cut, inner) / _seam(whole, inner),
    }


def _seam(image: NDArray[np.float32], borders: list[list[int]]) -> float:
    """Mean |step| across the borders over that across the other planes."""
    at, elsewhere = [], []
    for axis, found in enumerate(borders):
        steps = np.abs(np.diff(image, axis=axis)).mean(axis=tuple(a for a in range(3) if a != axis))
        seam = np.isin(np.arange(1, image.shape[axis]), found)
        at += steps[seam].tolist()
        elsewhere += steps[~seam].tolist()
    return float(np.mean(at) / np.mean(elsewhere)) if at else 1.0
