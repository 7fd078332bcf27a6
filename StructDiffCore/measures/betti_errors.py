"""Betti errors and the Betti matching error of two masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from StructDiffCore.topology.betti import Betti, betti_numbers

_TOUCH = np.ones((3, 3, 3), bool)


@dataclass(frozen=True)
class BettiMatching:
    """Unmatched features of both masks per dimension; a feature is matched if both masks have it in their union."""

    b0: int
    b2: int


def betti_error(prediction: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Betti:
    """|difference| of the Betti numbers of two masks (i, j, k): blind to where the features lie."""
    one, other = betti_numbers(prediction), betti_numbers(truth)
    return Betti(abs(one.b0 - other.b0), abs(one.b1 - other.b1), abs(one.b2 - other.b2))


def betti_matching_error(prediction: NDArray[np.bool_], truth: NDArray[np.bool_]) -> BettiMatching:
    """Betti matching error (Stucki 2023) in dimensions 0 and 2 in closed form; dimension 1 see ``loop_matching``.

    The matched number is dim(im P & im G) in the homology of the union. Pieces: those of the union that meet both. Cavities:
    every cavity of the union lies in one background piece of each mask; they join these to groups, and each group that
    does not hold the outside is one match.
    """
    return BettiMatching(_unmatched_pieces(prediction, truth), _unmatched_cavities(prediction, truth))


def _unmatched_pieces(prediction: NDArray[np.bool_], truth: NDArray[np.bool_]) -> int:
    union, _ = ndimage.label(prediction | truth, _TOUCH)
    matched = np.intersect1d(union[prediction], union[truth]).size
    counts = [ndimage.label(mask, _TOUCH)[1] for mask in (prediction, truth)]
    return int(counts[0] + counts[1] - 2 * matched)


def _unmatched_cavities(prediction: NDArray[np.bool_], truth: NDArray[np.bool_]) -> int:
    backgrounds = [_background(mask) for mask in (prediction, truth, prediction | truth)]
    (p, p_count), (g, g_count), (u, u_count) = backgrounds
    cavities = [np.flatnonzero(u.ravel() == n)[0] for n in range(2, u_count + 1)]
    edges = np.array([(p.flat[at] - 1, p_count + g.flat[at] - 1) for at in cavities], np.int64).reshape(-1, 2)
    edges = np.vstack([edges, [[0, p_count]]])  # both outsides are one
    links = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(p_count + g_count,) * 2)
    group = connected_components(links, directed=False)[1]
    matched = len(set(group[edges[:, 0]].tolist()) - {group[0]})
    return (p_count - 1) + (g_count - 1) - 2 * matched


def _background(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """6-connected background pieces with an empty border; number 1 is the outside."""
    return ndimage.label(~np.pad(mask, 1))
