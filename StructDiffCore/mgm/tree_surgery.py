"""Tree surgery: what edits do to a vessel graph so that it stays a rooted tree with children on their parents."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import StructDiffError
from StructDiffCore.vessels.branch import Branch
from StructDiffCore.vessels.graph import ON_PARENT_MM, VesselGraph
from StructDiffCore.vessels.growth import Start, grow_along
from StructDiffCore.vessels.polyline import tangents
from StructDiffCore.vessels.surface import Surface, project, tangential
from StructDiffCore.vessels.taper import HUO_KASSAB

Floats = NDArray[np.float64]
FOLLOW_MM = 12.0
"""Over this length a child's course comes back from its moved take-off."""
MINIMUM_RADIUS_MM = 0.3
SHORTEST_MM = 3.0
CUT_MARGIN_MM = 1.0
"""A child that leaves nearer than this to a new end goes too."""


def without(graph: VesselGraph, name: str) -> VesselGraph:
    """The tree without a branch and all that springs from it; the root cannot go."""
    if graph.index_of(name) == 0:
        raise StructDiffError(f"{name} is the root of its tree", "prune another branch, or drop the tree's label")
    gone = below(graph, graph.index_of(name))
    return _kept(graph, [index for index in range(len(graph.branches)) if index not in gone])


def below(graph: VesselGraph, index: int) -> set[int]:
    """A branch and all that springs from it, by index."""
    found = {index}
    for number, branch in enumerate(graph.branches):
        if branch.parent in found:
            found.add(number)
    return found


def ends_beyond(graph: VesselGraph, index: int) -> int:
    """Ends of the tree that a branch leads to."""
    return len(below(graph, index) & set(graph.tip_branches))


def bares_its_parent(graph: VesselGraph, index: int) -> int:
    """1 where the parent ends at this branch's take-off and nothing else goes on there: without the branch it is an end."""
    parent = graph.branches[index].parent
    if parent is None or parent in graph.tip_branches:
        return 0
    end = graph.branches[parent].points_mm[-1]
    onward = [
        child for child in graph.children[parent] if np.linalg.norm(graph.branches[child].points_mm[0] - end) < ON_PARENT_MM
    ]
    return int(onward == [index])


def _kept(graph: VesselGraph, indices: list[int]) -> VesselGraph:
    place = {old: new for new, old in enumerate(indices)}
    branches = (graph.branches[old] for old in indices)
    return replace(graph, branches=tuple(replace(b, parent=None if b.parent is None else place[b.parent]) for b in branches))


def cut_back(graph: VesselGraph, name: str, length_mm: float) -> VesselGraph:
    """The tree with a branch that ends after ``length_mm``; children beyond go."""
    index = graph.index_of(name)
    for child in reversed(graph.children[index]):
        if graph.attachments_mm[child] > length_mm - CUT_MARGIN_MM:
            graph = without(graph, graph.branches[child].name)
    branch = graph.branch(name)
    if length_mm < SHORTEST_MM:
        raise StructDiffError(f"{name} would be {length_mm:.1f} mm long", f"leave at least {SHORTEST_MM:g} mm, or prune it")
    along = branch.arclength_mm
    at = np.concatenate([along[along < length_mm - 1e-6], [length_mm]])
    return graph.with_branch(replace(branch, points_mm=branch.point_at(at), radii_mm=branch.radius_at(at)))


def continued(graph: VesselGraph, name: str, by_mm: float, surface: Surface, rng: np.random.Generator) -> VesselGraph:
    """The tree with a tip branch that goes on over the surface, its radius as at its end."""
    index = graph.index_of(name)
    branch = graph.branches[index]
    if index not in graph.tip_branches:
        raise StructDiffError(f"{name} goes on in another branch", "lengthen a branch that ends")
    ahead, point = tangents(branch.points_mm)[-1], branch.points_mm[-1]
    depth = float(surface.signed_distance(point[None])[0])
    waypoints = []
    for _ in range(max(1, round(by_mm / 4.0))):
        moved, normal = project(surface, (point + min(4.0, by_mm) * ahead)[None], depth)
        ahead, point = tangential(moved[0] - point, normal[0]), moved[0]
        waypoints.append(point)
    more = grow_along(surface, np.array(waypoints), depth, rng, 0.2, Start(branch.points_mm[-1], tangents(branch.points_mm)[-1]))
    points = np.concatenate([branch.points_mm, more[1:]])
    radii = np.concatenate([branch.radii_mm, np.full(len(more) - 1, branch.radii_mm[-1])])
    return graph.with_branch(replace(branch, points_mm=points, radii_mm=radii))


