"""The pilot: how few real cases leave room for improvement?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WANTED = (0.55, 0.75)
"""Coronary Dice of real-only segmenters at which there is something to learn and something to gain."""


@dataclass(frozen=True)
class Pilot:
    """Real-only segmenters of so many cases."""

    cases: int
    subset: int
    dice: float
    """Mean coronary Dice over the hearts tested."""
    tested: int
    hearts: int


def chosen_number(found: Sequence[Pilot]) -> int:
    """The smallest number of cases in the wanted range, else the one nearest to its middle; 0 while tests are missing."""
    if not found or any(one.tested < one.hearts for one in found):
        return 0
    mean = {cases: float(np.mean([one.dice for one in found if one.cases == cases])) for cases in {one.cases for one in found}}
    inside = [cases for cases, dice in mean.items() if WANTED[0] <= dice <= WANTED[1]]
    middle = sum(WANTED) / 2
    return min(inside) if inside else min(mean, key=lambda cases: (abs(mean[cases] - middle), cases))
