"""Chambers and great vessels: signed distances of the heart's blood pools and walls at one point of the body."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.config.compiled import njit

from .shapes import cut, ellipsoid_distance, field_at, half_space, melt, tube_distance
from .smooth_noise import RELIEF_CELL_MM, WARP_CELL_MM

Rows = NDArray[np.float64]


class HeartShapes(NamedTuple):
    """The heart's solids as rows of numbers (see shapes.py), all in the body frame in mm."""

    bound: Rows
    """Box (2, 2) that heart and great vessels never leave: lowest and highest x, y; they may run on along z."""
    lv: Rows
    lv_outer: Rows
    lv_base: Rows
    mitral: Rows
    outflow: Rows
    annulus: Rows
    papillary_1: Rows
    papillary_2: Rows
    la: Rows
    la_funnel: Rows
    la_appendage: Rows
    veins: tuple[Rows, Rows, Rows, Rows]
    ra: Rows
    ra_appendage: Rows
    tricuspid: Rows
    tricuspid_plane: Rows
    svc: Rows
    ivc: Rows
    rv: Rows
    rv_outflow: Rows
    rv_annulus: Rows
    aorta: Rows
    sinuses: tuple[Rows, Rows, Rows]
    arch_end: Rows
    descending: Rows
    trunk: Rows
    right_pulmonary: Rows
    left_pulmonary: Rows
    septum: Rows
    """Unit vector from the left to the right ventricle (1, 3)."""
    wall: Rows
    """Septum gain, fat thickness, warp switch (3,)."""
    warp: NDArray[np.float32]
    relief: NDArray[np.float32]


class Distances(NamedTuple):
    """Signed distances (mm) to everything of the heart at one point."""

    lv: float
    la: float
    ra: float
    rv: float
    aorta: float
    pulmonary: float
    myocardium: float
    heart_wall: float
    vessel_wall: float
    vein: float
    cava: float
    descending: float
    epicardium: float
    pericardium: float
    vessels: float
    """Union of the great vessels, for the mediastinum around them."""


@njit(cache=True, fastmath=True)
def bent(x: float, y: float, z: float, warp: NDArray[np.float32]) -> tuple[float, float, float]:
    """The point at which the ideal solids are read for the body point (x, y, z)."""
    return (
        x + field_at(x, y, z, warp[0], WARP_CELL_MM),
        y + field_at(x, y, z, warp[1], WARP_CELL_MM),
        z + field_at(x, y, z, warp[2], WARP_CELL_MM),
    )


@njit(cache=True, fastmath=True)
def left_ventricle(x: float, y: float, z: float, s: HeartShapes, relief: float) -> tuple[float, float, float]:
    """Cavity (with outflow tract, mitral orifice and papillary ridges), outer surface of the wall, outflow tract."""
    base = half_space(x, y, z, s.lv_base)
    cavity = cut(ellipsoid_distance(x, y, z, s.lv) + 0.7 * relief, base, 8.0)
    ridges = min(tube_distance(x, y, z, s.papillary_1), tube_distance(x, y, z, s.papillary_2)) + 0.5 * relief
    cavity = cut(cavity, -ridges, 3.0)
    tract = cut(tube_distance(x, y, z, s.outflow), half_space(x, y, z, s.annulus), 0.5)
    orifice = cut(tube_distance(x, y, z, s.mitral), base - 1.0, 0.5)
    cavity = melt(melt(cavity, tract, 7.0), orifice, 5.0)
    px, py, pz = x - s.lv[0, 0], y - s.lv[0, 1], z - s.lv[0, 2]
    towards = (px * s.septum[0, 0] + py * s.septum[0, 1] + pz * s.septum[0, 2]) / (np.sqrt(px * px + py * py + pz * pz) + 1e-6)
    outer = ellipsoid_distance(x, y, z, s.lv_outer) - s.wall[0] * towards
    return cavity, cut(outer, base - 0.5, 9.0), tract


