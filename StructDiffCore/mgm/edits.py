"""Edits of one branch: pruned, shortened, lengthened, grown, narrowed, widened, bent, moved, or led into the muscle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import StructDiffError
from StructDiffCore.vessels.branch import Branch
from StructDiffCore.vessels.graph import VesselGraph
from StructDiffCore.vessels.growth import LANDING_MM, grow_side_branch
from StructDiffCore.vessels.lesions import Ectasia as EctasiaLesion
from StructDiffCore.vessels.lesions import Stenosis as StenosisLesion
from StructDiffCore.vessels.polyline import tangents
from StructDiffCore.vessels.surface import Surface, normals, project
from StructDiffCore.vessels.tortuosity import Meander

from .edit import BranchEdit, needed, refuse_outside
from .tree_surgery import (
    CUT_MARGIN_MM,
    bares_its_parent,
    continued,
    cut_back,
    displaced,
    ends_beyond,
    flow_adjusted,
    with_child,
    with_flow_moved,
    without,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Prune(BranchEdit):
    """The branch goes, with everything that springs from it."""

    kind: ClassVar[str] = "prune"

    def apply(self, graph: VesselGraph, surface: Surface | None) -> VesselGraph:
        return without(graph, self.branch)

    def more_ends_of(self, graph: VesselGraph) -> int:
        return -ends_beyond(graph, graph.index_of(self.branch)) + bares_its_parent(graph, graph.index_of(self.branch))


@dataclass(frozen=True)
class Shorten(BranchEdit):
    """The branch ends early; children beyond its new end go with the rest."""

    kind: ClassVar[str] = "shorten"
    share: float = 0.3
    """Part of the length that goes."""

    def __post_init__(self) -> None:
        refuse_outside("shortening", self.share, 0.0, 0.9)

    def apply(self, graph: VesselGraph, surface: Surface | None) -> VesselGraph:
        return cut_back(graph, self.branch, (1 - self.share) * graph.branch(self.branch).length_mm)

    def more_ends_of(self, graph: VesselGraph) -> int:
        index = graph.index_of(self.branch)
        end_mm = (1 - self.share) * graph.branches[index].length_mm
        gone = [child for child in graph.children[index] if graph.attachments_mm[child] > end_mm - CUT_MARGIN_MM]
        return -sum(ends_beyond(graph, child) for child in gone) + (index not in graph.tip_branches)


@dataclass(frozen=True)
class Lengthen(BranchEdit):
    """The branch goes on over the surface from its end."""

    kind: ClassVar[str] = "lengthen"
    by_mm: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        refuse_outside("lengthening in mm", self.by_mm, 0.0, 60.0)

    def apply(self, graph: VesselGraph, surface: Surface | None) -> VesselGraph:
        return continued(graph, self.branch, self.by_mm, needed(surface, self.kind), np.random.default_rng(self.seed))


@dataclass(frozen=True)
class Graft(BranchEdit):
    """A new side branch grows from the branch over the surface, with the radius that the flow law leaves it."""

    kind: ClassVar[str] = "graft"
    name: str = "graft"
    at: float = 0.5
    """Part of the parent's length."""
    length_mm: float = 25.0
    to_left: bool = True
    """On which side of the parent, seen from outside the heart with the flow."""
    radius_share: float = 0.6
    """Radius at the take-off, as a part of the parent's there."""
    seed: int = 0

    def __post_init__(self) -> None:
        refuse_outside("graft position", self.at, 0.0, 1.0)
        refuse_outside("graft length in mm", self.length_mm, 8.0, 80.0)
        refuse_outside("graft radius share", self.radius_share, 0.2, 1.0)

    def apply(self, graph: VesselGraph, surface: Surface | None) -> VesselGraph:
        parent, surface = graph.branch(self.branch), needed(surface, self.kind)
        at = int(np.abs(parent.arclength_mm - self.at * parent.length_mm).argmin())
        onward = tangents(parent.points_mm)[at]
        sideways = np.cross(normals(surface, parent.points_mm[[at]])[0], onward)
        direction = onward + (sideways if self.to_left else -sideways)
        others = [branch.points_mm for branch in graph.branches if branch.name != self.branch]
        rng = np.random.default_rng(self.seed)
        points = grow_side_branch(surface, parent, self.at, direction, self.length_mm, rng, others, 4.0)
        if points is None:
            raise StructDiffError(f"there is no room for a branch on {self.branch}", "choose another place or length")
        return with_child(graph, self.branch, points, self.name, self.radius_share * float(parent.radii_mm[at]))

    def more_ends_of(self, graph: VesselGraph) -> int:
        return 1


@dataclass(frozen=True)
class Stenosis(BranchEdit):
    """A narrowing with a cosine profile."""

    kind: ClassVar[str] = "stenosis"
    centre_mm: float = 10.0
    length_mm: float = 8.0
    percent_diameter: float = 50.0

    def __post_init__(self) -> None:
        StenosisLesion(self.branch, self.centre_mm, self.length_mm, self.percent_diameter)

    def apply(self, graph: VesselGraph, surface: Surface | None) -> VesselGraph:
        return StenosisLesion(self.branch, self.centre_mm, self.length_mm, self.percent_diameter).apply(graph)


