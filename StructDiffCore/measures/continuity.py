"""Continuity: is a vessel visible along its whole centreline, and as thick as it should be?

At every step along a centreline the lumen's contrast over a ring of its surroundings is held against the contrast that a tube
of that radius would have there after the image's point spread (``blurred_tube``). Half of it counts as visible. In fat it takes
more, half way from a cord of soft tissue to the filled lumen: an empty vessel wall is brighter than fat too. Gaps of n mm stay
n mm (in fat a little longer): the blurred end of a lumen falls to one half where the lumen ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .crosswise import Crossing

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
SOFT_TISSUE_HU = 40.0
"""A vessel without contrast agent: blood, wall and muscle unenhanced."""
LEAST_LUMEN_HU = 100.0
"""A lumen is expected to be at least this much brighter than what surrounds it: a tree painted like muscle is not filled."""
LEAST_EXPECTED_HU = 40.0
"""Where even a perfect picture shows less (an occlusion, a thread, a vessel in a chamber), nothing is judged."""
FULL_SHARE = 0.9
"""The tree's larger stretches: at least so much of what their centre shows is lumen."""
LARGEST_PART = 0.1
"""... or this share of the tree, where no stretch is that large."""
BREAK_MM = 1.0
"""A shorter gap breaks no vessel."""


@dataclass(frozen=True, eq=False)
class Visibility:
    """One centreline held against what should be seen; arrays (n,) at the steps of its crossing."""

    crossing: Crossing
    expected_hu: Floats
    """Contrast of a tube of that radius over the surroundings found there."""
    needed_hu: Floats
    """Contrast half way between that tube filled with the tree's lumen and filled with soft tissue (or the surroundings)."""
    judged: Mask
    """Inside the grid, with surroundings, and expected to be seen at all."""

    @property
    def visible(self) -> Mask:
        return self.judged & (self.crossing.contrast_hu >= self.needed_hu)

    @property
    def contrast_ratio(self) -> Floats:
        """Contrast over the expected one; NaN where nothing is judged."""
        return np.where(self.judged, self.crossing.contrast_hu / np.maximum(self.expected_hu, 1.0), np.nan)

    @property
    def judged_mm(self) -> float:
        return float(self.judged.sum() * self.crossing.step_mm)

    @property
    def visible_mm(self) -> float:
        return float(self.visible.sum() * self.crossing.step_mm)

    @property
    def longest_gap_mm(self) -> float:
        """Longest stretch without a visible step; steps that are not judged neither add to it nor end it."""
        steps = self.visible[self.judged]
        ends = np.flatnonzero(np.concatenate([[True], steps, [True]]))
        return float((np.diff(ends).max() - 1) * self.crossing.step_mm)

    @property
    def unbroken(self) -> bool:
        return self.longest_gap_mm < BREAK_MM


def lumen_hu(crossings: Sequence[Crossing]) -> float:
    """HU of a full lumen, from the larger stretches of a tree, freed of what their blur mixes in.

    At least ``LEAST_LUMEN_HU`` above the median of the tree's surroundings. NaN where no step has surroundings.
    """
    share, value, around, known = (
        np.concatenate([getattr(one, name) for one in crossings]) for name in ("share", "lumen_hu", "around_hu", "known")
    )
    known &= share > 0
    if not known.any():
        return float("nan")
    share, value, around = share[known], value[known], around[known]
    large = share >= min(FULL_SHARE, float(np.quantile(share, 1 - LARGEST_PART)))
    found = np.median(around[large] + (value[large] - around[large]) / share[large])
    return float(max(found, np.median(around) + LEAST_LUMEN_HU))


def visibilities(crossings: Sequence[Crossing], full_hu: float | None = None) -> list[Visibility]:
    """Every centreline of one tree held against one lumen; ``full_hu`` is read off the tree's larger stretches by default."""
    full = lumen_hu(crossings) if full_hu is None else full_hu
    held = []
    for one in crossings:
        empty = np.maximum(one.around_hu, SOFT_TISSUE_HU)
        expected = np.nan_to_num(one.share * (full - one.around_hu))
        needed = np.nan_to_num(one.share * (0.5 * (full + empty) - one.around_hu))
        held.append(Visibility(one, expected, needed, one.known & (expected >= LEAST_EXPECTED_HU)))
    return held


@dataclass(frozen=True)
class Calibre:
    """What was found along all stretches whose nominal radius lies in one bin."""

    low_mm: float
    high_mm: float
    length_mm: float
    """Judged."""
    visible_share: float
    contrast_ratio: float
    """Median of found over expected contrast."""
    apparent_radius_mm: float
    """Median half width at half of the centre's contrast."""
    expected_radius_mm: float
    """The same of the blurred tube of the nominal radius."""


def by_radius(held: Sequence[Visibility], edges_mm: Sequence[float]) -> list[Calibre]:
    """One row per radius bin that holds judged steps; bins are [low, high) in mm."""
    names = ("radius_mm", "apparent_mm", "expected_apparent_mm")
    radius, apparent, expected = (np.concatenate([getattr(one.crossing, name) for one in held]) for name in names)
    judged, visible, ratio = (np.concatenate([getattr(one, n) for one in held]) for n in ("judged", "visible", "contrast_ratio"))
    step = held[0].crossing.step_mm
    rows = []
    for low, high in pairwise(edges_mm):
        inside = judged & (radius >= low) & (radius < high)
        if inside.any():
            wide = inside & np.isfinite(apparent)
            widths = [float(np.median(array[wide])) if wide.any() else float("nan") for array in (apparent, expected)]
            share = float(visible[inside].mean())
            rows.append(Calibre(low, high, float(inside.sum() * step), share, float(np.median(ratio[inside])), *widths))
    return rows
