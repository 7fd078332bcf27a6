"""Lesions: stenoses and ectasias that change a branch's radii, and plaques that lie beside its lumen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry, StructDiffError

from .branch import Branch
from .frame import curved_frame
from .graph import VesselGraph
from .painting import paint_tree

Floats = NDArray[np.float64]

Grade = Literal["minimal", "mild", "moderate", "severe", "occluded"]
GRADES: tuple[tuple[float, Grade], ...] = ((25, "minimal"), (50, "mild"), (70, "moderate"), (100, "severe"))
"""Diameter stenosis in per cent below which each grade holds (SCCT); 100 % is occluded."""


@dataclass(frozen=True)
class Stenosis:
    """A narrowing with a cosine profile: ``percent_diameter`` of the lumen is lost at its centre, nothing at its ends."""

    branch: str
    centre_mm: float
    """Distance along the branch."""
    length_mm: float
    percent_diameter: float
    """Share of the diameter that is lost at the centre, 0-100 %."""

    def __post_init__(self) -> None:
        _refuse_length("stenosis", self.length_mm)
        if not 0 <= self.percent_diameter <= 100:
            raise StructDiffError(
                f"a stenosis of {self.percent_diameter:g} % of the diameter cannot be", "give 0 to 100 % (100 % is an occlusion)"
            )

    @property
    def grade(self) -> Grade:
        """The SCCT grade."""
        return next((grade for below, grade in GRADES if self.percent_diameter < below), "occluded")

    def apply(self, graph: VesselGraph) -> VesselGraph:
        """The tree with the branch narrowed; its centreline gets points every 0.25 mm so that the profile is carried."""
        branch = _found(graph, self.branch, self.centre_mm, "stenosis").refined(0.25)
        profile = _cosine_profile(branch.arclength_mm, self.centre_mm, self.length_mm)
        return graph.with_branch(branch.with_radii(branch.radii_mm * (1 - self.percent_diameter / 100 * profile)))

    def plaque(self, graph: VesselGraph, kind: Literal["calcified", "soft"] = "soft") -> Plaque:
        """The ring of plaque that fills the space lost by this stenosis; ``graph`` is the tree before it."""
        branch = _found(graph, self.branch, self.centre_mm, "stenosis")
        lost_mm = float(branch.radius_at(self.centre_mm)) * self.percent_diameter / 100
        return Plaque(self.branch, self.centre_mm, self.length_mm, 0.0, 360.0, lost_mm, kind)


@dataclass(frozen=True)
class Ectasia:
    """A widening with a cosine profile: the diameter grows by ``percent_diameter`` at its centre."""

    branch: str
    centre_mm: float
    """Distance along the branch."""
    length_mm: float
    percent_diameter: float
    """Growth of the diameter at the centre, 0-200 %; from 50 % on it is called an ectasia or aneurysm."""

    def __post_init__(self) -> None:
        _refuse_length("ectasia", self.length_mm)
        if not 0 <= self.percent_diameter <= 200:
            raise StructDiffError(f"an ectasia of {self.percent_diameter:g} % of the diameter cannot be", "give 0 to 200 %")

    def apply(self, graph: VesselGraph) -> VesselGraph:
        """The tree with the branch widened; its centreline gets points every 0.25 mm so that the profile is carried."""
        branch = _found(graph, self.branch, self.centre_mm, "ectasia").refined(0.25)
        profile = _cosine_profile(branch.arclength_mm, self.centre_mm, self.length_mm)
        return graph.with_branch(branch.with_radii(branch.radii_mm * (1 + self.percent_diameter / 100 * profile)))


@dataclass(frozen=True, eq=False)
class PlaquePatch:
    """A plaque's signed distance on the box of voxels around it."""

    start: tuple[int, int, int]
    """First voxel of the box."""
    distance_mm: NDArray[np.float32]
    """Negative inside the plaque; reliable near its surface."""

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Where the patch lies in an array of the whole grid."""
        i, j, k = (slice(first, first + n) for first, n in zip(self.start, self.distance_mm.shape))
        return i, j, k


@dataclass(frozen=True)
class Plaque:
    """A crescent on the lumen's outside: thickest in its middle, running out to nothing along and around the vessel."""

    branch: str
    centre_mm: float
    """Distance along the branch."""
    length_mm: float
    angle_deg: float
    """Middle of the crescent around the vessel, from the frame's normal towards its binormal."""
    arc_deg: float
    """Extent around the vessel; 360 is a ring of even thickness."""
    thickness_mm: float
    kind: Literal["calcified", "soft"] = "calcified"

    def __post_init__(self) -> None:
        _refuse_length("plaque", self.length_mm)
        if not 0 < self.arc_deg <= 360:
            raise StructDiffError(f"a plaque over {self.arc_deg:g} degrees cannot be", "give an arc of more than 0 up to 360")
        if not 0 <= self.thickness_mm < 20:
            raise StructDiffError(f"a plaque {self.thickness_mm:g} mm thick cannot be", "give 0 to 20 mm")
        if self.kind not in ("calcified", "soft"):
            raise StructDiffError(f"there is no plaque of kind {self.kind!r}", "use calcified or soft")

    def paint(self, graph: VesselGraph, geometry: Geometry, margin_mm: float = 2.0) -> PlaquePatch:
        """Signed distance on a box around the plaque: outside the lumen, within its thickness.

        The box is empty where the plaque lies outside the grid. Other branches' lumen is not cut out: paint blood over it.
        """
        branch = _found(graph, self.branch, self.centre_mm, "plaque")
        first = max(0.0, self.centre_mm - 0.5 * self.length_mm - margin_mm)
        section = _section(branch, first, self.centre_mm + 0.5 * self.length_mm + margin_mm)
        reach = self.thickness_mm + margin_mm
        start, shape = _box(section, geometry, reach)
        distance = np.full(shape, margin_mm, np.float32)
        if distance.size == 0:
            return PlaquePatch(start, distance)
        around = geometry.cropped(start, shape)
        painted = paint_tree(VesselGraph((section,)), around, reach)
        near = np.argwhere(painted.capsule >= 0)
        from_lumen = painted.distance_mm[tuple(near.T)].astype(float)
        along = first + painted.at(near)[1]
        thickness = self._thickness(along, _angle_around(branch, along, around.to_world(near)))
        distance[tuple(near.T)] = np.minimum(np.maximum(-from_lumen, from_lumen - thickness), margin_mm)
        return PlaquePatch(start, distance)

    def _thickness(self, along_mm: Floats, angle_deg: Floats) -> Floats:
        """Thickness (n,) in mm at distances along the branch and angles around it; negative beyond the crescent."""
        lengthwise = np.cos(np.pi * np.clip((along_mm - self.centre_mm) / self.length_mm, -1, 1))
        lengthwise *= np.abs(lengthwise)  # cos^2 inside, the profile of a stenosis
        turned = (angle_deg - self.angle_deg + 180) % 360 - 180
        around = np.ones_like(turned) if self.arc_deg >= 360 else np.cos(np.pi * np.clip(turned / self.arc_deg, -1, 1))
        both = np.where((lengthwise > 0) & (around > 0), lengthwise * around, np.minimum(lengthwise, around))
        return self.thickness_mm * both


