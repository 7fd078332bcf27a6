"""Dose: a share of the vessels' length loses its image evidence while the label stays.

The stretches are painted over in the finished noise-free volume, before the acquisition noise is added: as if the generator had
failed to draw them. One synthesis serves all doses, so that volumes with and without evidence differ nowhere else; the noise
covers the painted tissue as it covers all other; and a map that looks at the picture can see what is missing, which one made
before the damage could not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from StructDiffCore.domain import LabelMap, Volume
from StructDiffCore.measures.distance import distance_to, from_nearest
from StructDiffCore.vessels.graph import VesselGraph

STRETCH_MM = 15.0
"""Longest piece that is lost at a stretch."""
STEP_MM = 0.25
HALO_MM = 1.6
"""Blur carries a vessel's contrast so far beyond its label."""
GROUND = (0, 1)
"""What vessels run through: background and myocardium."""
SURROUNDINGS_VOXELS = (2.0, 5.0, 12.0)
"""Gaussian sigmas of the surroundings' mean; a wider one where the narrower sees nothing."""
ENOUGH = 0.02


@dataclass(frozen=True)
class Stretch:
    """A piece of a branch."""

    tree: int
    branch: int
    start_mm: float
    stop_mm: float

    @property
    def length_mm(self) -> float:
        return self.stop_mm - self.start_mm


def shuffled_stretches(trees: Mapping[int, VesselGraph], rng: np.random.Generator) -> list[Stretch]:
    """All branches in pieces of at most ``STRETCH_MM``, in an order that chance chose."""
    pieces = []
    for value, tree in trees.items():
        for number, branch in enumerate(tree.branches):
            at = np.linspace(0.0, branch.length_mm, int(np.ceil(branch.length_mm / STRETCH_MM)) + 1)
            pieces += [Stretch(value, number, float(a), float(b)) for a, b in pairwise(at)]
    return [pieces[n] for n in rng.permutation(len(pieces))]


def lost_part(pieces: Sequence[Stretch], share: float) -> list[Stretch]:
    """The first pieces that make up ``share`` of the length, the last one cut short; a larger share holds a smaller one."""
    left, lost = share * sum(piece.length_mm for piece in pieces), []
    for piece in pieces:
        if left <= 1e-9:
            break
        lost.append(replace(piece, stop_mm=min(piece.stop_mm, piece.start_mm + left)))
        left -= piece.length_mm
    return lost


def lost_voxels(target: LabelMap, trees: Mapping[int, VesselGraph], lost: Sequence[Stretch]) -> NDArray[np.bool_]:
    """Vessel voxels (i, j, k) whose nearest centreline point lies on a lost stretch."""
    found = np.zeros(target.geometry.shape, bool)
    for value, tree in trees.items():
        voxels = np.argwhere(target.voxels == value)
        if not len(voxels):
            continue
        points, gone = _points(tree, [piece for piece in lost if piece.tree == value])
        nearest = cKDTree(points).query(target.geometry.to_world(voxels))[1]
        found[tuple(voxels[gone[nearest]].T)] = True
    return found


def _points(tree: VesselGraph, lost: Sequence[Stretch]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Points (n, 3) along all branches, and whether they are lost."""
    points, gone = [], []
    for number, branch in enumerate(tree.branches):
        at = np.linspace(0.0, branch.length_mm, max(2, int(branch.length_mm / STEP_MM) + 1))
        own = [piece for piece in lost if piece.branch == number]
        points.append(branch.point_at(at))
        gone.append(np.any([(at >= p.start_mm) & (at < p.stop_mm) for p in own], axis=0) if own else np.zeros(len(at), bool))
    return np.concatenate(points), np.concatenate(gone)


def without_evidence(clean: Volume, target: LabelMap, lost: NDArray[np.bool_]) -> Volume:
    """The noise-free volume with the lost vessel voxels and their halo painted over with the mean of their surroundings."""
    if not lost.any():
        return clean
    spacing, vessel = clean.geometry.spacing, np.isin(target.voxels, target.scheme.thin_values)
    ground = _ground(target.voxels, vessel)
    near = distance_to(vessel, spacing) <= HALO_MM
    kept = vessel & ~lost
    to_kept = distance_to(kept, spacing) if kept.any() else np.full(lost.shape, np.inf)
    to_lost = distance_to(lost, spacing)
    painted = lost | ((to_lost <= HALO_MM) & (to_lost < to_kept) & ~vessel & np.isin(target.voxels, GROUND))
    voxels = np.array(clean.voxels)
    for value in GROUND:
        here = painted & (ground == value)
        if here.any():
            voxels[here] = _surroundings(clean.voxels, (target.voxels == value) & ~near)[here]
    return Volume(voxels, clean.geometry)


def _ground(labels: NDArray[np.integer], vessel: NDArray[np.bool_]) -> NDArray[np.integer]:
    """Labels with vessels given to the nearest tissue that vessels run through."""
    return from_nearest(labels, vessel, np.isin(labels, GROUND) & ~vessel)


def _surroundings(image: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Local mean (i, j, k) of the known voxels."""
    answer = np.full(image.shape, float(image[known].mean()) if known.any() else -50.0, np.float32)
    for sigma in sorted(SURROUNDINGS_VOXELS, reverse=True):
        weight = ndimage.gaussian_filter(known.astype(np.float32), sigma)
        enough = weight > ENOUGH
        answer[enough] = (ndimage.gaussian_filter(np.where(known, image, np.float32(0)), sigma) / np.maximum(weight, ENOUGH))[
            enough
        ]
    return answer
