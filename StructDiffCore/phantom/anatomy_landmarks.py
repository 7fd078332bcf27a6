"""Landmarks: from drawn proportions to the heart's solids in the body frame (RAS+, mm, origin at the mean mitral annulus).

The mean heart is written in two frames: body axes (right, anterior, superior) for vessels and atria, and heart axes
(base to apex, left to right ventricle, inferior) for the ventricles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

from .anatomy_chambers import HeartShapes
from .anatomy_proportions import Proportions
from .shapes import tube
from .smooth_noise import smooth_field, warp_fields

Points = NDArray[np.float64]
MEAN_APEX = np.array([-0.52, 0.62, -0.59])
MEAN_SEPTUM = np.array([0.76, 0.64, 0.02])
MIDLINE_MM = 12.0
"""Where the body's midline lies to the right of the mitral annulus."""
SINUS_ANGLES = {"right": np.deg2rad(82.0), "left": np.deg2rad(205.0), "non": np.deg2rad(325.0)}


@dataclass(frozen=True)
class HeartFrame:
    """Turns mean-heart coordinates into body coordinates."""

    rotation: NDArray[np.float64]
    scale: float
    apex: Points
    septum: Points
    inferior: Points

    @classmethod
    def of(cls, proportions: Proportions) -> HeartFrame:
        apex = MEAN_APEX / np.linalg.norm(MEAN_APEX)
        septum = MEAN_SEPTUM - (MEAN_SEPTUM @ apex) * apex
        septum = septum / np.linalg.norm(septum)
        rotation = Rotation.from_rotvec(proportions.tilt).as_matrix()
        return cls(rotation, proportions.scale, apex, septum, np.cross(apex, septum))

    def body(self, points: ArrayLike) -> Points:
        """Body positions of mean-heart points (..., 3) given in body axes."""
        return self.scale * (np.asarray(points, float) @ self.rotation.T)

    def heart(self, points: ArrayLike) -> Points:
        """Body positions of mean-heart points (..., 3) given along (apex, septum, inferior)."""
        return self.body(np.asarray(points, float) @ np.stack([self.apex, self.septum, self.inferior]))

    def turned(self, vectors: ArrayLike) -> Points:
        """Body directions of mean-heart directions given in body axes."""
        return np.asarray(vectors, float) @ self.rotation.T

    @property
    def axes(self) -> Points:
        """Rows: apex, septal and inferior direction in the body."""
        return self.turned(np.stack([self.apex, self.septum, self.inferior]))


def smooth_tube(points: ArrayLike, radii: ArrayLike, samples: int) -> Points:
    """A tube through the points, bent smoothly (cubic spline) and sampled ``samples`` times."""
    points, radii = np.asarray(points, float), np.broadcast_to(np.asarray(radii, float), (len(np.asarray(points)),))
    along = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
    spline = CubicSpline(along, np.column_stack([points, radii]), bc_type="natural")
    rows = spline(np.linspace(0.0, along[-1], samples))
    return tube(rows[:, :3], rows[:, 3])


def ellipsoid(centre: Points, half_axes: ArrayLike, axes: Points) -> Points:
    """Rows of an ellipsoid: centre, half axes, three unit axes."""
    return np.vstack([centre, np.asarray(half_axes, float), axes])


def _plane(point: Points, outward: Points) -> Points:
    return np.vstack([point, outward / np.linalg.norm(outward)])


