"""Spurs: short side twigs that thinning leaves where a surface is rough, pruned by a stated rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Triple

from .skeleton import Chain, Skeleton, skeleton_graph
from .thinning import peel

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SpurRule:
    """A twig from a junction to an end is a spur if it is shorter than ``radii`` times the local depth + ``voxels``."""

    radii: float = 1.5
    """Depth is the largest distance to the background at the junction: the twig must leave that ball."""
    voxels: float = 2.0
    """In mean voxel sizes."""

    def shortest_mm(self, depth_mm: float, spacing: Triple) -> float:
        """Length at which a twig becomes a branch."""
        return self.radii * depth_mm + self.voxels * float(np.prod(spacing)) ** (1 / 3)


@dataclass(frozen=True, eq=False)
class Ostium:
    """Where the tree is rooted: its end stays, and twigs that leave inside its opening are measured by that."""

    voxel: NDArray[np.bool_]
    """(i, j, k): true at the one anchored voxel; false everywhere without an ostium."""
    centre_mm: Floats | None = None
    """(3,) index times spacing."""
    radius_mm: float = 0.0


def pruned(thin: NDArray[np.uint8], depth: NDArray[np.float32], ostium: Ostium, spacing: Triple, rule: SpurRule) -> Skeleton:
    """The skeleton graph of ``thin`` (i, j, k; empty border; changed in place) without spurs; the anchored end stays.

    Round by round every junction loses its shortest spurs and keeps two branches at least; what remains is thinned again.
    """
    while True:
        skeleton = skeleton_graph(np.argwhere(thin), thin.shape, ostium.voxel)
        spurs = _spurs(skeleton, depth, ostium, spacing, rule)
        if not spurs:
            return skeleton
        for chain, end in spurs:
            gone = skeleton.index[np.concatenate([chain.voxels, skeleton.voxels_of(end)])]
            thin[tuple(gone.T)] = 0
        left = skeleton.index[thin[tuple(skeleton.index.T)] > 0]
        peel(thin, left, depth[tuple(left.T)], spacing, ostium.voxel)


def chain_length_mm(skeleton: Skeleton, chain: Chain, spacing: Triple) -> float:
    """Length from node centre to node centre through the voxels."""
    ends = [skeleton.index[skeleton.voxels_of(node)].mean(axis=0) for node in (chain.start, chain.stop)]
    points = np.vstack([ends[0], skeleton.index[chain.voxels], ends[1]]) * np.asarray(spacing)
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def _spurs(
    skeleton: Skeleton, depth: NDArray[np.float32], ostium: Ostium, spacing: Triple, rule: SpurRule
) -> list[tuple[Chain, int]]:
    """Spurs to cut now, with their end nodes: the shortest at each junction, two branches at least left (one at the ostium)."""
    candidates = []
    anchored = {int(n) for n in skeleton.node_of[ostium.voxel[tuple(skeleton.index.T)]]}
    for chain in skeleton.chains:
        for end, junction in ((chain.start, chain.stop), (chain.stop, chain.start)):
            fewest = 1 if junction in anchored else 2
            if skeleton.degree[end] == 1 and skeleton.degree[junction] > fewest and end not in anchored:
                length = chain_length_mm(skeleton, chain, spacing)
                if length < rule.shortest_mm(_depth_at(skeleton, junction, depth, ostium, spacing), spacing):
                    candidates.append((length, junction, end, chain, fewest))
    left = skeleton.degree.copy()
    chosen = []
    for _, junction, end, chain, fewest in sorted(candidates, key=lambda one: one[:3]):
        if left[junction] > fewest:
            left[junction] -= 1
            chosen.append((chain, end))
    return chosen


def _depth_at(skeleton: Skeleton, node: int, depth: NDArray[np.float32], ostium: Ostium, spacing: Triple) -> float:
    index = skeleton.index[skeleton.voxels_of(node)]
    deepest = float(depth[tuple(index.T)].max())
    if ostium.centre_mm is None:
        return deepest
    away = np.linalg.norm(index.mean(axis=0) * np.asarray(spacing) - ostium.centre_mm)
    return max(deepest, ostium.radius_mm) if away <= ostium.radius_mm else deepest
