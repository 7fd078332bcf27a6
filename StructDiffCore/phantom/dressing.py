"""Dressing: a given label map becomes a body that can be scanned, with an invented thorax around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, zoom

from StructDiffCore.config.compiled import njit
from StructDiffCore.domain import Geometry, LabelMap, StructDiffError

from .anatomy import draw_anatomy
from .anatomy_chambers import Distances
from .anatomy_layers import Mixture, covered, thorax_layers
from .lung_tree import paint_lung_trees
from .thorax import ThoraxSizes, thorax_distances
from .tissues import Tissue

LABELS_CARDIAC: Mapping[int, Tissue] = {
    1: Tissue.MYOCARDIUM,
    2: Tissue.LA,
    3: Tissue.LV,
    4: Tissue.RA,
    5: Tissue.RV,
    6: Tissue.AORTA,
    7: Tissue.PULMONARY_ARTERY,
    8: Tissue.LEFT_CORONARY,
    9: Tissue.RIGHT_CORONARY,
}
"""The shipped cardiac scheme."""

LABELS_MMWHS: Mapping[int, Tissue] = {value: LABELS_CARDIAC[value] for value in range(1, 8)}
"""Whole-heart maps numbered 1 to 7 in the order of the cardiac scheme."""

LABELS_HRA: Mapping[int, Tissue] = {
    1: Tissue.MYOCARDIUM,
    2: Tissue.HEART_WALL,
    3: Tissue.LV,
    4: Tissue.RV,
    5: Tissue.LA,
    6: Tissue.RA,
    7: Tissue.HEART_WALL,
    8: Tissue.HEART_WALL,
    9: Tissue.AORTA,
    10: Tissue.PULMONARY_ARTERY,
    11: Tissue.PULMONARY_VEIN,
    12: Tissue.VENA_CAVA,
    13: Tissue.VENA_CAVA,
    15: Tissue.LUNG_VESSEL,
    16: Tissue.LEFT_CORONARY,
    17: Tissue.RIGHT_CORONARY,
}
"""Visible Human Female heart of the HuBMAP reference atlas; 15, the cardiac veins, fill later than the arteries."""

AIR, HEART_WALL, VESSEL_WALL, PERICARDIAL_FAT = (
    int(t) for t in (Tissue.AIR, Tissue.HEART_WALL, Tissue.VESSEL_WALL, Tissue.PERICARDIAL_FAT)
)
NO_GAP_MM = 4.0
"""How far the diaphragm reaches under the pericardial fat, so that no lung is left between them."""
VESSEL_WALL_MM = 1.3
CHAMBERS = (Tissue.LA, Tissue.LV, Tissue.RA, Tissue.RV)
GREAT_VESSELS = (Tissue.AORTA, Tissue.DESCENDING_AORTA, Tissue.PULMONARY_ARTERY, Tissue.PULMONARY_VEIN, Tissue.VENA_CAVA)
BACKGROUND = len(Tissue)
BODY_CENTRE_MM = np.array([0.0, 3.0, -8.0])
"""Centre of the heart in the frame of the invented thorax."""
COARSE_MM = 1.5


@dataclass(frozen=True, eq=False)
class DressedBody:
    """Materials of a dressed label map, as ``render`` takes them (see ``Heart`` for the fields)."""

    tissue: NDArray[np.uint8]
    second: NDArray[np.uint8]
    share: NDArray[np.uint8]
    mask: LabelMap
    geometry: Geometry
    centre_mm: tuple[float, float, float]
    """Centre of the heart, world RAS mm."""


@dataclass(frozen=True)
class Dressing:
    """What is drawn for one dressing."""

    anatomy_seed: int
    fat_mm: float
    """Epicardial fat over the closed surface of the heart."""
    grooves_mm: float
    """Radius of the ball that closes the surface: grooves narrower than twice this fill with fat."""
    wall_mm: float
    """Wall given to chambers that border on nothing."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Dressing:
        seed = int(rng.integers(2**31))
        return cls(seed, float(rng.uniform(2.0, 6.0)), float(rng.uniform(7.0, 12.0)), float(rng.uniform(1.2, 2.5)))


