"""Sight: whether our map tells the vessel voxels that lost their image evidence from those that kept it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from StructDiffCore.domain import CARDIAC
from StructDiffCore.evaluation.confidence_metrics import auroc
from StructDiffCore.io.files import read_label_map, read_volume

from .arms import FULL_TRUST_AT

DOUBT_BELOW = FULL_TRUST_AT["strong doubt"]


@dataclass(frozen=True)
class Sight:
    """Means over pairs, of their coronary voxels."""

    dose: int
    """Per cent of the vessels' length that lost its evidence."""
    pairs: int
    auroc: float
    """Of doubt, for lost voxels against the others."""
    lost: float
    """Mean confidence where the evidence is gone."""
    sound: float
    """Mean confidence elsewhere."""
    share: float
    """Of the vessel voxels that lie in the picture, those that are lost."""
    lost_below: float
    """Share of the lost voxels whose confidence is below ``DOUBT_BELOW``."""
    sound_below: float
    """The same of the others."""

    def __str__(self) -> str:
        return (
            f"at {self.dose} % our map doubts lost vessel voxels with an AUROC of {self.auroc:.2f}: mean confidence "
            f"{self.lost:.2f} where the evidence is gone ({100 * self.share:.0f} % of the vessel voxels in the picture), "
            f"{self.sound:.2f} elsewhere; below {DOUBT_BELOW:g} lie {100 * self.lost_below:.0f} and "
            f"{100 * self.sound_below:.0f} % ({self.pairs} pairs)"
        )


def sight(folders: Sequence[Path], dose: int) -> Sight | None:
    """Over the pairs in these folders that lost something at the dose; None without any."""
    rows = [row for folder in folders if (row := _row(folder, dose)) is not None]
    return Sight(dose, len(rows), *(float(n) for n in np.mean(rows, 0))) if rows else None


def _row(folder: Path, dose: int) -> tuple[float, ...] | None:
    vessels = np.isin(read_label_map(folder / "mask.nii.gz", CARDIAC).voxels, CARDIAC.thin_values)
    told, truth = (read_volume(folder / f"{name}-{dose}.nii.gz").voxels[vessels] for name in ("CAL", "truth"))
    lost = truth < 0.5
    if not lost.any() or lost.all():
        return None
    told_lost, told_sound = told[lost], told[~lost]
    means = told_lost.mean(), told_sound.mean(), lost.mean(), (told_lost < DOUBT_BELOW).mean(), (told_sound < DOUBT_BELOW).mean()
    return auroc(-told, lost), *map(float, means)