def with_child(graph: VesselGraph, parent: str, points_mm: Floats, name: str, radius_mm: float) -> VesselGraph:
    """The tree with one branch more, tapering to 60 % of ``radius_mm``; ancestors carry its flow."""
    if name in graph.names:
        raise StructDiffError(f"the tree has a branch named {name!r} already", "choose another name")
    index = graph.index_of(parent)
    radii = np.maximum(radius_mm * np.linspace(1.0, 0.6, len(points_mm)), MINIMUM_RADIUS_MM)
    child = Branch(points_mm, radii, name, index, graph.branches[index].generation + 1)
    grown = replace(graph, branches=(*graph.branches, child))
    return upstream(grown, len(graph.branches), float(radii[0]) ** HUO_KASSAB)


def flow_adjusted(graph: VesselGraph, name: str, factor: float) -> VesselGraph:
    """Radii of a branch and its descendants times ``factor``; ancestors by the flow law."""
    index = graph.index_of(name)
    before = float(graph.branches[index].radii_mm[0]) ** HUO_KASSAB
    fed = below(graph, index)
    radii = [b.radii_mm * (factor if number in fed else 1.0) for number, b in enumerate(graph.branches)]
    return upstream(graph.with_radii(radii), index, before * (factor**HUO_KASSAB - 1))


def upstream(graph: VesselGraph, index: int, more_flow: float) -> VesselGraph:
    """Ancestors' radii, up to where the branch leaves, after it takes ``more_flow`` (radius^(7/3)) than before."""
    radii = [np.array(branch.radii_mm) for branch in graph.branches]
    while graph.branches[index].parent is not None:
        parent = graph.branches[index].parent or 0
        fed = graph.branches[parent].arclength_mm <= graph.attachments_mm[index] + 1e-3
        flow = np.maximum(radii[parent][fed] ** HUO_KASSAB + more_flow, 0.0) ** (1 / HUO_KASSAB)
        radii[parent][fed] = np.maximum(flow, np.minimum(radii[parent], _thickest_beyond(graph, parent, index))[fed])
        index = parent
    return graph.with_radii(radii)


def _thickest_beyond(graph: VesselGraph, index: int, but: int) -> Floats:
    """Radius (n,) of the thickest other child that leaves at or beyond each point of a branch, never below the minimum."""
    thickest = np.full(len(graph.branches[index].points_mm), MINIMUM_RADIUS_MM)
    for child in graph.children[index]:
        if child != but:
            fed = graph.branches[index].arclength_mm <= graph.attachments_mm[child] + 1e-3
            thickest[fed] = np.maximum(thickest[fed], graph.branches[child].radii_mm[0])
    return thickest


def with_flow_moved(graph: VesselGraph, index: int, to_mm: float) -> VesselGraph:
    """The parent's radii once a branch leaves it at ``to_mm``: the stretch in between carries its flow, or no longer does."""
    parent, flow = graph.parent_of(index), float(graph.branches[index].radii_mm[0]) ** HUO_KASSAB
    at, along = graph.attachments_mm[index], parent.arclength_mm
    between = (along > min(at, to_mm)) & (along <= max(at, to_mm))
    carried = parent.radii_mm**HUO_KASSAB + np.where(between, np.sign(to_mm - at) * flow, 0.0)
    return graph.with_branch(parent.with_radii(np.maximum(carried, MINIMUM_RADIUS_MM**HUO_KASSAB) ** (1 / HUO_KASSAB)))


def displaced(graph: VesselGraph, moved: Branch) -> VesselGraph:
    """The tree with a branch on a new course (points at the same indices along it); children follow at their take-offs."""
    index = graph.index_of(moved.name)
    branches = list(graph.branches)
    branches[index] = moved
    _follow(graph, branches, index)
    return replace(graph, branches=tuple(branches), root_mm=branches[0].points_mm[0])


def _follow(graph: VesselGraph, branches: list[Branch], index: int) -> None:
    """Lead the children of a moved branch back to it, and theirs, over ``FOLLOW_MM``."""
    old, new = graph.branches[index], branches[index]
    for child in graph.children[index]:
        share = graph.attachments_mm[child] / max(old.length_mm, 1e-9)
        at = share * new.length_mm if len(old.points_mm) != len(new.points_mm) else _same_place(old, new, share)
        branch = graph.branches[child].resampled(0.5)
        shift = new.point_at(at) - branch.points_mm[0]
        fade = np.cos(0.5 * np.pi * np.clip(branch.arclength_mm / FOLLOW_MM, 0, 1)) ** 2
        branches[child] = replace(branch, points_mm=branch.points_mm + fade[:, None] * shift)
        if np.linalg.norm(shift) > 1e-9:
            _follow(graph, branches, child)


def _same_place(old: Branch, new: Branch, share: float) -> float:
    return float(np.interp(share * old.length_mm, old.arclength_mm, new.arclength_mm))
