"""Traced tree: the centreline graph found in a mask as a rooted tree of vessels that can be edited."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import LabelMap, StructDiffError
from StructDiffCore.topology.centreline_graph import CentrelineGraph, Segment
from StructDiffCore.topology.segment_names import UNNAMED, named
from StructDiffCore.topology.structures import Structures
from StructDiffCore.topology.tracing import Source, trace
from StructDiffCore.vessels.branch import Branch
from StructDiffCore.vessels.graph import VesselGraph

from .contract import Roles

Floats = NDArray[np.float64]
SMALLEST_RADIUS_MM = 0.2


def traced_trees(mask: LabelMap) -> dict[int, VesselGraph]:
    """A rooted tree for every vessel label of a mask."""
    roles = Roles.of(mask.scheme, mask.present)
    if not roles.vessels:
        return {}
    structures = Structures.of(mask.voxels)
    runs = {value: structure.runs for value, structure in structures.of_value.items()}
    traced = {}
    for value in roles.vessels:
        trunk = roles.trunk_of.get(value)
        source = None if trunk is None else Source(mask.scheme[trunk].name, runs[trunk])
        traced[value] = trace(runs[value], mask.geometry, source)
    return {value: as_tree(graph, mask.scheme[value].name) for value, graph in named(traced, mask, structures).items()}


def as_tree(found: CentrelineGraph, name: str) -> VesselGraph:
    """The tree at the root's piece; segments that go on past a side branch become one vessel, loops are left open."""
    chains: list[list[int]] = []
    chain_of: dict[int, int] = {}
    for index, segment in enumerate(found.segments):
        if segment.closes_loop or found.nodes[segment.start].piece != 0 or segment.length_mm <= 0:
            continue
        if segment.parent is None and chains:
            continue
        if segment.parent is not None and segment.parent not in chain_of:
            continue
        if _goes_on(found, segment, chains, chain_of):
            chain_of[index] = chain_of[segment.parent or 0]
            chains[chain_of[index]].append(index)
        else:
            chain_of[index] = len(chains)
            chains.append([index])
    if not chains:
        raise StructDiffError(f"{name} has no centreline", "is the label a vessel?")
    names = _names([found.segments[chain[0]].name for chain in chains])
    return VesselGraph(tuple(_branch(found.segments, chain, chain_of, label) for chain, label in zip(chains, names)))


def _goes_on(found: CentrelineGraph, segment: Segment, chains: list[list[int]], chain_of: Mapping[int, int]) -> bool:
    """Whether a segment is the same vessel as the one before: of its name where both have one, else the straighter way on."""
    if segment.parent is None or chains[chain_of[segment.parent]][-1] != segment.parent:
        return False
    name, before = segment.name, found.segments[segment.parent].name
    return name == before if UNNAMED not in (name, before) else segment.continues_parent and name == before


def _branch(segments: tuple[Segment, ...], chain: list[int], chain_of: Mapping[int, int], name: str) -> Branch:
    parts = [segments[index] for index in chain]
    points = np.concatenate([parts[0].points_mm[:1], *[part.points_mm[1:] for part in parts]])
    radii = np.concatenate([parts[0].radii_mm[:1], *[part.radii_mm[1:] for part in parts]])
    parent = parts[0].parent
    radii = np.maximum(radii, SMALLEST_RADIUS_MM)
    return Branch(points, radii, name, None if parent is None else chain_of[parent], parts[0].generation)


def _names(given: list[str]) -> list[str]:
    """Names made unique; nameless vessels are numbered."""
    told: list[str] = []
    for number, name in enumerate(given):
        name = f"branch {number}" if name == UNNAMED else name
        told.append(name if name not in told else f"{name} ({number})")
    return told
