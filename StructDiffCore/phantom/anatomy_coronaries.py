"""Coronary courses: where LM, LAD, LCx and RCA run in the grooves of one heart, and the trees grown along them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import binary_closing, binary_fill_holes, distance_transform_edt

from StructDiffCore.config.compiled import njit
from StructDiffCore.domain import Geometry
from StructDiffCore.vessels.branch import Branch
from StructDiffCore.vessels.coronaries import LEFT_SIDES, RIGHT_CRUX_SIDES, RIGHT_SIDES, Course, SideBranch, grow_tree
from StructDiffCore.vessels.graph import VesselGraph
from StructDiffCore.vessels.growth import Start
from StructDiffCore.vessels.surface import SampledSurface
from StructDiffCore.vessels.taper import draw_radius, tapered

from .anatomy import Anatomy
from .anatomy_chambers import HeartShapes, bent, heart_distances
from .anatomy_landmarks import SINUS_ANGLES, root_axis, root_sizes, sinus_direction
from .anatomy_proportions import Dominance

Points = NDArray[np.float64]
SURFACE_CELL_MM = 3.0
SURFACE_LOW_MM, SURFACE_HIGH_MM = np.array([-72.0, -60.0, -72.0]), np.array([72.0, 72.0, 60.0])
GROOVE_MM = 4.5
"""So near to the right ventricle's blood the left ventricle's surface turns into the groove."""
STRAY_SHARE = 0.2
"""A side branch with more of its course nearer to an atrium than to a ventricle is not grown."""
DEPTH_MM = 2.2
"""Centrelines run this far outside the muscle, in the fat."""
ROOT_RADIUS_MM = (1.5, 2.3)


@dataclass(frozen=True, eq=False)
class Ground:
    """What coronaries grow on: the outside of muscle and great vessels, and the way from ideal landmarks to body points."""

    anatomy: Anatomy
    surface: SampledSurface

    @classmethod
    def of(cls, anatomy: Anatomy) -> Ground:
        ni, nj, nk = (int(n) for n in np.ceil((SURFACE_HIGH_MM - SURFACE_LOW_MM) / SURFACE_CELL_MM))
        shape = (ni, nj, nk)
        distance = np.empty(shape, np.float32)
        _sample_surface(distance, SURFACE_LOW_MM, SURFACE_CELL_MM, anatomy.shapes)
        geometry = Geometry(shape, (SURFACE_CELL_MM,) * 3, tuple(SURFACE_LOW_MM))
        return cls(anatomy, SampledSurface(_solid(distance), geometry))

    def body(self, ideal: ArrayLike) -> Points:
        """Body points whose bent image are the ideal points (n, 3)."""
        return _unbent(np.ascontiguousarray(np.atleast_2d(ideal), float), self.anatomy.shapes)

    def around_ventricle(self, stations: ArrayLike) -> Points:
        """Body points on the left ventricle's outside; stations (n, 2): mm from the base, degrees
        (0 anterior, 90 septal, 180 inferior)."""
        p, (depth, angle) = self.anatomy.proportions, np.asarray(stations, float).T
        below = 0.33 * p.lv_length
        share = np.clip((depth - below) / (p.lv_length - below + p.apex_wall), -0.98, 0.98)
        radius, turn = (p.lv_radius + p.wall) * np.sqrt(1.0 - share**2), np.deg2rad(angle)
        return self.body(self.anatomy.frame.heart(np.column_stack([depth, radius * np.sin(turn), -radius * np.cos(turn)])))

    def groove(self, depths: ArrayLike, from_deg: float, to_deg: float, rest_deg: float) -> Points:
        """Body points (n, 3) of an interventricular groove at mm from the base: where, coming over the free wall of the left
        ventricle, the right one begins; ``rest_deg`` where it no longer does."""
        angles, points, last = np.linspace(from_deg, to_deg, 40), [], rest_deg
        for depth in np.asarray(depths, float):
            ring = self.around_ventricle(np.column_stack([np.full_like(angles, depth), angles]))
            near = np.flatnonzero(_pool_distances(ring, self.anatomy.shapes)[:, 0] < GROOVE_MM)
            last = float(angles[near[0]]) if len(near) else last
            points.append(self.around_ventricle([[depth, last]])[0])
        return np.array(points)

    def around_tricuspid(self, angles_deg: ArrayLike, radius_mm: float = 30.0) -> Points:
        """Body points in the right AV groove; degrees (-90 towards the aorta, 0 superior, 90 lateral, 180 inferior)."""
        turn = np.deg2rad(np.asarray(angles_deg, float))
        offsets = np.column_stack([np.zeros_like(turn), np.sin(turn), -np.cos(turn)])
        return self.body(self.anatomy.frame.heart(np.array([0.0, 31.0, 4.0]) + radius_mm * offsets))

    def ostium(self, sinus: str, height_mm: float = 14.0) -> Start:
        """Start of a coronary artery: just inside its sinus, leaving across the wall."""
        frame = self.anatomy.frame
        annulus, _, outer = root_sizes(self.anatomy.proportions, frame)
        across = sinus_direction(frame, SINUS_ANGLES[sinus])
        point = annulus + height_mm * frame.scale * root_axis(frame) + (outer - 2.4) * across
        return Start(self.body(point)[0], across)


@njit(cache=True, fastmath=True, nogil=True)
def _sample_surface(distance: NDArray[np.float32], corner: Points, cell_mm: float, heart: HeartShapes) -> None:
    """Outside of muscle, atrial walls, aorta and pulmonary artery (mm) at corner + cell * index."""
    for i in range(distance.shape[0]):
        for j in range(distance.shape[1]):
            for k in range(distance.shape[2]):
                x, y, z = bent(corner[0] + cell_mm * i, corner[1] + cell_mm * j, corner[2] + cell_mm * k, heart.warp)
                d = heart_distances(x, y, z, heart)
                distance[i, j, k] = min(min(d.epicardium, d.heart_wall), min(d.aorta, d.pulmonary) - 1.4)


def _solid(distance: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same outside, but inside one solid without the zero crossings that walls between chambers leave."""
    inside = binary_fill_holes(binary_closing(distance < 0, iterations=2))
    deep = SURFACE_CELL_MM * (0.5 - distance_transform_edt(inside))
    return np.where(inside & (deep < -SURFACE_CELL_MM), deep, distance).astype(np.float32)


