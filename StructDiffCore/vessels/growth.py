"""Growth: coronary centrelines over the epicardium, along grooves by waypoints and from branch to branch by wandering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from StructDiffCore.domain import StructDiffError

from .branch import Branch
from .polyline import arclength, resampled, smoothed, tangents
from .surface import Surface, normals, project, tangential
from .tortuosity import Meander

Floats = NDArray[np.float64]

STEP_MM = 0.5
"""Spacing of finished centrelines."""
STRIDE_MM = 1.5
"""Length of a wandering branch's step."""
LANDING_MM = 8.0
"""Over this length a vessel comes from its start (an ostium, a parent) to its depth over the muscle."""
WANDER_DEG = 7.0
"""Standard deviation of a wandering branch's turn per step."""
TURNS_DEG = (0.0, 20.0, -20.0, 40.0, -40.0, 60.0, -60.0)
"""Turns tried, in this order, where the way is not free."""


@dataclass(frozen=True, eq=False)
class Start:
    """Where a course begins without being moved: an ostium in its sinus, or a parent's end."""

    point_mm: ArrayLike
    """(3,)"""
    direction: ArrayLike | None = None
    """(3,) in which the vessel leaves; None: straight for the first waypoint."""


def grow_along(
    surface: Surface,
    waypoints_mm: ArrayLike,
    depth_mm: float,
    rng: np.random.Generator,
    tortuosity_mm: float = 0.6,
    start: Start | None = None,
) -> Floats:
    """Centreline (n, 3) through waypoints (w, 3) laid onto the surface, ``depth_mm`` outside it, with points every 0.5 mm.

    Between the waypoints it follows the surface; ``tortuosity_mm`` is the standard deviation of its meander. With a start, the
    first stretch leaves that point in its direction and lands on the surface's offset near the first waypoint.
    """
    waypoints = np.asarray(waypoints_mm, float).reshape(-1, 3)
    if len(waypoints) + (start is not None) < 2:
        raise StructDiffError(f"{len(waypoints)} waypoints give no course", "give two, or one and a start")
    meander = Meander.draw(tortuosity_mm, rng)
    points = _through(project(surface, waypoints, depth_mm)[0], start)
    for _ in range(3):
        points = smoothed(_laid(surface, points, depth_mm, start), 2.0)
        points = resampled(points, 1.0)
    sideways = np.cross(normals(surface, points), tangents(points))
    points = _laid(surface, meander.applied(points, sideways), depth_mm, start)
    return resampled(smoothed(resampled(points, STEP_MM), 1.0), STEP_MM)


def _through(waypoints: Floats, start: Start | None) -> Floats:
    """A cubic through the waypoints (and the start), every millimetre."""
    points = waypoints if start is None else np.concatenate([np.asarray(start.point_mm, float)[None], waypoints])
    knots = arclength(points)
    if np.any(np.diff(knots) < 1e-6):
        raise StructDiffError("two waypoints of a course fall on one point", "leave one out")
    ends: tuple[tuple[int, Floats], tuple[int, Floats]] = ((2, np.zeros(3)), (2, np.zeros(3)))
    if start is not None and start.direction is not None:
        direction = np.asarray(start.direction, float)
        ends = ((1, direction / np.linalg.norm(direction)), ends[1])
    curve = CubicSpline(knots, points, bc_type=ends)
    return resampled(curve(np.linspace(0, knots[-1], max(8, int(2 * knots[-1])))), 1.0)


def _laid(surface: Surface, points: Floats, depth_mm: float, start: Start | None) -> Floats:
    """Points (n, 3) brought to their depth; near a start only as far as the landing has come."""
    laid, _ = project(surface, points, depth_mm, steps=2)
    if start is None:
        return laid
    share = np.clip(arclength(points) / LANDING_MM, 0, 1)[:, None]
    return np.asarray(points + share * share * (3 - 2 * share) * (laid - points))