@dataclass(frozen=True)
class Ectasia(BranchEdit):
    """A widening with a cosine profile."""

    kind: ClassVar[str] = "ectasia"
    centre_mm: float = 10.0
    length_mm: float = 10.0
    percent_diameter: float = 50.0

    def __post_init__(self) -> None:
        EctasiaLesion(self.branch, self.centre_mm, self.length_mm, self.percent_diameter)

    def apply(self, graph: VesselGraph, surface: Surface | None) -> VesselGraph:
        return EctasiaLesion(self.branch, self.centre_mm, self.length_mm, self.percent_diameter).apply(graph)


@dataclass(frozen=True)
class Calibre(BranchEdit):
    """The branch and all it feeds change their radii; its ancestors follow the flow law D_m^(7/3) = sum of D^(7/3)."""

    kind: ClassVar[str] = "calibre"
    factor: float = 1.0

    def __post_init__(self) -> None:
        refuse_outside("calibre factor", self.factor, 0.5, 2.0)

    def apply(self, graph: VesselGraph, surface: Surface | None) -> VesselGraph:
        return flow_adjusted(graph, self.branch, self.factor)


@dataclass(frozen=True)
class Tortuosity(BranchEdit):
    """The branch meanders over the surface; its children's take-offs move with it."""

    kind: ClassVar[str] = "tortuosity"
    sd_mm: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        refuse_outside("tortuosity in mm", self.sd_mm, 0.0, 3.0)

    def apply(self, graph: VesselGraph, surface: Surface | None) -> VesselGraph:
        branch = graph.branch(self.branch).resampled(0.5)
        meander = Meander.draw(self.sd_mm, np.random.default_rng(self.seed))
        sideways = None if surface is None else np.cross(normals(surface, branch.points_mm), tangents(branch.points_mm))
        return displaced(graph, replace(branch, points_mm=meander.applied(branch.points_mm, sideways)))


@dataclass(frozen=True)
class MoveTakeOff(BranchEdit):
    """The branch leaves its parent further down (or, negative, further up); the parent's radii in between follow the flow law."""

    kind: ClassVar[str] = "move_take_off"
    by_mm: float = 5.0

    def __post_init__(self) -> None:
        refuse_outside("move of a take-off in mm", self.by_mm, -20.0, 20.0)

    def apply(self, graph: VesselGraph, surface: Surface | None) -> VesselGraph:
        index = graph.index_of(self.branch)
        branch = graph.branches[index].resampled(0.5)
        if branch.parent is None:
            raise StructDiffError(f"{self.branch} is the root of its tree", "move the take-off of a branch that has a parent")
        parent = graph.parent_of(index)
        at = graph.attachments_mm[index] + self.by_mm
        if not 0 < at < parent.length_mm:
            raise StructDiffError(f"{self.branch} cannot leave {parent.name} at {at:.1f} mm", f"0 to {parent.length_mm:.1f} mm")
        points = _led_from(branch, parent.point_at(at), surface)
        flow_moved = with_flow_moved(graph, index, at)
        return displaced(flow_moved, replace(branch, points_mm=points))


def _led_from(branch: Branch, start_mm: Floats, surface: Surface | None) -> Floats:
    """The branch's course (n, 3) from another start, back on its own course after 60 % of its length, as deep as before."""
    fade = np.cos(0.5 * np.pi * np.clip(branch.arclength_mm / (0.6 * branch.length_mm), 0, 1)) ** 2
    points = branch.points_mm + fade[:, None] * (start_mm - branch.points_mm[0])
    if surface is None:
        return np.asarray(points)
    laid = project(surface, points, surface.signed_distance(branch.points_mm), steps=3)[0]
    leaving = np.clip(branch.arclength_mm / LANDING_MM, 0, 1)[:, None]
    return np.asarray(points + leaving * (laid - points))


@dataclass(frozen=True)
class MyocardialBridge(BranchEdit):
    """The branch dives into the muscle with a cosine profile. The muscle stays whole: its cover keeps a slit over the vessel."""

    kind: ClassVar[str] = "myocardial_bridge"
    centre_mm: float = 40.0
    length_mm: float = 24.0
    depth_mm: float = 2.8

    def __post_init__(self) -> None:
        refuse_outside("bridge length in mm", self.length_mm, 5.0, 60.0)
        refuse_outside("bridge depth in mm", self.depth_mm, 0.0, 8.0)

    def apply(self, graph: VesselGraph, surface: Surface | None) -> VesselGraph:
        branch, surface = graph.branch(self.branch).resampled(0.5), needed(surface, self.kind)
        if not 0 <= self.centre_mm <= branch.length_mm:
            raise StructDiffError(
                f"the bridge lies {self.centre_mm:g} mm along {self.branch}", f"give a place from 0 to {branch.length_mm:.1f} mm"
            )
        away = np.clip(2 * np.abs(branch.arclength_mm - self.centre_mm) / self.length_mm, 0, 1)
        dive = self.depth_mm * 0.5 * (1 + np.cos(np.pi * away)) * (branch.arclength_mm > 0)
        return displaced(graph, replace(branch, points_mm=branch.points_mm - dive[:, None] * normals(surface, branch.points_mm)))
