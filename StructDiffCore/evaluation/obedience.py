"""Does the picture show the target's anatomy, and not the template's? Read by the judge."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from StructDiffCore.domain import Geometry
from StructDiffCore.measures.overlap import centreline_dice, dice
from StructDiffCore.vessels.graph import VesselGraph

STRUCTURES = {"chambers": (2, 3, 4, 5), "myocardium": (1,), "aorta": (6,)}
"""Labels of the cardiac scheme whose Dice are averaged."""
CORONARIES = (8, 9)
"""Both trees are judged as one."""
SMALL_RADIUS_MM = (0.6, 0.9)
JUDGED = (1, 2, 3, 4, 5, 6)
"""Labels at which target and template are compared: large, and known to the judge."""
Scores = dict[str, float]


def fidelity(read: NDArray[np.integer], target: NDArray[np.integer]) -> Scores:
    """Dice per structure (clDice for the coronaries) of what the judge read (i, j, k) against the target mask."""
    scores = {f"Dice {name}": _dice(read, target, values) for name, values in STRUCTURES.items()}
    trees, wanted = np.isin(read, CORONARIES), np.isin(target, CORONARIES)
    known = wanted.any()
    scores["Dice coronaries"] = dice(trees, wanted) if known else float("nan")
    scores["clDice coronaries"] = centreline_dice(trees, wanted) if known else float("nan")
    return scores


def small_vessel_recall(read: NDArray[np.integer], geometry: Geometry, trees: Iterable[VesselGraph]) -> float:
    """Share of the centreline points inside the grid with a radius of 0.6 to 0.9 mm where the judge sees a coronary within a
    voxel; NaN where there are none.
    """
    low, high = SMALL_RADIUS_MM
    points = [b.points_mm[(b.radii_mm >= low) & (b.radii_mm <= high)] for tree in trees for b in tree.branches]
    index = np.rint(geometry.to_index(np.concatenate(points))).astype(int) if points else np.zeros((0, 3), int)
    index = index[np.all((index >= 0) & (index < geometry.shape), axis=1)]
    if not len(index):
        return float("nan")
    seen = ndimage.binary_dilation(np.isin(read, CORONARIES), ndimage.generate_binary_structure(3, 3))
    return float(seen[tuple(index.T)].mean())


def agreement(read: NDArray[np.integer], target: NDArray[np.integer], template: NDArray[np.integer]) -> float:
    """Where target and aligned template name different large structures: how often the judge says the target's name, of all
    voxels where it says either; NaN where the two never differ.
    """
    differ = (target != template) & (np.isin(target, JUDGED) | np.isin(template, JUDGED))
    as_target, as_template = (differ & (read == mask) for mask in (target, template))
    either = int(as_target.sum() + as_template.sum())
    return float(as_target.sum() / either) if either else float("nan")


def _dice(read: NDArray, truth: NDArray, values: tuple[int, ...]) -> float:
    """Mean Dice over the values that the truth holds; NaN where it holds none."""
    found = [dice(read == v, truth == v) for v in values if (truth == v).any()]
    return float(np.mean(found)) if found else float("nan")