def _ventricles(p: Proportions, frame: HeartFrame) -> dict[str, Points]:
    k, axes = frame.scale, frame.axes
    below = 0.33 * p.lv_length
    centre, half = frame.heart([below, 0, 0]), p.lv_length - below
    tricuspid, towards_rv = frame.heart([4, 35, 5]), frame.turned([-0.80, 0.56, -0.22])
    valve = frame.body([-15, 33, 28]) + p.jitter[0]
    return {
        "lv": ellipsoid(centre, k * np.array([half, p.lv_radius, p.lv_radius]), axes),
        "lv_outer": ellipsoid(centre, k * np.array([half + p.apex_wall, p.lv_radius + p.wall, p.lv_radius + p.wall]), axes),
        "lv_base": _plane(frame.heart([0, 0, 0]), -axes[0]),
        "mitral": tube(frame.heart([[-6, -5, 4], [6, -5, 4]]), [k * 14.5, k * 13.5]),
        "papillary_1": smooth_tube(frame.heart([[22, -13, -10], [34, -16, -12], [52, -11, -9]]), [k * 1.5, k * 4.2, k * 4], 8),
        "papillary_2": smooth_tube(frame.heart([[24, -6, 14], [35, -8, 17], [50, -6, 13]]), [k * 1.5, k * 4, k * 4], 8),
        "tricuspid": tube(tricuspid + k * np.outer([-12.0, 8.0], towards_rv), [k * 15.5, k * 15.0]),
        "tricuspid_plane": _plane(tricuspid, towards_rv),
        "rv": ellipsoid(frame.heart([24, 20, 2]), k * np.array([45.0, p.rv_depth, 34.0]), axes),
        "rv_outflow": smooth_tube(
            np.vstack([frame.heart([38, 34, -12]), frame.heart([26, 30, -32]), valve, valve + frame.body([3, -4, 10])]),
            k * np.array([15.0, 14.0, p.pulmonary_radius, p.pulmonary_radius]),
            10,
        ),
        "rv_annulus": _plane(valve, frame.turned([0.05, -0.25, 0.95])),
        "septum": axes[1:2],
    }


def _atria(p: Proportions, frame: HeartFrame) -> dict[str, Points]:
    k, body, j = frame.scale, frame.body, np.asarray(p.jitter)
    left, right = body([9, -22, 14]) + j[1], body([38, 2, 4]) + j[2]
    return {
        "la": ellipsoid(left, k * p.la_factor * np.array([27.0, 18.0, 23.0]), frame.turned(np.eye(3))),
        "la_funnel": tube(np.vstack([left, frame.heart([-2, -5, 4])]), [k * 15, k * 15]),
        "la_appendage": smooth_tube(
            np.vstack([left + body([-20, 8, 10]), body([-26, -3, 30]), body([-34, 9, 33]) + j[3], body([-35, 20, 25]) + j[3]]),
            k * np.array([9.0, 8.5, 8.0, 4.5]),
            10,
        ),
        "ra": ellipsoid(right, k * p.ra_factor * np.array([21.0, 24.0, 28.0]), frame.turned(np.eye(3))),
        "ra_appendage": smooth_tube(
            np.vstack([right + body([-2, 10, 14]), body([36, 26, 27]), body([27, 36, 34]) + j[4]]),
            k * np.array([12.0, 9.0, 5.5]),
            8,
        ),
        "svc": smooth_tube(
            np.vstack([right + body([-2, -8, 12]), body([37, -5, 40]), body([36, -2, 75]), body([34, 4, 120])]), k * 9.5, 10
        ),
        "ivc": smooth_tube(
            np.vstack([right + body([-2, -8, -12]), body([39, -8, -32]), body([37, -14, -60]), body([34, -20, -130])]),
            k * 11.5,
            10,
        ),
    }


def _veins(p: Proportions, frame: HeartFrame) -> tuple[Points, Points, Points, Points]:
    k, left = frame.scale, frame.body([9, -22, 14]) + p.jitter[1]
    ends = [((23, -3, 10), (48, -6, 22), (75, -10, 34)), ((22, -10, -5), (46, -22, -10), (72, -34, -22))]
    ends += [((-22, -4, 10), (-42, -12, 24), (-62, -20, 38)), ((-21, -10, -4), (-42, -26, -8), (-62, -40, -20))]
    stems = []
    for number, way in enumerate(ends):
        points = np.vstack([left + frame.body(np.multiply(0.45, way[0])), *(left + frame.body(w) for w in way)])
        points[2:] += p.jitter[5 + number]
        stems.append(smooth_tube(points, k * np.array([9.0, 7.6, 6.3, 5.0]), 10))
    return stems[0], stems[1], stems[2], stems[3]


def root_axis(frame: HeartFrame) -> Points:
    """Unit direction of the aortic root, from the ventricle up."""
    axis = frame.turned([0.28, 0.14, 0.95])
    return axis / np.linalg.norm(axis)


def sinus_direction(frame: HeartFrame, angle: float) -> Points:
    """Unit direction across the root axis towards the sinus at the given angle (0 = right, pi/2 = anterior)."""
    across = frame.turned([np.cos(angle), np.sin(angle), 0.0])
    across = across - (across @ root_axis(frame)) * root_axis(frame)
    return across / np.linalg.norm(across)


