"""Vessels drawn by hand for the tests of this room."""

from __future__ import annotations

import numpy as np

from StructDiffCore.domain import Geometry
from StructDiffCore.vessels import Branch, Ellipsoid, VesselGraph
from StructDiffCore.vessels.coronaries import LEFT_SIDES, RIGHT_CRUX_SIDES, RIGHT_SIDES, Course, grow_tree
from StructDiffCore.vessels.growth import Start

HEART = Ellipsoid((38.0, 38.0, 52.0))


def a_tube(length_mm=20.0, radius_mm=2.0, far_radius_mm=None, direction=(1.0, 0.0, 0.0), start=(0.0, 0.0, 0.0), name="LM"):
    """A straight tapered branch with points every 0.5 mm."""
    direction = np.asarray(direction, float) / np.linalg.norm(direction)
    along = np.linspace(0, length_mm, round(length_mm / 0.5) + 1)
    radii = np.linspace(radius_mm, radius_mm if far_radius_mm is None else far_radius_mm, len(along))
    return Branch(np.asarray(start) + along[:, None] * direction, radii, name)


def a_fork():
    """A T drawn by hand: LM of 20 mm along x, LAD goes on for 30 mm, D1 leaves LAD after 10 mm along y for 12 mm."""
    lm = a_tube(20.0)
    lad, d1 = a_tube(30.0, 1.5, start=(20, 0, 0)), a_tube(12.0, 1.0, direction=(0, 1, 0), start=(30, 0, 0))
    return VesselGraph(
        (lm, Branch(lad.points_mm, lad.radii_mm, "LAD", 0, 1), Branch(d1.points_mm, d1.radii_mm, "D1", 1, 2)),
    )


def a_grid(spacing=0.8, size_mm=104.0):
    n = round(size_mm / spacing)
    return Geometry((n,) * 3, (spacing,) * 3, (-0.5 * spacing * (n - 1),) * 3)


def on_heart(azimuth_deg, z_mm):
    angle, radius = np.deg2rad(azimuth_deg), 38 * np.sqrt(1 - (z_mm / 52) ** 2)
    return (radius * np.cos(angle), radius * np.sin(angle), z_mm)


DIRECTIONS = {"apex": (0, 0, -1), "left": (1, -0.3, -1), "right": (-1, 0.3, -0.6), "conus": (0.3, 1, 0.3)}


def a_left_tree(seed=0, radius_mm=2.1):
    courses = (
        Course("LM", [on_heart(75, 36), on_heart(70, 35)]),
        Course("LAD", [on_heart(85, 22), on_heart(90, 5), on_heart(92, -15), on_heart(92, -35), on_heart(90, -49)], "LM"),
        Course("LCx", [on_heart(45, 26), on_heart(15, 22), on_heart(-15, 20), on_heart(-45, 18)], "LM"),
    )
    rng = np.random.default_rng(seed)
    return grow_tree(HEART, Start((3, 22, 42), (0.2, 1, 0)), courses, LEFT_SIDES, DIRECTIONS, radius_mm, rng)


def a_right_tree(seed=0, radius_mm=1.9, obstacles=()):
    courses = (
        Course("RCA", [on_heart(125, 32), on_heart(150, 25), on_heart(180, 20), on_heart(215, 18), on_heart(250, 18)]),
        Course("PDA", [on_heart(262, 5), on_heart(265, -15), on_heart(265, -33)], "RCA"),
        Course("PL", [on_heart(275, 18), on_heart(300, 16)], "RCA"),
    )
    rng, sides = np.random.default_rng(seed + 1000), RIGHT_SIDES + RIGHT_CRUX_SIDES
    start = Start((-6, 22, 42), (-0.4, 1, 0))
    return grow_tree(HEART, start, courses, sides, DIRECTIONS, radius_mm, rng, obstacles=obstacles)