def dress(label_map: LabelMap, tissue_of_label: Mapping[int, Tissue], rng: np.random.Generator) -> DressedBody:
    """Give every label its tissue and invent fat, lungs with vessels, chest wall and spine around them.

    Labels missing from the table count as surroundings. Raises StructDiffError where no label is left.
    """
    dressing = Dressing.draw(rng)
    geometry = label_map.geometry
    labelled = _tissues(label_map, tissue_of_label)
    heart = np.isin(labelled, [t for t in tissue_of_label.values() if t not in GREAT_VESSELS])
    core = heart if heart.any() else labelled != BACKGROUND
    centre = geometry.to_world(np.mean(np.nonzero(core), axis=1))
    gaps = _gaps(labelled, heart, geometry, dressing)
    in_thorax = replace(geometry, origin=tuple(np.asarray(geometry.origin) + BODY_CENTRE_MM - centre))
    tissue, second, share = (np.zeros(geometry.shape, np.uint8) for _ in range(3))
    thorax = draw_anatomy(dressing.anatomy_seed).thorax
    voxel_mm = float(np.cbrt(geometry.voxel_volume_mm3))
    _fill(labelled, gaps, in_thorax.affine, thorax, dressing.wall_mm, voxel_mm, tissue, second, share)
    paint_lung_trees((tissue, second, share), in_thorax, rng)
    return DressedBody(tissue, second, share, label_map, geometry, tuple(float(c) for c in centre))  # type: ignore[arg-type]


def _tissues(label_map: LabelMap, tissue_of_label: Mapping[int, Tissue]) -> NDArray[np.uint8]:
    """Tissue by voxel, ``BACKGROUND`` where the table is silent."""
    table = np.full(max(int(label_map.voxels.max()), 1) + 1, BACKGROUND, np.uint8)
    for label, tissue in tissue_of_label.items():
        if 0 < label < len(table):
            table[label] = tissue
    labelled = table[label_map.voxels]
    if not np.any(labelled != BACKGROUND):
        raise StructDiffError(f"none of the mask's labels {label_map.present} has a tissue", "give a table that knows them")
    return labelled


class Gaps(NamedTuple):
    """Distances (i, j, k) in mm outside what the labels make up, negative inside the first."""

    sac: NDArray[np.float32]
    chambers: NDArray[np.float32]
    vessels: NDArray[np.float32]


def _gaps(labelled: NDArray[np.uint8], heart: NDArray[np.bool_], geometry: Geometry, dressing: Dressing) -> Gaps:
    """Distances to pericardium, chambers and great vessels, made on a coarse grid."""
    steps = [max(1, int(COARSE_MM / s)) for s in geometry.spacing]
    sampling = [s * f for s, f in zip(geometry.spacing, steps)]
    coarse = tuple(slice(None, None, f) for f in steps)
    vessels = np.isin(labelled, GREAT_VESSELS)
    sac = _closed_distance((heart | vessels)[coarse], sampling, dressing.grooves_mm) - dressing.fat_mm
    chambers, great = (_outside_mm(m[coarse], sampling) for m in (np.isin(labelled, CHAMBERS), vessels))
    return Gaps(*(_refined(d, steps, geometry.shape) for d in (sac, chambers, great)))


def _outside_mm(mask: NDArray[np.bool_], sampling: list[float]) -> NDArray[np.float32]:
    """Distance to the mask's surface outside it, half a voxel less than to its nearest voxel; far away where it is empty."""
    if not mask.any():
        return np.full(mask.shape, 1e3, np.float32)
    return (distance_transform_edt(~mask, sampling=sampling) - 0.5 * min(sampling)).astype(np.float32)


def _closed_distance(mask: NDArray[np.bool_], sampling: list[float], radius_mm: float) -> NDArray[np.float32]:
    """Signed distance to the mask closed by a ball of ``radius_mm``."""
    outside = _outside_mm(mask, sampling)
    dilated = outside < radius_mm
    inward = distance_transform_edt(np.pad(dilated, 1, mode="edge"), sampling=sampling)[1:-1, 1:-1, 1:-1]
    return np.where(dilated, radius_mm - inward, outside).astype(np.float32)