@njit(cache=True)
def _pool_distances(points: Points, heart: HeartShapes) -> Points:
    """Distances (n, 3) in mm of body points (n, 3) to the right ventricle's blood, the left wall's outside, the nearer atrium."""
    found = np.empty((len(points), 3))
    for n in range(len(points)):
        x, y, z = bent(points[n, 0], points[n, 1], points[n, 2], heart.warp)
        d = heart_distances(x, y, z, heart)
        found[n, 0], found[n, 1], found[n, 2] = d.rv, d.myocardium, min(d.la, d.ra)
    return found


def without_strays(tree: VesselGraph, names: set[str], heart: HeartShapes) -> VesselGraph:
    """The tree without those of the named side branches (and their children) that lie on an atrium, radii as they were."""
    kept: list[Branch] = []
    number: dict[int, int] = {}
    for index, branch in enumerate(tree.branches):
        if branch.parent is not None and branch.parent not in number:
            continue
        near = _pool_distances(np.ascontiguousarray(branch.points_mm), heart)
        stray = float(np.mean(near[:, 2] < near[:, :2].min(axis=1) - 1.0)) > STRAY_SHARE
        if not (stray and branch.name in names):
            number[index] = len(kept)
            kept.append(replace(branch, parent=None if branch.parent is None else number[branch.parent]))
    return VesselGraph(tuple(kept), tree.root_mm)


@njit(cache=True)
def _unbent(ideal: Points, heart: HeartShapes) -> Points:
    found = ideal.copy()
    for n in range(len(ideal)):
        for _ in range(6):
            x, y, z = bent(found[n, 0], found[n, 1], found[n, 2], heart.warp)
            found[n, 0] += ideal[n, 0] - x
            found[n, 1] += ideal[n, 1] - y
            found[n, 2] += ideal[n, 2] - z
    return found


def left_courses(ground: Ground, dominance: Dominance, rng: np.random.Generator) -> list[Course]:
    """LM, LAD along the anterior interventricular groove, LCx along the left AV groove (to the crux and on in left dominance)."""
    length = ground.anatomy.proportions.lv_length
    ostium = np.asarray(ground.ostium("left").point_mm)
    towards = ground.around_ventricle([[rng.uniform(3.0, 6.0), rng.uniform(-30.0, -24.0)]])[0] - ostium
    fork = ostium + min(1.0, rng.uniform(9.0, 15.0) / float(np.linalg.norm(towards))) * towards
    lad = ground.groove([15, 27, 40, 53, length - 10, length - 2], -40.0, 70.0, 20.0)
    ends: dict[Dominance, list[list[float]]] = {
        "right": [[-1, -118 - rng.uniform(0, 12)]],
        "balanced": [[-1, -125], [2, -150], [6, -161]],
        "left": [[-1, -125], [2, -152], [5, -172]],
    }
    circumflex: list[list[float]] = [[1, -48], [-1, -72], [-2, -96], *ends[dominance]]
    courses = [
        Course("LM", fork, None, 0.2),
        Course("LAD", lad, "LM", 0.7),
        Course("LCx", ground.around_ventricle(circumflex), "LM", 0.6),
    ]
    if dominance == "left":
        courses.append(Course("PDA", ground.groove([12, 26, 44], 200.0, 120.0, 170.0), "LCx", 0.5))
    return courses


