"""Does the picture show the target's anatomy, and not the template's? Read by the judge."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from StructDiffCore.domain import Geometry, LabelMap
from StructDiffCore.measures.overlap import centreline_dice, dice
from StructDiffCore.vessels.graph import VesselGraph

STRUCTURES = {"chambers": (2, 3, 4, 5), "myocardium": (1,), "aorta": (6,)}
"""Labels of the cardiac scheme whose Dice are averaged."""
CORONARIES = (8, 9)
"""Both trees are judged as one."""
SMALL_RADIUS_MM = (0.6, 0.9)
JUDGED = (1, 2, 3, 4, 5, 6)
"""Labels at which target and template are compared: large, and known to the judge."""
SHIFT_MM = (10.0, 10.0, 5.0)
"""15 mm along the diagonal: more than a coronary's width, less than a chamber's."""
CONTROLS = ("other heart's mask", "mask shifted 15 mm", "mask mirrored")
Scores = dict[str, float]


def fidelity(read: NDArray[np.integer], target: NDArray[np.integer]) -> Scores:
    """Dice per structure (clDice for the coronaries) of what the judge read (i, j, k) against the target mask."""
    scores = {f"Dice {name}": _dice(read, target, values) for name, values in STRUCTURES.items()}
    trees, wanted = np.isin(read, CORONARIES), np.isin(target, CORONARIES)
    known = wanted.any()
    scores["Dice coronaries"] = dice(trees, wanted) if known else float("nan")
    scores["clDice coronaries"] = centreline_dice(trees, wanted) if known else float("nan")
    return scores


def controls(read: NDArray[np.integer], target: LabelMap, other: LabelMap | None) -> Scores:
    """What the judge read (i, j, k), held against masks that were not asked for: another case's, the target's own displaced by
    15 mm, and the target's own mirrored. A score that means anything collapses here.

    The aligned template's own mask is no fair control: alignment lays its chambers and great vessels onto the target's, so
    the two overlap whatever the picture shows (Dice 0.74 for hearts that obey their own mask with 0.85).
    Two centred hearts still share much of their chambers; coronaries share nothing, and a displaced mask misses both.
    """
    voxels = target.voxels
    offset = np.rint(np.asarray(SHIFT_MM) / target.geometry.spacing).astype(int)
    here = tuple(slice(max(0, n - o)) for n, o in zip(voxels.shape, offset))
    there = tuple(slice(o, None) for o in offset)
    pairs = {"mask shifted 15 mm": (read[there], voxels[here]), "mask mirrored": (read, voxels[::-1])}
    if other is not None and other.voxels.shape == read.shape:
        pairs["other heart's mask"] = (read, other.voxels)
    wanted = ("Dice chambers", "clDice coronaries")
    return {f"{name}, {how}": fidelity(*pairs[how])[name] for how in CONTROLS if how in pairs for name in wanted}


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