def _refined(coarse: NDArray[np.float32], steps: list[int], shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Linear interpolation from every ``steps``-th voxel back to the full grid."""
    if steps == [1, 1, 1]:
        return coarse
    grown = zoom(coarse, steps, order=1, mode="nearest", grid_mode=False, output=np.float32)
    return np.ascontiguousarray(grown[tuple(slice(n) for n in shape)])


@njit(cache=True, fastmath=True)
def _neighbourhood(labelled: Any, i: int, j: int, k: int, weights: Any) -> None:
    """Share of every tissue in the 27 neighbours, binomial weights: the labels blurred by 0.7 voxels."""
    weights[:] = 0.0
    for di in range(-1, 2):
        for dj in range(-1, 2):
            for dk in range(-1, 2):
                a = min(max(i + di, 0), labelled.shape[0] - 1)
                b = min(max(j + dj, 0), labelled.shape[1] - 1)
                c = min(max(k + dk, 0), labelled.shape[2] - 1)
                weights[labelled[a, b, c]] += 0.5 ** (abs(di) + abs(dj) + abs(dk)) / 8.0


@njit(cache=True, fastmath=True)
def _labelled_mixture(labelled: Any, i: int, j: int, k: int, weights: Any) -> Mixture:
    """What the labels put into a voxel: the larger part to its own tissue, the rest to its strongest neighbour.

    Beside a flat face the blurred share of the own tissue is 0.75; stretched by 1.4 around one half it is 0.85, so that steps of
    the grid are smoothed away and the scanner's own blur still decides the edge.
    """
    _neighbourhood(labelled, i, j, k, weights)
    own = int(np.int64(labelled[i, j, k]))
    own_share = min(1.0, max(0.55, 0.5 + 1.4 * (weights[own] - 0.5)))
    weights[own] = 0.0
    other = int(np.argmax(weights))
    if weights[other] <= 0.0:
        own_share = 1.0
    if own == BACKGROUND:
        return Mixture(other, 1.0 - own_share, AIR, 0.0, own_share)
    if other == BACKGROUND:
        return Mixture(own, own_share, AIR, 0.0, 1.0 - own_share)
    return Mixture(own, own_share, other, 1.0 - own_share, 0.0)


@njit(cache=True, fastmath=True)
def _surroundings(m: Mixture, x: float, y: float, z: float, sac: float, vessels: float, thorax: ThoraxSizes, h: float) -> Mixture:
    """What is left of a voxel goes to the thorax at the point (x, y, z) of its frame."""
    far = 1e3
    m = covered(m, PERICARDIAL_FAT, sac, h)
    heart = Distances(far, far, far, far, far, far, far, far, far, far, far, far, far, sac + NO_GAP_MM, vessels)
    return thorax_layers(m, heart, thorax_distances(x, y, z, thorax), x - thorax.centre_x, h)


@njit(cache=True, fastmath=True)
def _fill(
    labelled: Any, gaps: Gaps, affine: Any, thorax: ThoraxSizes, wall_mm: float, h: float, tissue: Any, second: Any, share: Any
) -> None:
    """Labels first, then walls, then the thorax; ``affine`` leads from indices to the thorax's frame; voxels measure ``h`` mm."""
    weights = np.zeros(BACKGROUND + 1)
    for i in range(tissue.shape[0]):
        for j in range(tissue.shape[1]):
            for k in range(tissue.shape[2]):
                sac, vessels = gaps.sac[i, j, k], gaps.vessels[i, j, k]
                m = Mixture(AIR, 0.0, AIR, 0.0, 1.0)
                if sac < 2.0 * h or labelled[i, j, k] != BACKGROUND:
                    m = _labelled_mixture(labelled, i, j, k, weights)
                    m = covered(m, HEART_WALL, gaps.chambers[i, j, k] - wall_mm, h)
                    m = covered(m, VESSEL_WALL, vessels - VESSEL_WALL_MM, h)
                if m.open > 0.002:
                    x = affine[0, 0] * i + affine[0, 1] * j + affine[0, 2] * k + affine[0, 3]
                    y = affine[1, 0] * i + affine[1, 1] * j + affine[1, 2] * k + affine[1, 3]
                    z = affine[2, 0] * i + affine[2, 1] * j + affine[2, 2] * k + affine[2, 3]
                    m = _surroundings(m, x, y, z, sac, vessels, thorax, h)
                    m = covered(m, AIR, -h, h)
                tissue[i, j, k] = m.first
                second[i, j, k] = m.second if m.second_share > 0.0 else m.first
                share[i, j, k] = np.uint8(round(255.0 * m.first_share / (m.first_share + m.second_share)))