def _refuse_length(what: str, length_mm: float) -> None:
    if not (np.isfinite(length_mm) and length_mm > 0):
        raise StructDiffError(f"a {what} {length_mm:g} mm long cannot be", "give a positive length")


def _found(graph: VesselGraph, name: str, centre_mm: float, what: str) -> Branch:
    """The lesion's branch, refused where it does not reach the lesion's centre."""
    branch = graph.branch(name)
    if not 0 <= centre_mm <= branch.length_mm:
        raise StructDiffError(
            f"the {what} lies {centre_mm:g} mm along {name}, which is {branch.length_mm:.1f} mm long",
            f"give a position from 0 to {branch.length_mm:.1f} mm",
        )
    return branch


def _cosine_profile(along_mm: Floats, centre_mm: float, length_mm: float) -> Floats:
    """1 at the centre, 0 with zero slope at half the length from it and beyond."""
    away = np.clip(2 * np.abs(along_mm - centre_mm) / length_mm, 0, 1)
    return np.asarray(0.5 * (1 + np.cos(np.pi * away)))


def _section(branch: Branch, first_mm: float, last_mm: float) -> Branch:
    """The stretch of a branch between two distances along it, as a root of its own."""
    last = min(last_mm, branch.length_mm)
    inside = branch.arclength_mm[(branch.arclength_mm > first_mm) & (branch.arclength_mm < last)]
    along = np.concatenate([[first_mm], inside, [last]])
    return Branch(branch.point_at(along), branch.radius_at(along), branch.name)


def _box(section: Branch, geometry: Geometry, reach_mm: float) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """First voxel and shape of the grid's box around a tube with a margin; the shape has a zero where the box is empty."""
    index = geometry.to_index(section.points_mm)
    margin = (section.radii_mm.max() + reach_mm) / np.asarray(geometry.spacing)
    low = np.clip(np.floor(index.min(axis=0) - margin), 0, geometry.shape).astype(int)
    high = np.clip(np.ceil(index.max(axis=0) + margin) + 1, 0, geometry.shape).astype(int)
    i, j, k = low.tolist()
    ni, nj, nk = np.maximum(high - low, 0).tolist()
    return (i, j, k), (ni, nj, nk)


def _angle_around(branch: Branch, along_mm: Floats, points_mm: Floats) -> Floats:
    """Angle (n,) in degrees of points (n, 3) around the vessel at distances (n,) along it, from normal towards binormal."""
    frame = curved_frame(branch.points_mm)
    offset = points_mm - branch.point_at(along_mm)
    across = []
    for axis in (frame.normal, frame.binormal):
        there = np.stack([np.interp(along_mm, branch.arclength_mm, axis[:, c]) for c in range(3)], axis=1)
        across.append((offset * there).sum(axis=1))
    return np.asarray(np.rad2deg(np.arctan2(across[1], across[0])))
