"""Left and right coronary tree told apart in a label that holds both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from StructDiffCore.domain import Geometry

LARGE_SHARE = 0.1
"""Pieces below this share of all voxels are fragments and follow the nearest large piece."""
APART_MM = 10.0
"""Centroids nearer than this from left to right do not decide the side."""


@dataclass(frozen=True, eq=False)
class CoronarySides:
    """The two trees (i, j, k) and how they were told apart."""

    left: NDArray[np.bool_]
    right: NDArray[np.bool_]
    note: str


def split_coronaries(both: NDArray[np.bool_], geometry: Geometry) -> CoronarySides:
    """The 26-connected piece that lies most to the patient's right is the right tree, the other large ones the left.

    One piece, or pieces that do not lie apart, are called left as a whole, and the note says so.
    """
    pieces, count = ndimage.label(both, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(pieces.ravel())[1:]
    large = np.flatnonzero(sizes >= LARGE_SHARE * sizes.sum()) + 1
    if len(large) < 2:
        return _all_left(both, "the coronary label is one piece: all of it taken as the left tree")
    rightward = np.array([geometry.to_world(np.argwhere(pieces == n)).mean(axis=0)[0] for n in large])
    if rightward.max() - np.sort(rightward)[-2] < APART_MM:
        return _all_left(both, "the coronary pieces do not lie apart from left to right: all taken as the left tree")
    right = _with_fragments(pieces, count, large, int(large[np.argmax(rightward)]), geometry)
    note = f"coronary label of {count} pieces split by side: {int(right.sum())} voxels right, {int((both & ~right).sum())} left"
    return CoronarySides(both & ~right, right, note)


def _all_left(both: NDArray[np.bool_], note: str) -> CoronarySides:
    return CoronarySides(both, np.zeros_like(both), note)


def _with_fragments(
    pieces: NDArray[np.int32], count: int, large: NDArray[np.int64], right: int, geometry: Geometry
) -> NDArray[np.bool_]:
    """The right piece and the fragments nearer to it than to any other large piece."""
    voxels = np.argwhere(np.isin(pieces, large))
    tree = cKDTree(geometry.to_world(voxels))
    owners = pieces[tuple(voxels.T)]
    found = pieces == right
    for fragment in sorted(set(range(1, count + 1)) - set(large.tolist())):
        inside = np.argwhere(pieces == fragment)
        distances, nearest = tree.query(geometry.to_world(inside))
        if owners[nearest[np.argmin(distances)]] == right:
            found[tuple(inside.T)] = True
    return found
