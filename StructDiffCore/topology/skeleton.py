"""Skeleton: one-voxel-thin curves as a multigraph; touching junction voxels are one node."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .betti import betti_numbers

HALF_NEIGHBOURS = [offset for offset in product((-1, 0, 1), repeat=3) if offset > (0, 0, 0)]
"""One of each pair of opposite 26-neighbours."""


@dataclass(frozen=True, eq=False)
class Chain:
    """The voxels between two nodes, in order; a node may be met twice (a loop)."""

    start: int
    stop: int
    voxels: NDArray[np.int64]
    """(n,): numbers of the voxels strictly between the nodes; none where the nodes touch."""


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Nodes (ends, junctions, lone voxels, one voxel of every plain ring) and the chains between them."""

    index: NDArray[np.int64]
    """(n, 3): skeleton voxels."""
    node_of: NDArray[np.int64]
    """(n,): node of every voxel, -1 along chains."""
    chains: tuple[Chain, ...]

    @property
    def node_count(self) -> int:
        return int(self.node_of.max(initial=-1)) + 1

    @cached_property
    def degree(self) -> NDArray[np.int64]:
        """(nodes,): how many chains arrive at each node."""
        arrivals = [node for chain in self.chains for node in (chain.start, chain.stop)]
        return np.bincount(np.array(arrivals, np.int64), minlength=self.node_count)

    def voxels_of(self, node: int) -> NDArray[np.int64]:
        """Numbers of the voxels that make a node."""
        return self._members[self._first[node] : self._first[node + 1]]

    @cached_property
    def _members(self) -> NDArray[np.int64]:
        order = np.argsort(self.node_of, kind="stable")
        return order[np.searchsorted(self.node_of[order], 0) :]

    @cached_property
    def _first(self) -> NDArray[np.int64]:
        return np.searchsorted(self.node_of[self._members], np.arange(self.node_count + 1))

    @cached_property
    def piece_of_node(self) -> NDArray[np.int64]:
        """(nodes,): connected piece of every node."""
        pairs = np.array([(chain.start, chain.stop) for chain in self.chains], np.int64).reshape(-1, 2)
        return _grouped(self.node_count, pairs)

    def loop_count(self) -> int:
        """Independent cycles of the multigraph and those inside junction clusters: b1 of the skeleton's voxels."""
        if self.node_count == 0:
            return 0
        cycles = len(self.chains) - self.node_count + int(self.piece_of_node.max()) + 1
        return cycles + sum(self._loops_inside(node) for node in range(self.node_count))

    def _loops_inside(self, node: int) -> int:
        voxels = self.index[self.voxels_of(node)]
        if len(voxels) < 4:
            return 0
        canvas = np.zeros(np.ptp(voxels, axis=0) + 1, bool)
        canvas[tuple((voxels - voxels.min(axis=0)).T)] = True
        return betti_numbers(canvas).b1


def skeleton_graph(index: NDArray[np.int64], shape: tuple[int, ...], forced: NDArray[np.bool_] | None = None) -> Skeleton:
    """The multigraph of thin voxels (n, 3) in a grid of ``shape``; voxels of ``forced`` (i, j, k) are nodes in any case."""
    index = index[np.argsort(np.ravel_multi_index(tuple(index.T), shape))]
    pairs = _neighbour_pairs(index, shape)
    degree = np.bincount(pairs.ravel(), minlength=len(index))
    is_node = degree != 2
    if forced is not None:
        is_node |= forced[tuple(index.T)]
    is_node[_ring_voxels(pairs, is_node)] = True
    node_of = _clusters(pairs, is_node, degree >= 3)
    return Skeleton(index, node_of, tuple(_chains(pairs, node_of)))


def _neighbour_pairs(index: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """All pairs (m, 2) of touching voxels, each once; ``index`` is sorted by flat position."""
    wide = tuple(n + 2 for n in shape)
    flat = np.ravel_multi_index(tuple((index + 1).T), wide)
    found = []
    for offset in HALF_NEIGHBOURS:
        wanted = np.ravel_multi_index(tuple((index + 1 + offset).T), wide)
        place = np.minimum(np.searchsorted(flat, wanted), len(flat) - 1)
        hit = np.flatnonzero(flat[place] == wanted)
        found.append(np.stack([hit, place[hit]], axis=1))
    return np.concatenate(found)


def _grouped(count: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """(count,): group number of every item, items being joined by pairs (m, 2)."""
    links = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return connected_components(links, directed=False)[1].astype(np.int64)


def _ring_voxels(pairs: NDArray[np.int64], is_node: NDArray[np.bool_]) -> NDArray[np.int64]:
    """One voxel of every piece that holds no node: a plain ring."""
    piece = _grouped(len(is_node), pairs)
    has_node = np.zeros(len(is_node), bool)
    has_node[piece[is_node]] = True
    numbers, firsts = np.unique(piece, return_index=True)
    return firsts[~has_node[numbers]]


def _clusters(pairs: NDArray[np.int64], is_node: NDArray[np.bool_], is_junction: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Node number of every voxel, -1 along chains; touching junction voxels share one."""
    inside = pairs[is_junction[pairs].all(axis=1)]
    group = _grouped(len(is_node), inside)
    node_of = np.full(len(is_node), -1, np.int64)
    node_of[is_node] = np.unique(group[is_node], return_inverse=True)[1]
    return node_of


def _chains(pairs: NDArray[np.int64], node_of: NDArray[np.int64]) -> list[Chain]:
    """Walk from every node voxel along every chain voxel that leaves it, each chain once."""
    neighbours: list[list[int]] = [[] for _ in node_of]
    for a, b in pairs.tolist():
        neighbours[a].append(b)
        neighbours[b].append(a)
    nodes = node_of.tolist()
    chains = [
        Chain(nodes[a], nodes[b], np.empty(0, np.int64)) for a, b in pairs.tolist() if 0 <= nodes[a] != nodes[b] and nodes[b] >= 0
    ]
    walked: set[int] = set()
    for begin in np.flatnonzero(node_of >= 0).tolist():
        for step in neighbours[begin]:
            if nodes[step] < 0 and step not in walked:
                chains.append(_walk(begin, step, neighbours, nodes))
                walked.update(chains[-1].voxels.tolist())
    return chains


def _walk(begin: int, step: int, neighbours: list[list[int]], nodes: list[int]) -> Chain:
    voxels, before = [], begin
    while nodes[step] < 0:
        voxels.append(step)
        one, other = neighbours[step]
        before, step = step, (other if one == before else one)
    return Chain(nodes[begin], nodes[step], np.array(voxels, np.int64))
