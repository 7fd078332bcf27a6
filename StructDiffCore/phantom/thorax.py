"""Thorax: rib cage, sternum, spine, diaphragm and the organs around the heart, as signed distances at one point."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.config.compiled import njit

from .anatomy_landmarks import MIDLINE_MM, HeartFrame
from .anatomy_proportions import Proportions
from .shapes import cut, melt

RIB_PITCH_MM = 27.0


class ThoraxSizes(NamedTuple):
    """Numbers the thorax is made of; lengths in mm, centre in the body frame."""

    centre_x: float
    centre_y: float
    half_width: float
    half_depth: float
    rib_phase: float
    muscle: float
    subcutaneous: float
    dome: float
    """Height of the right dome of the diaphragm."""


class ThoraxDistances(NamedTuple):
    """Signed distances (mm) at one point; ``cage`` is negative inside the rib cage."""

    cage: float
    rib: float
    cartilage: float
    sternum: float
    vertebra: float
    disc: float
    canal: float
    lamina: float
    abdomen: float
    """Negative below the diaphragm."""
    oesophagus: float
    airway: float
    body: float
    muscle: float


def thorax_sizes(p: Proportions, frame: HeartFrame) -> ThoraxSizes:
    """Thorax that leaves room for the given heart."""
    depth = 77.0 * p.thorax_factor[1] * (0.5 + 0.5 * frame.scale / 0.95)
    return ThoraxSizes(
        MIDLINE_MM, 60.0 - depth, 124.0 * p.thorax_factor[0], depth, p.rib_phase, p.muscle, p.subcutaneous, -30.0 + p.diaphragm
    )


@njit(cache=True, fastmath=True)
def _ellipse(x: float, y: float, a: float, b: float) -> float:
    k0 = np.sqrt((x / a) ** 2 + (y / b) ** 2)
    k1 = np.sqrt((x / (a * a)) ** 2 + (y / (b * b)) ** 2)
    return k0 * (k0 - 1.0) / (k1 + 1e-9) if k0 > 0.1 else -min(a, b)


@njit(cache=True, fastmath=True)
def _box(x: float, y: float, z: float, a: float, b: float, c: float, rounding: float) -> float:
    qx, qy, qz = abs(x) - a + rounding, abs(y) - b + rounding, abs(z) - c + rounding
    outer = np.sqrt(max(qx, 0.0) ** 2 + max(qy, 0.0) ** 2 + max(qz, 0.0) ** 2)
    return outer + min(max(qx, max(qy, qz)), 0.0) - rounding


@njit(cache=True, fastmath=True)
def _spine(x: float, y: float, z: float, phase: float) -> tuple[float, float, float, float]:
    """Vertebral bodies, discs, canal, arch with processes; (x, y) from the midline at the front of the spine."""
    height = 25.0
    part = (z + phase) / height
    level = (part - np.floor(part) - 0.5) * height
    waist = 1.5 * np.cos(2.0 * np.pi * level / height)
    column = _ellipse(x, y + 15.0, 16.5 - waist, 14.0 - waist)
    gap = height / 2 - abs(level)
    disc = max(column, gap - 2.4)
    vertebra = cut(column, 2.4 - gap, 2.0)
    canal = _ellipse(x, y + 37.0, 9.0, 8.0)
    arch = max(_ellipse(x, y + 38.0, 15.0, 14.0), max(-canal, y + 29.0))
    pedicle = _box(abs(x) - 11.5, y + 31.0, level, 3.5, 8.0, 5.0, 2.0)
    spinous = _box(x, y + 62.0, level + 6.0 + 0.35 * (-(y + 62.0)), 3.0, 14.0, 6.0, 2.5)
    transverse = _box(abs(x) - 24.0, y + 42.0, level - 2.0, 12.0, 4.0, 4.5, 3.0)
    lamina = min(min(max(arch, abs(level) - 9.0), pedicle), min(spinous, transverse))
    return vertebra, disc, canal, lamina


@njit(cache=True, fastmath=True)
def diaphragm_height(x: float, y: float, s: ThoraxSizes) -> float:
    """Height (mm) of the diaphragm above body point (x, y): right dome, left dome, sloping down to the cage."""
    u, v = (x - s.centre_x) / s.half_width, (y - s.centre_y) / s.half_depth
    right = s.dome + 22.0 - 75.0 * ((u - 0.48) ** 2 * 1.6 + (v + 0.05) ** 2)
    left = s.dome + 14.0 - 75.0 * ((u + 0.52) ** 2 * 1.6 + (v + 0.05) ** 2)
    return -melt(-right, -left, 30.0)


@njit(cache=True, fastmath=True)
def thorax_distances(x: float, y: float, z: float, s: ThoraxSizes) -> ThoraxDistances:
    """All signed distances of the thorax at a body point."""
    px, py = x - s.centre_x, y - s.centre_y
    cage = _ellipse(px, py, s.half_width, s.half_depth)
    front = py / s.half_depth
    slope = z + s.rib_phase + 30.0 * front + 8.0 * front * front
    part = slope / RIB_PITCH_MM
    level = (part - np.floor(part) - 0.5) * RIB_PITCH_MM
    rib = np.sqrt(((cage - 5.5) / 0.62) ** 2 + (level * 0.9) ** 2)
    rib = (rib - 6.2) * 0.7
    anterior = py > 0.0 and abs(px) < 55.0
    sternum_x = abs(px)
    sternum = _box(px, py - s.half_depth - 6.0 + 0.0025 * px * px, z - 18.0, 17.0 - 0.05 * abs(z - 40.0), 5.5, 95.0, 5.0)
    cartilage = max(rib, 12.0 - sternum_x) if anterior else 1e9
    if anterior:
        rib = 1e9
    ax, ay = x - MIDLINE_MM, y - (s.centre_y - s.half_depth + 26.0)
    vertebra, disc, canal, lamina = _spine(ax, ay, z, 2.0 * s.rib_phase)
    abdomen = (z - diaphragm_height(x, y, s)) * 0.75
    oesophagus = _ellipse(x - MIDLINE_MM + 12.0 - 0.06 * max(z, 0.0), y + 47.0, 8.5, 6.0)
    trachea = np.sqrt((x - MIDLINE_MM) ** 2 + (y + 30.0) ** 2) - 8.5
    airway = max(trachea, 78.0 - z)
    body = cage - 12.0 - s.muscle - s.subcutaneous
    back = 6.0 * np.exp(-((px / 45.0) ** 2)) if py < 0.0 else 0.0
    muscle = cage - 11.5 - s.muscle * (0.75 + 0.5 * np.exp(-(((abs(px) - 65.0) / 40.0) ** 2))) - back
    return ThoraxDistances(
        cage,
        rib,
        cartilage,
        sternum,
        vertebra,
        disc,
        canal,
        lamina,
        abdomen,
        oesophagus,
        airway,
        body - back,
        max(muscle, body - back + 3.0),
    )


def thorax_centre(s: ThoraxSizes) -> NDArray[np.float64]:
    """Axis of the rib cage (x, y) in mm."""
    return np.array([s.centre_x, s.centre_y])