def right_courses(ground: Ground, dominance: Dominance, rng: np.random.Generator) -> list[Course]:
    """RCA along the right AV groove, at the crux PDA and (right dominance) PL."""
    ring = [-15, 12, 42, 78, 112]
    if dominance == "left":
        return [Course("RCA", ground.around_tricuspid([*ring, 128 + rng.uniform(0, 10)]), None, 0.7)]
    crux = ground.around_ventricle([[4, 172]])
    posterior = ground.groove([14, 28, 42, 54], 200.0, 120.0, 168.0)
    courses = [
        Course("RCA", np.vstack([ground.around_tricuspid([*ring, 145]), crux]), None, 0.7),
        Course("PDA", posterior, "RCA", 0.5),
    ]
    if dominance == "right":
        courses.append(Course("PL", ground.around_ventricle([[4, 184], [6, 196], [10, 208]]), "RCA", 0.4))
    return courses


def side_directions(ground: Ground) -> dict[str, Points]:
    """Body directions that side branches head for."""
    apex, septum, inferior = ground.anatomy.frame.axes
    return {
        "apex": apex,
        "left": -septum + 0.7 * apex + 0.3 * inferior,
        "right": septum,
        "conus": 0.8 * apex - inferior - 0.3 * septum,
    }


def _sides(table: tuple[SideBranch, ...], courses: list[Course]) -> list[SideBranch]:
    """Side branches whose parents exist; with left dominance the diagonals and marginals stay, posterolaterals leave the LCx."""
    grown = {course.name for course in courses} | {side.name for side in table}
    return [side for side in table if side.parent in grown]


def coronary_trees(
    anatomy: Anatomy, ground: Ground, minimum_radius_mm: float, rng: np.random.Generator
) -> dict[str, VesselGraph]:
    """Both healthy trees in body mm; the right one keeps clear of the left one."""
    left = left_courses(ground, anatomy.dominance, rng)
    right = right_courses(ground, anatomy.dominance, rng)
    left_tree = _grown_tree(ground, ("left", 14.0), left, LEFT_SIDES, minimum_radius_mm, (), rng)
    others = [branch.points_mm for branch in left_tree.branches]
    right_tree = _grown_tree(ground, ("right", 13.0), right, RIGHT_SIDES + RIGHT_CRUX_SIDES, minimum_radius_mm, others, rng)
    return {"left": left_tree, "right": right_tree}


def _grown_tree(
    ground: Ground,
    sinus: tuple[str, float],
    courses: list[Course],
    table: tuple[SideBranch, ...],
    minimum_radius_mm: float,
    obstacles: Sequence[Points],
    rng: np.random.Generator,
) -> VesselGraph:
    """One tree from its sinus (name, height in mm) along its courses, without strays, tapered from a drawn radius.

    On finer grids the tips feed less beyond them (Huo-Kassab), so that they taper down to what the grid carries.
    """
    drawn = float(np.clip(draw_radius(courses[0].name, rng, ground.anatomy.dominance), *ROOT_RADIUS_MM))
    radius, clearance = max(drawn, 1.25 * minimum_radius_mm), 4.0 + 2.0 * minimum_radius_mm
    sides, directions = _sides(table, courses), side_directions(ground)
    tree = grow_tree(
        ground.surface,
        ground.ostium(*sinus),
        courses,
        sides,
        directions,
        radius,
        rng,
        DEPTH_MM,
        clearance,
        minimum_radius_mm,
        obstacles,
    )
    tree = without_strays(tree, {side.name for side in sides}, ground.anatomy.shapes)
    beyond_tip_mm = float(np.clip(30.0 * (minimum_radius_mm / 0.6) ** (7.0 / 3.0), 6.0, 30.0))
    return tapered(tree, radius, beyond_tip_mm, minimum_mm=minimum_radius_mm)
