"""Chamber topology: blood pools made whole on the grid (one piece, no loop, no cavity), the muscle one piece without cavity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label

from StructDiffCore.topology.growth import grown

from .anatomy import Materials
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
    box = _box_of(materials[0] == pool)
    if box is None:
        return
    materials, depth = (materials[0][box], materials[1][box], materials[2][box]), depth[box]
    pieces, count = label(materials[0] == pool, _TOUCH)
    largest = int(np.bincount(pieces.ravel())[1:].argmax()) + 1
    here = pieces == largest
    seed = np.unravel_index(np.where(here, depth, np.inf).argmin(), here.shape)
    whole = grown(here, depth, (int(seed[0]), int(seed[1]), int(seed[2])))
    _turn(materials, here & ~whole, REFUSED[pool])
    if count > 1:
        _turn(materials, (pieces > 0) & (pieces != largest), FRAGMENT[pool])


def make_muscle_whole(materials: Materials) -> None:
    """Join the myocardium's loose voxels to the walls and fill what it encloses (``materials`` changed in place)."""
    box = _box_of(materials[0] == Tissue.MYOCARDIUM)
    if box is None:
        return
    materials = (materials[0][box], materials[1][box], materials[2][box])
    pieces, _ = label(materials[0] == Tissue.MYOCARDIUM, _TOUCH)
    largest = int(np.bincount(pieces.ravel())[1:].argmax()) + 1
    _turn(materials, (pieces > 0) & (pieces != largest), Tissue.HEART_WALL)
    outside, _ = label(np.pad(pieces != largest, 1, constant_values=True))
    _turn(materials, (outside[1:-1, 1:-1, 1:-1] != outside[0, 0, 0]) & (pieces != largest), Tissue.MYOCARDIUM)


def _box_of(mask: NDArray[np.bool_]) -> tuple[slice, ...] | None:
    found = find_objects(mask.view(np.uint8))
    return found[0] if found else None


def _turn(materials: Materials, where: NDArray[np.bool_], tissue: Tissue) -> None:
    materials[0][where], materials[1][where], materials[2][where] = tissue, tissue, 255
