"""Layers: which two materials share a voxel, from signed distances taken in order from front to back.

The distances are sampled on a lattice fixed in the body (so that every grid sees the same body) and read trilinearly.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.config.compiled import njit

from .anatomy_chambers import Distances
from .anatomy_lattice import read_lattice
from .shapes import cut, melt
from .thorax import ThoraxDistances, ThoraxSizes
from .tissues import Tissue as _T

_AIR, _LUNG, _FAT, _PERICARDIAL_FAT, _MUSCLE, _SKIN = (
    int(t) for t in (_T.AIR, _T.LUNG, _T.FAT, _T.PERICARDIAL_FAT, _T.MUSCLE, _T.SKIN)
)
_CORTEX, _MARROW, _CARTILAGE, _LIVER, _STOMACH, _CORD, _AIRWAY = (
    int(t) for t in (_T.BONE_CORTEX, _T.MARROW, _T.CARTILAGE, _T.LIVER, _T.STOMACH, _T.SPINAL_CORD, _T.AIRWAY)
)
_MYOCARDIUM, _HEART_WALL, _VESSEL_WALL, _LA, _LV, _RA, _RV = (
    int(t) for t in (_T.MYOCARDIUM, _T.HEART_WALL, _T.VESSEL_WALL, _T.LA, _T.LV, _T.RA, _T.RV)
)
_AORTA, _DESCENDING, _PULMONARY, _VEIN, _CAVA = (
    int(t) for t in (_T.AORTA, _T.DESCENDING_AORTA, _T.PULMONARY_ARTERY, _T.PULMONARY_VEIN, _T.VENA_CAVA)
)


HEART_CHANNELS, THORAX_CHANNELS = len(Distances._fields), len(ThoraxDistances._fields)


class Mixture(NamedTuple):
    """What fills a voxel so far: the two largest materials, their amounts, and the share still open."""

    first: int
    first_share: float
    second: int
    second_share: float
    open: float


@njit(cache=True, fastmath=True)
def covered(mixture: Mixture, material: int, distance_mm: float, voxel_mm: float) -> Mixture:
    """The mixture after a solid at the given signed distance took its part of what is still open."""
    coverage = min(1.0, max(0.0, 0.5 - distance_mm / voxel_mm))
    if coverage <= 0.0 or mixture.open <= 0.0:
        return mixture
    amount, rest = coverage * mixture.open, mixture.open * (1.0 - coverage)
    if material == mixture.first:
        return Mixture(material, mixture.first_share + amount, mixture.second, mixture.second_share, rest)
    if amount > mixture.first_share:
        return Mixture(material, amount, mixture.first, mixture.first_share, rest)
    if amount > mixture.second_share:
        return Mixture(mixture.first, mixture.first_share, material, amount, rest)
    return Mixture(mixture.first, mixture.first_share, mixture.second, mixture.second_share, rest)


@njit(cache=True, fastmath=True)
def heart_layers(m: Mixture, d: Distances, h: float) -> Mixture:
    """Heart and great vessels."""
    m = covered(m, _AORTA, d.aorta, h)
    m = covered(m, _LV, d.lv, h)
    m = covered(m, _PULMONARY, d.pulmonary, h)
    m = covered(m, _LA, d.la, h)
    m = covered(m, _RV, d.rv, h)
    m = covered(m, _RA, d.ra, h)
    m = covered(m, _MYOCARDIUM, d.myocardium, h)
    m = covered(m, _DESCENDING, d.descending, h)
    m = covered(m, _VEIN, d.vein, h)
    m = covered(m, _CAVA, d.cava, h)
    m = covered(m, _HEART_WALL, d.heart_wall, h)
    return covered(m, _VESSEL_WALL, d.vessel_wall, h)


@njit(cache=True, fastmath=True)
def pool_depth(material: int, d: Distances) -> float:
    """Signed distance (mm) to the surface of the blood pool of the given material; 0 for all others."""
    if material == _LV:
        return d.lv
    if material == _LA:
        return d.la
    if material == _RV:
        return d.rv
    if material == _RA:
        return d.ra
    if material == _AORTA:
        return d.aorta
    return d.pulmonary if material == _PULMONARY else 0.0


@njit(cache=True, fastmath=True)
def thorax_layers(m: Mixture, d: Distances, t: ThoraxDistances, side: float, h: float) -> Mixture:
    """Everything around the heart, from the sac outwards; ``side`` is mm to the right of the midline."""
    m = covered(m, _AIRWAY, t.airway, h)
    m = covered(m, _MUSCLE, max(t.oesophagus, 2.0 - d.vessels), h)
    m = covered(m, _CORD, t.canal + 2.5, h)
    m = covered(m, _FAT, t.canal, h)
    m = covered(m, _MARROW, min(t.vertebra + 1.3, min(t.sternum + 1.4, min(t.rib + 1.6, t.lamina + 1.6))), h)
    m = covered(m, _CORTEX, min(t.vertebra, min(t.sternum, min(t.rib, t.lamina))), h)
    m = covered(m, _CARTILAGE, min(t.disc, t.cartilage), h)
    m = covered(m, _PERICARDIAL_FAT, max(d.pericardium, t.cage + 1.0), h)
    if t.cage < h:
        m = inside_cage(m, d, t, side, h)
    m = covered(m, _MUSCLE, t.muscle, h)
    m = covered(m, _FAT, t.body + 1.8, h)
    return covered(m, _SKIN, t.body, h)


@njit(cache=True, fastmath=True)
def inside_cage(m: Mixture, d: Distances, t: ThoraxDistances, side: float, h: float) -> Mixture:
    """Mediastinal fat, the organs below the diaphragm, the diaphragm and the lungs."""
    bones = min(min(t.vertebra, t.disc), t.lamina)
    below = cut(t.abdomen, 1.0 - d.pericardium, 3.0)
    around = min(min(d.vessels - 4.0, melt(d.pericardium, below, 16.0)), min(t.oesophagus - 4.0, t.airway - 3.0))
    mediastinum = min(bones - 2.0, max(around, -below))
    m = covered(m, _FAT, max(mediastinum, t.cage), h)
    m = covered(m, _LIVER, max(max(below + 2.0, t.cage + 3.0), 0.6 * (-side - 38.0 - 1.1 * below)), h)
    m = covered(m, _STOMACH, max(below + 2.5, t.cage + 5.0), h)
    m = covered(m, _MUSCLE, max(below, t.cage), h)
    return covered(m, _LUNG, t.cage, h)


@njit(cache=True, fastmath=True, nogil=True)
def fill_voxels(
    affine: NDArray[np.float64],
    lattice: NDArray[np.float32],
    corner: NDArray[np.float64],
    cell_mm: float,
    thorax: ThoraxSizes,
    voxel_mm: float,
    tissue: NDArray[np.uint8],
    second: NDArray[np.uint8],
    share: NDArray[np.uint8],
    depth: NDArray[np.float32],
) -> None:
    """Fill ``tissue``, ``second``, ``share`` and ``depth`` (i, j, k; distance to a blood pool's surface).

    ``affine`` (3, 4) leads from indices to body mm.
    ``lattice`` (n, n, n, heart and thorax distances) starts at body point ``corner`` and must enclose the grid.
    """
    d = np.empty(HEART_CHANNELS + THORAX_CHANNELS, np.float32)
    for i in range(tissue.shape[0]):
        for j in range(tissue.shape[1]):
            for k in range(tissue.shape[2]):
                x = affine[0, 0] * i + affine[0, 1] * j + affine[0, 2] * k + affine[0, 3]
                y = affine[1, 0] * i + affine[1, 1] * j + affine[1, 2] * k + affine[1, 3]
                z = affine[2, 0] * i + affine[2, 1] * j + affine[2, 2] * k + affine[2, 3]
                fx, fy, fz = (x - corner[0]) / cell_mm, (y - corner[1]) / cell_mm, (z - corner[2]) / cell_mm
                read_lattice(lattice, fx, fy, fz, 0, HEART_CHANNELS, d)
                heart = Distances(d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], d[10], d[11], d[12], d[13], d[14])
                mixture = heart_layers(Mixture(_AIR, 0.0, _AIR, 0.0, 1.0), heart, voxel_mm)
                if mixture.open > 0.002:
                    read_lattice(lattice, fx, fy, fz, HEART_CHANNELS, HEART_CHANNELS + THORAX_CHANNELS, d)
                    t = ThoraxDistances(d[15], d[16], d[17], d[18], d[19], d[20], d[21], d[22], d[23], d[24], d[25], d[26], d[27])
                    mixture = thorax_layers(mixture, heart, t, x - thorax.centre_x, voxel_mm)
                    mixture = covered(mixture, _AIR, -voxel_mm, voxel_mm)
                tissue[i, j, k] = mixture.first
                depth[i, j, k] = pool_depth(mixture.first, heart)
                second[i, j, k] = mixture.second if mixture.second_share > 0.0 else mixture.first
                total = mixture.first_share + mixture.second_share
                share[i, j, k] = np.uint8(round(255.0 * mixture.first_share / total))
