"""Rooting: loose curves and nodes become a graph that is read from the ostium outwards."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .centreline_graph import CentrelineGraph, Node, Segment

Floats = NDArray[np.float64]

ROOT_WITHIN_MM = 10.0
"""An end this near to a source that the vessel does not touch is taken for its ostium."""
LOOKED_AT_MM = 5.0
"""How much of a segment is compared at a junction."""
EQUAL_DAUGHTERS = 0.85
"""A second daughter at least this fit to go on as the first makes a bifurcation: both are new vessels."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A centreline (n, 3) in mm with radii (n,) between two nodes, in no particular direction."""

    points_mm: Floats
    radii_mm: Floats
    start: int
    stop: int

    @property
    def length_mm(self) -> float:
        return float(np.linalg.norm(np.diff(self.points_mm, axis=0), axis=1).sum())

    def leaving(self, node: int) -> tuple[Floats, Floats]:
        """Points and radii in the direction away from ``node``."""
        step = 1 if self.start == node else -1
        return self.points_mm[::step], self.radii_mm[::step]


@dataclass(frozen=True, eq=False)
class NearestTo:
    """The source of the vessel: where to look for its root."""

    name: str
    points_mm: Floats
    touches: bool


@dataclass(frozen=True, eq=False)
class Places:
    """Where the nodes are."""

    positions_mm: Floats
    """(n, 3)"""
    piece: NDArray[np.int64]
    """(n,): connected piece of every node."""
    anchored: int | None
    """The node at the ostium."""


def rooted(
    curves: Sequence[Curve], places: Places, source: NearestTo | None, notes: tuple[str, ...], loops: int
) -> CentrelineGraph:
    """The graph with its root at the anchored node, else the end nearest to the source, else the thickest end."""
    positions, piece, anchored = places.positions_mm, places.piece, places.anchored
    root, rule = _root(curves, positions, anchored, source)
    if len(piece):  # the root's piece is number 0
        order = np.argsort(np.arange(piece.max() + 1) != piece[root], kind="stable")
        piece = np.argsort(order)[piece]
    roots = [root] + [_local_root(curves, positions, piece, n, positions[root]) for n in range(1, int(piece.max(initial=0)) + 1)]
    segments = _walked(curves, len(positions), roots)
    degree = _degree(curves, len(positions))
    nodes = tuple(Node(position, int(degree[n]), int(piece[n]), is_root=n == root) for n, position in enumerate(positions))
    cycles = len(curves) - len(positions) + int(piece.max(initial=-1)) + 1
    return CentrelineGraph(nodes, tuple(segments), root, rule, loops - cycles, notes)


def _root(curves: Sequence[Curve], positions: Floats, anchored: int | None, source: NearestTo | None) -> tuple[int, str]:
    ends = _ends(curves, len(positions))
    if source is not None:
        near = cKDTree(source.points_mm).query(positions[ends])[0]
        if source.touches and anchored is not None:
            return anchored, "contact"
        if near.min() <= ROOT_WITHIN_MM:
            return int(ends[near.argmin()]), f"nearest to {source.name}"
    thickness = [_radius_at(curves, int(end)) for end in ends]
    return int(ends[int(np.argmax(thickness))]), "thickest end"


def _local_root(curves: Sequence[Curve], positions: Floats, piece: NDArray[np.int64], number: int, root_mm: Floats) -> int:
    """The end (or any node) of another piece that lies nearest to the main root."""
    mine = np.flatnonzero(piece == number)
    ends = np.intersect1d(mine, _ends(curves, len(positions)))
    chosen = ends if len(ends) else mine
    return int(chosen[np.linalg.norm(positions[chosen] - root_mm, axis=1).argmin()])


def _ends(curves: Sequence[Curve], count: int) -> NDArray[np.int64]:
    """Nodes with at most one curve; all nodes where there are none (a ring)."""
    found = np.flatnonzero(_degree(curves, count) <= 1)
    return found if len(found) else np.arange(count)


def _degree(curves: Sequence[Curve], count: int) -> NDArray[np.int64]:
    arrivals = [node for curve in curves for node in (curve.start, curve.stop)]
    return np.bincount(np.array(arrivals, np.int64), minlength=count)


def _radius_at(curves: Sequence[Curve], node: int) -> float:
    return max((_near_end(*curve.leaving(node)).mean() for curve in curves if node in (curve.start, curve.stop)), default=0.0)


def _near_end(points: Floats, radii: Floats) -> Floats:
    """Radii over the first few mm."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    return radii[along <= LOOKED_AT_MM]


def _walked(curves: Sequence[Curve], count: int, roots: Sequence[int]) -> list[Segment]:
    """Segments in the order in which the shortest ways from the roots reach them; the rest close loops."""
    at_node: list[list[int]] = [[] for _ in range(count)]
    for number, curve in enumerate(curves):
        at_node[curve.start].append(number)
        at_node[curve.stop].append(number)
    segments: list[Segment] = []
    arrived: dict[int, int | None] = {}
    used: set[int] = set()
    for root in roots:
        queue: list[tuple[float, int, int, int]] = [(0.0, -1, -1, root)]
        while queue:
            far, number, start, node = heapq.heappop(queue)
            if number in used or (node in arrived and number < 0):
                continue
            closes = node in arrived
            if number >= 0:
                used.add(number)
                segments.append(_segment(curves[number], start, node, arrived[start], closes))
            if closes:
                continue
            arrived[node] = len(segments) - 1 if number >= 0 else None
            for nearby in at_node[node]:
                if nearby not in used:
                    curve = curves[nearby]
                    other = curve.stop if curve.start == node else curve.start
                    heapq.heappush(queue, (far + curve.length_mm, nearby, node, other))
    return _with_generations(segments)


def _segment(curve: Curve, start: int, stop: int, parent: int | None, closes_loop: bool) -> Segment:
    points, radii = curve.leaving(start)
    return Segment(points, radii, start, stop, None if closes_loop else parent, closes_loop=closes_loop)


def _with_generations(segments: list[Segment]) -> list[Segment]:
    """At every junction the daughter that goes on straight and thick stays the same vessel, unless two are alike."""
    daughters: dict[int, list[int]] = {}
    for index, segment in enumerate(segments):
        if segment.parent is not None:
            daughters.setdefault(segment.parent, []).append(index)
    found = list(segments)
    for parent in sorted(daughters):
        fitness = {child: _fitness(segments[parent], segments[child]) for child in daughters[parent]}
        ranked = sorted(fitness, key=lambda child: -fitness[child])
        goes_on = len(ranked) == 1 or fitness[ranked[1]] < EQUAL_DAUGHTERS * fitness[ranked[0]]
        for child in ranked:
            same = goes_on and child == ranked[0]
            generation = found[parent].generation + (not same)
            found[child] = replace(segments[child], generation=generation, continues_parent=same)
    return found


def _fitness(parent: Segment, child: Segment) -> float:
    """Radius over the first few mm, weighted by how straight the child goes on."""
    before, after = _heading(parent.points_mm[::-1]), _heading(child.points_mm)
    straight = 0.5 * (1.0 - float(before @ after))
    return float(_near_end(child.points_mm, child.radii_mm).mean()) * (0.5 + 0.5 * straight)


def _heading(points: Floats) -> Floats:
    """Unit vector from the first point to the one a few mm on."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    ahead = points[min(int(np.searchsorted(along, LOOKED_AT_MM)), len(points) - 1)] - points[0]
    return ahead / max(float(np.linalg.norm(ahead)), 1e-9)
