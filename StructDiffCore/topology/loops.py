"""Loops located: a structure shrunk by simple points to its cycles, each with its thinnest place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Triple

from .depth import depth_mm
from .skeleton import Chain, Skeleton, skeleton_graph
from .structures import Structure
from .thinning import peel

LARGEST = 4_000_000
"""Voxels beyond which loops are counted but not located."""


@dataclass(frozen=True, eq=False)
class Loop:
    """One independent cycle."""

    voxels: NDArray[np.int64]
    """(n, 3): the way round, voxel by voxel."""
    thinnest: NDArray[np.int64]
    """(3,): the voxel of the way that lies nearest to the background, on a stretch that no other loop shares."""
    depth_mm: float
    """Distance from there to the background."""
    length_mm: float


def loops_of(structure: Structure, spacing: Triple) -> list[Loop]:
    """One loop per b1, the shortest ways round; none where the structure is too large to be shrunk."""
    if structure.betti.b1 == 0 or structure.runs.voxels > LARGEST:
        return []
    box = tuple(slice(side.start - 1, side.stop + 1) for side in structure.runs.box())
    solid = structure.filled().painted(box).view(np.uint8)  # type: ignore[arg-type]  # three slices
    voxels = np.argwhere(solid)
    deep = depth_mm(solid, voxels, spacing)
    depth = np.zeros(solid.shape, np.float32)
    depth[tuple(voxels.T)] = deep
    peel(solid, voxels, deep, spacing, keep_ends=False)
    skeleton = skeleton_graph(np.argwhere(solid), solid.shape)
    corner = np.array([side.start for side in box])
    return [_loop(skeleton, cycle, depth, corner, spacing) for cycle in _cycles(skeleton)]


def _cycles(skeleton: Skeleton) -> list[list[Chain]]:
    """For every chain outside a spanning forest: itself and the tree's way back."""
    parent: dict[int, tuple[int, Chain] | None] = {}
    at_node: dict[int, list[Chain]] = {}
    for chain in sorted(skeleton.chains, key=lambda one: len(one.voxels)):
        for node in {chain.start, chain.stop}:
            at_node.setdefault(node, []).append(chain)
    in_tree: set[int] = set()
    for root in range(skeleton.node_count):
        if root in parent:
            continue
        parent[root], queue = None, [root]
        for node in queue:
            for chain in at_node.get(node, []):
                other = chain.stop if chain.start == node else chain.start
                if other not in parent:
                    parent[other] = (node, chain)
                    in_tree.add(id(chain))
                    queue.append(other)
    return [[chain, *_way_back(chain, parent)] for chain in skeleton.chains if id(chain) not in in_tree]


def _way_back(chain: Chain, parent: dict[int, tuple[int, Chain] | None]) -> list[Chain]:
    """Tree chains between the two ends of a chain."""
    ways = []
    for node in (chain.start, chain.stop):
        way, step = [], parent[node]
        while step is not None:
            way.append(step[1])
            step = parent[step[0]]
        ways.append(way[::-1])
    shared = 0
    while shared < min(len(ways[0]), len(ways[1])) and ways[0][shared] is ways[1][shared]:
        shared += 1
    return ways[0][shared:] + ways[1][shared:]


def _loop(skeleton: Skeleton, cycle: list[Chain], depth: NDArray[np.float32], corner: NDArray[np.int64], spacing: Triple) -> Loop:
    nodes = {node for chain in cycle for node in (chain.start, chain.stop)}
    own = skeleton.index[cycle[0].voxels]
    if len(own) == 0:
        own = np.concatenate([skeleton.index[skeleton.voxels_of(node)] for node in nodes])
    all_voxels = [skeleton.index[chain.voxels] for chain in cycle] + [skeleton.index[skeleton.voxels_of(n)][:1] for n in nodes]
    at = depth[tuple(own.T)]
    steps = sum(len(part) for part in all_voxels)
    mean_step = float(np.prod(spacing)) ** (1 / 3)
    return Loop(np.concatenate(all_voxels) + corner, own[int(at.argmin())] + corner, float(at.min()), steps * mean_step)