@njit(cache=True, fastmath=True)
def aorta_and_trunk(x: float, y: float, z: float, s: HeartShapes) -> tuple[float, float, float]:
    """Aorta (root, sinuses, ascending, arch), descending aorta, pulmonary artery."""
    lobes = min(
        ellipsoid_distance(x, y, z, s.sinuses[0]),
        min(ellipsoid_distance(x, y, z, s.sinuses[1]), ellipsoid_distance(x, y, z, s.sinuses[2])),
    )
    whole = tube_distance(x, y, z, s.aorta)
    aorta = cut(melt(whole, lobes, 2.5), -half_space(x, y, z, s.annulus), 0.5)
    end = half_space(x, y, z, s.arch_end)
    lower = min(tube_distance(x, y, z, s.descending), max(whole, -end))
    trunk = cut(tube_distance(x, y, z, s.trunk), -half_space(x, y, z, s.rv_annulus), 0.5)
    branches = min(tube_distance(x, y, z, s.right_pulmonary), tube_distance(x, y, z, s.left_pulmonary))
    pulmonary = cut(melt(trunk, branches, 5.0), 2.6 - min(aorta, lower), 2.0)
    return max(aorta, end), lower, pulmonary


@njit(cache=True, fastmath=True)
def heart_distances(x: float, y: float, z: float, s: HeartShapes) -> Distances:
    """All signed distances of the heart at the (already bent) body point."""
    relief = field_at(x, y, z, s.relief, RELIEF_CELL_MM)
    lv, lv_outer, tract = left_ventricle(x, y, z, s, relief)
    aorta, descending, pulmonary = aorta_and_trunk(x, y, z, s)
    outlets = min(aorta, pulmonary)
    body = melt(ellipsoid_distance(x, y, z, s.la), tube_distance(x, y, z, s.la_funnel), 8.0)
    pocket = tube_distance(x, y, z, s.la_appendage) + 0.9 * relief
    veins = 1e9
    for n in range(4):
        veins = min(veins, tube_distance(x, y, z, s.veins[n]))
    with_veins = melt(body, veins, 6.0)
    near = body - 9.0
    left = melt(max(with_veins, near), pocket, 5.0)
    left = cut(cut(left, -lv_outer, 1.0), 2.4 - min(outlets, descending), 2.0)
    left = max(left, 1.6 - tract)
    plane = half_space(x, y, z, s.tricuspid_plane)
    chamber = melt(ellipsoid_distance(x, y, z, s.ra), tube_distance(x, y, z, s.ra_appendage) + 0.9 * relief, 7.0)
    caval = min(tube_distance(x, y, z, s.svc), tube_distance(x, y, z, s.ivc))
    right = cut(melt(max(melt(chamber, caval, 5.0), chamber - 7.0), tube_distance(x, y, z, s.tricuspid), 7.0), plane, 1.0)
    right = cut(cut(cut(right, 2.2 - left, 2.0), 1.5 - lv_outer, 1.0), 2.4 - outlets, 2.0)
    crescent = cut(ellipsoid_distance(x, y, z, s.rv) + 0.9 * relief, -plane, 5.0)
    crescent = min(crescent, cut(tube_distance(x, y, z, s.tricuspid), -plane, 0.5))
    conus = cut(tube_distance(x, y, z, s.rv_outflow) + 0.4 * relief, half_space(x, y, z, s.rv_annulus), 0.5)
    rv = melt(crescent, conus, 9.0)
    rv = cut(cut(cut(rv, -lv_outer, 2.0), 2.4 - aorta, 2.0), 2.2 - left, 1.0)
    rv = max(rv, 1.5 - lv)
    vein = max(veins, max(2.0 - right, 2.0 - min(outlets, descending)))
    cava = max(caval, 2.0 - min(outlets, left))
    heart_wall = min(min(rv - 2.6, left - 1.8), min(right - 1.8, lv - 2.2))
    vessel_wall = min(min(outlets, descending) - 1.4, min(vein, cava) - 0.8)
    epicardium = melt(melt(lv_outer, rv - 3.0, 4.0), melt(left - 2.2, right - 2.2, 4.0), 5.0)
    sac = melt(melt(lv_outer, rv - 3.0, 14.0), melt(left - 2.2, right - 2.2, 14.0), 16.0)
    sac = melt(sac, min(outlets - 2.0, cava - 1.0), 9.0) - s.wall[1] - 0.9 * relief
    vessels = min(min(outlets, descending), min(vein, cava))
    return Distances(
        lv, left, right, rv, aorta, pulmonary, lv_outer, heart_wall, vessel_wall, vein, cava, descending, epicardium, sac, vessels
    )
