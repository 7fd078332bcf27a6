"""Coronaries: the named vessels of both trees, and one call that grows a tree from courses and side branches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from StructDiffCore.domain import StructDiffError

from .branch import Branch
from .graph import VesselGraph
from .growth import KeepOff, Start, grow_along, grow_side_branch
from .polyline import tangents
from .surface import Surface
from .taper import tapered

Floats = NDArray[np.float64]
Range = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Course:
    """A main vessel that follows waypoints in a groove."""

    name: str
    waypoints_mm: ArrayLike
    """(w, 3), near the surface; they are laid onto it."""
    parent: str | None = None
    """None for the root; else the vessel at whose end this one starts."""
    tortuosity_mm: float = 0.6


@dataclass(frozen=True)
class SideBranch:
    """A branch that wanders from its parent; ranges are drawn from uniformly."""

    name: str
    parent: str
    at: Range
    """Fraction of the parent's length at which it leaves."""
    length_mm: Range
    direction: str
    """Key into the directions given by the anatomy: "apex", "left", "right", ..."""
    angle_deg: Range = (35.0, 70.0)
    chance: float = 1.0
    """How often people have it."""


LEFT_SIDES = (
    SideBranch("D1", "LAD", (0.14, 0.24), (40, 65), "left"),
    SideBranch("D2", "LAD", (0.34, 0.46), (28, 48), "left", chance=0.9),
    SideBranch("D3", "LAD", (0.56, 0.68), (18, 32), "left", chance=0.4),
    SideBranch("OM1", "LCx", (0.22, 0.36), (40, 62), "apex"),
    SideBranch("OM2", "LCx", (0.52, 0.68), (32, 52), "apex", chance=0.85),
    SideBranch("OM3", "LCx", (0.82, 0.92), (20, 36), "apex", chance=0.35),
    SideBranch("RVL", "LAD", (0.10, 0.30), (12, 24), "right", chance=0.3),
    SideBranch("D1a", "D1", (0.35, 0.55), (14, 24), "apex", (30, 50), chance=0.35),
    SideBranch("OM1a", "OM1", (0.35, 0.55), (14, 24), "apex", (30, 50), chance=0.35),
)
"""Side branches of the left tree: diagonals over the free wall, obtuse marginals, a right-ventricular branch."""

RIGHT_SIDES = (
    SideBranch("CB", "RCA", (0.06, 0.12), (16, 28), "conus", (50, 80), chance=0.8),
    SideBranch("AM1", "RCA", (0.32, 0.44), (28, 48), "apex", (45, 75)),
    SideBranch("AM2", "RCA", (0.52, 0.66), (20, 40), "apex", (45, 75), chance=0.7),
)
"""Side branches of the right tree before the crux: conus branch, acute marginals."""

RIGHT_CRUX_SIDES = (
    SideBranch("PL1", "PL", (0.30, 0.50), (20, 38), "apex", (40, 75)),
    SideBranch("PL2", "PL", (0.65, 0.85), (16, 30), "apex", (40, 75), chance=0.7),
)
"""Posterolateral branches, from the vessel that crosses the crux (course PL; RCA's with right dominance, LCx's with left)."""


def grow_tree(
    surface: Surface,
    ostium: Start,
    courses: Sequence[Course],
    sides: Sequence[SideBranch],
    directions: Mapping[str, ArrayLike],
    root_radius_mm: float,
    rng: np.random.Generator,
    depth_mm: float = 2.0,
    clearance_mm: float = 5.0,
    minimum_radius_mm: float = 0.6,
    obstacles: Sequence[Floats] = (),
) -> VesselGraph:
    """One coronary tree from its ostium: the courses, then the side branches that find room, with Huo-Kassab radii.

    Centrelines lie ``depth_mm`` outside the surface and ``clearance_mm`` apart, also from ``obstacles``: polylines (n, 3),
    e.g. the other tree's, before which a course ends early too.
    """
    branches: list[Branch] = []
    for course in courses:
        start = ostium if course.parent is None else _end_of(_named(branches, course.parent), course)
        points = grow_along(surface, course.waypoints_mm, depth_mm, rng, course.tortuosity_mm, start)
        if obstacles:
            points = points[: KeepOff(obstacles, points[0], clearance_mm).free_until(points)]
        if len(points) > 1:
            branches.append(_branch(points, course.name, course.parent, branches))
    for side in sides:
        drawn = rng.uniform(size=3)
        if drawn[0] > side.chance or side.parent not in [branch.name for branch in branches]:
            continue
        at, length = (low + share * (high - low) for share, (low, high) in zip(drawn[1:], (side.at, side.length_mm)))
        parent = _named(branches, side.parent)
        others = [branch.points_mm for branch in branches if branch is not parent] + list(obstacles)
        grown = grow_side_branch(
            surface, parent, at, directions[side.direction], length, rng, others, clearance_mm, depth_mm, side.angle_deg
        )
        if grown is not None:
            branches.append(_branch(grown, side.name, side.parent, branches))
    return tapered(VesselGraph(tuple(branches)), root_radius_mm, minimum_mm=minimum_radius_mm)


def _named(branches: Sequence[Branch], name: str) -> Branch:
    for branch in branches:
        if branch.name == name:
            return branch
    raise StructDiffError(f"no vessel {name!r} has been grown yet", "list parents before their children")


def _end_of(parent: Branch, course: Course) -> Start:
    """Start at the parent's end, leaving between its direction and the first waypoint's."""
    ahead = tangents(parent.points_mm)[-1]
    aim = np.asarray(course.waypoints_mm, float).reshape(-1, 3)[0] - parent.points_mm[-1]
    return Start(parent.points_mm[-1], 0.6 * ahead + aim / np.linalg.norm(aim))


def _branch(points: Floats, name: str, parent: str | None, branches: Sequence[Branch]) -> Branch:
    """A branch with radii still to be set."""
    if parent is None:
        return Branch(points, np.ones(len(points)), name)
    index = next(number for number, branch in enumerate(branches) if branch.name == parent)
    return Branch(points, np.ones(len(points)), name, index, branches[index].generation + 1)