def root_sizes(p: Proportions, frame: HeartFrame) -> tuple[Points, float, float]:
    """Centre of the aortic annulus, its radius, and how far from the axis the sinus walls lie (mm)."""
    outer = p.scale * p.aorta_radius * p.root_gain
    return frame.body([8, 10, 14]), 0.80 * p.scale * p.aorta_radius, outer


def _great_vessels(p: Proportions, frame: HeartFrame) -> dict[str, Points]:
    k, body, j = frame.scale, frame.body, np.asarray(p.jitter)
    annulus, inlet, _ = root_sizes(p, frame)
    axis, radius = root_axis(frame), k * p.aorta_radius
    along = annulus + np.outer([-3.0, 9.0 * k, 23.0 * k], axis)
    arch = np.vstack([body([18, 15, 55]), body([15, 7, 76]), body([3, -14, 89]) + j[9], body([-9, -36, 84])])
    back = np.array(
        [[MIDLINE_MM - 27, -50, 60], [MIDLINE_MM - 26, -52, 30], [MIDLINE_MM - 23, -52, -20], [MIDLINE_MM - 18, -50, -140]]
    )
    radii = [inlet, radius, 0.93 * radius, radius, radius, 0.95 * radius, 0.85 * radius, 0.78 * radius]
    whole = smooth_tube(np.vstack([along, arch, back[0]]), radii, 26)
    pulmonary = k * p.pulmonary_radius
    valve = body([-15, 33, 28]) + j[0]
    fork = body([-11, 2, 63]) + 0.5 * j[10]
    return {
        "outflow": tube(np.vstack([frame.heart([7, 8, -7]), annulus + 3.0 * axis]), [0.95 * inlet, inlet]),
        "annulus": _plane(annulus, axis),
        "aorta": whole,
        "arch_end": _plane(arch[3], np.array([-0.3, -0.95, 0.0])),
        "descending": smooth_tube(back, 0.75 * radius, 10),
        "trunk": smooth_tube(
            np.vstack([valve - body([3, -3, 8]), valve, 0.5 * (valve + fork) + body([0, 4, 1]), fork]), pulmonary, 12
        ),
        "right_pulmonary": smooth_tube(
            np.vstack([fork, body([8, -14, 60]), body([32, -17, 56]), body([60, -20, 50])]),
            pulmonary * np.array([0.85, 0.75, 0.7, 0.55]),
            10,
        ),
        "left_pulmonary": smooth_tube(
            np.vstack([fork, body([-26, -16, 66]), body([-40, -34, 60]), body([-48, -48, 42])]),
            pulmonary * np.array([0.85, 0.75, 0.7, 0.55]),
            10,
        ),
    }


def _sinuses(p: Proportions, frame: HeartFrame) -> tuple[Points, Points, Points]:
    annulus, _, outer = root_sizes(p, frame)
    axis, lobes = root_axis(frame), []
    for name in ("right", "left", "non"):
        across = sinus_direction(frame, SINUS_ANGLES[name])
        half = np.array([0.60 * outer, 0.66 * outer, 0.74 * outer])
        centre = annulus + 10.0 * frame.scale * axis + (outer - half[0]) * across
        lobes.append(ellipsoid(centre, half, np.stack([across, np.cross(axis, across), axis])))
    return lobes[0], lobes[1], lobes[2]


def heart_shapes(proportions: Proportions, frame: HeartFrame, rng: np.random.Generator) -> HeartShapes:
    """The heart's solids in the body frame; ``rng`` draws the smooth bending and the relief of the inner surfaces."""
    solids = _ventricles(proportions, frame) | _atria(proportions, frame) | _great_vessels(proportions, frame)
    return HeartShapes(
        bound=np.array([[-105.0, -85.0], [105.0, 105.0]]),
        veins=_veins(proportions, frame),
        sinuses=_sinuses(proportions, frame),
        wall=np.array([proportions.wall * (proportions.septum_gain - 1.0), proportions.fat]),
        warp=warp_fields(rng, proportions.warp),
        relief=smooth_field(rng, 1.3),
        **solids,
    )