def grow_side_branch(
    surface: Surface,
    parent: Branch,
    at_fraction: float,
    direction: ArrayLike,
    length_mm: float,
    rng: np.random.Generator,
    obstacles: Sequence[Floats] = (),
    clearance_mm: float = 4.0,
    depth_mm: float | None = None,
    angle_deg: tuple[float, float] = (35.0, 70.0),
    tortuosity_mm: float = 0.4,
    shortest_mm: float = 8.0,
) -> Floats | None:
    """Centreline (n, 3) of a branch that leaves ``parent`` and wanders over the surface towards ``direction`` (3,) in world axes.

    It starts at the parent's point nearest ``at_fraction`` of its length, at an angle drawn from ``angle_deg``, on the side that
    ``direction`` points to, keeps ``clearance_mm`` between centrelines from the parent and all obstacle polylines (n, 3), and
    stops early where it cannot; None when it stops before ``shortest_mm``. Lies as deep as its parent where ``depth_mm`` is None.
    """
    meander = Meander.draw(tortuosity_mm, rng)
    turns = np.deg2rad(WANDER_DEG) * rng.normal(size=max(2, round(length_mm / STRIDE_MM)))
    angle = np.deg2rad(rng.uniform(*angle_deg))
    at = int(np.abs(parent.arclength_mm - np.clip(at_fraction, 0, 1) * parent.length_mm).argmin())
    origin = parent.points_mm[at]
    depth = float(surface.signed_distance(origin[None])[0]) if depth_mm is None else depth_mm
    keep_off = KeepOff([parent.points_mm, *obstacles], origin, clearance_mm + 1.5 * tortuosity_mm)
    heading = _take_off(surface, origin, tangents(parent.points_mm)[at], np.asarray(direction, float), angle)
    path = _wander(surface, origin, heading, np.asarray(direction, float), turns, depth, keep_off)
    if len(path) < 3:
        return None
    points = resampled(smoothed(resampled(path, 1.0), 1.5), 1.0)
    points = meander.applied(points, np.cross(normals(surface, points), tangents(points)))
    points = resampled(smoothed(_laid(surface, points, depth, Start(origin)), 1.0), STEP_MM)
    points = points[: KeepOff([parent.points_mm, *obstacles], origin, clearance_mm).free_until(points)]
    return points if len(points) > 1 and arclength(points)[-1] >= shortest_mm else None


def _take_off(surface: Surface, origin: Floats, tangent: Floats, direction: Floats, angle: float) -> Floats:
    """Unit heading (3,) in the tangent plane, ``angle`` away from the parent towards the side of ``direction``."""
    normal = normals(surface, origin[None])[0]
    ahead = tangential(tangent, normal)
    side = np.cross(normal, ahead)
    side *= 1.0 if side @ direction >= 0 else -1.0
    return np.asarray(np.cos(angle) * ahead + np.sin(angle) * side)


def _wander(
    surface: Surface, origin: Floats, heading: Floats, direction: Floats, turns: Floats, depth_mm: float, keep_off: KeepOff
) -> Floats:
    """Steps (n, 3) over the surface: drawn turns, a pull towards ``direction``, a push away from what is near."""
    path, along = [origin], 0.0
    normal = normals(surface, origin[None])[0]
    for turn in turns:
        along += STRIDE_MM
        pulled = heading + 0.10 * tangential(direction, normal) + keep_off.push(path[-1], along)
        wanted = tangential(_rotated(tangential(pulled, normal), normal, turn), normal)
        for detour in np.deg2rad(TURNS_DEG):
            step = _rotated(wanted, normal, detour)
            point, around = project(surface, (path[-1] + STRIDE_MM * step)[None], depth_mm, steps=1)
            if keep_off.allows(point[0], along):
                break
        else:
            break
        heading, normal = tangential(step, around[0]), around[0]
        path.append(point[0])
    return np.array(path)


def _rotated(vector: Floats, axis: Floats, angle: float) -> Floats:
    """A vector (3,) of the tangent plane turned about its unit normal (3,)."""
    return np.asarray(np.cos(angle) * vector + np.sin(angle) * np.cross(axis, vector))


class KeepOff:
    """Existing centrelines and the distance to keep from them, which grows from the take-off on."""

    def __init__(self, polylines: Sequence[Floats], origin: Floats, clearance_mm: float) -> None:
        self.points = np.concatenate([polyline[::2] for polyline in polylines])
        self.clearance_mm = clearance_mm
        self.origin = origin

    def _needed(self, along_mm: float | Floats) -> Floats:
        return np.minimum(self.clearance_mm, 0.35 * np.asarray(along_mm))

    def _nearest(self, point: Floats) -> tuple[Floats, float]:
        gaps = self.points - point
        squares = np.einsum("ij,ij->i", gaps, gaps)
        best = int(squares.argmin())
        return self.points[best], float(np.sqrt(squares[best]))

    def allows(self, point: Floats, along_mm: float) -> bool:
        return bool(self._nearest(point)[1] >= self._needed(along_mm))

    def push(self, point: Floats, along_mm: float) -> Floats:
        """Away from the nearest centreline, from 0 at twice the clearance to 0.5 in contact."""
        near, gap = self._nearest(point)
        if along_mm < 2 * self.clearance_mm or gap < 1e-6:
            return np.zeros(3)
        return np.asarray(0.5 * max(0.0, 1 - gap / (2 * self.clearance_mm)) * (point - near) / gap)

    def free_until(self, points: Floats) -> int:
        """How many points (n, 3) of a path keep the distance before the first that does not."""
        gaps = np.sqrt(((points[:, None] - self.points[None]) ** 2).sum(axis=2).min(axis=1))
        close = gaps < self._needed(arclength(points)) - 0.5
        return int(close.argmax()) if close.any() else len(points)
