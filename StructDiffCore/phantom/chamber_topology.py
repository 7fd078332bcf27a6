"""Chamber topology: blood pools made whole on the grid (one piece, no loop, no cavity), the muscle one piece without cavity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label

from .anatomy import Materials
from .ordered_growth import grown
from .tissues import Tissue

REFUSED: dict[Tissue, Tissue] = {
    Tissue.LV: Tissue.MYOCARDIUM,
    Tissue.LA: Tissue.HEART_WALL,
    Tissue.RA: Tissue.HEART_WALL,
    Tissue.RV: Tissue.HEART_WALL,
    Tissue.AORTA: Tissue.VESSEL_WALL,
    Tissue.PULMONARY_ARTERY: Tissue.VESSEL_WALL,
}
"""What becomes of a voxel that would close a loop or a cavity."""

FRAGMENT: dict[Tissue, Tissue] = {
    Tissue.LV: Tissue.MYOCARDIUM,
    Tissue.LA: Tissue.PULMONARY_VEIN,
    Tissue.RA: Tissue.VENA_CAVA,
    Tissue.RV: Tissue.HEART_WALL,
    Tissue.AORTA: Tissue.DESCENDING_AORTA,
    Tissue.PULMONARY_ARTERY: Tissue.LUNG_VESSEL,
}
"""What becomes of a piece that the grid's border or a wall has cut off."""
_TOUCH = np.ones((3, 3, 3), bool)


def make_whole(materials: Materials, depth: NDArray[np.float32], pool: Tissue) -> None:
    """Turn the voxels of ``pool`` that break its topology into wall or fragment (``materials`` changed in place)."""
    tissue, second, share = materials
    pieces, count = label(tissue == pool, _TOUCH)
    if count == 0:
        return
    largest = int(np.bincount(pieces.ravel())[1:].argmax()) + 1
    box = find_objects(pieces)[largest - 1]
    here = pieces[box] == largest
    seed = np.unravel_index(np.where(here, depth[box], np.inf).argmin(), here.shape)
    whole = grown(here, depth[box], (int(seed[0]), int(seed[1]), int(seed[2])))
    _turn((tissue[box], second[box], share[box]), here & ~whole, REFUSED[pool])
    if count > 1:
        _turn(materials, (pieces > 0) & (pieces != largest), FRAGMENT[pool])


def make_muscle_whole(materials: Materials) -> None:
    """Join the myocardium's loose voxels to the walls and fill what it encloses (``materials`` changed in place)."""
    tissue = materials[0]
    pieces, count = label(tissue == Tissue.MYOCARDIUM, _TOUCH)
    if count == 0:
        return
    largest = int(np.bincount(pieces.ravel())[1:].argmax()) + 1
    _turn(materials, (pieces > 0) & (pieces != largest), Tissue.HEART_WALL)
    outside, _ = label(np.pad(pieces != largest, 1, constant_values=True))
    _turn(materials, (outside[1:-1, 1:-1, 1:-1] != outside[0, 0, 0]) & (pieces != largest), Tissue.MYOCARDIUM)


def _turn(materials: Materials, where: NDArray[np.bool_], tissue: Tissue) -> None:
    materials[0][where], materials[1][where], materials[2][where] = tissue, tissue, 255
