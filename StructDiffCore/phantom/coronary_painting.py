"""Coronary painting: both trees laid into the heart's materials so that their labels are true trees on the grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, label

from StructDiffCore.domain import Geometry
from StructDiffCore.topology.growth import grown
from StructDiffCore.vessels.graph import VesselGraph
from StructDiffCore.vessels.lesions import Plaque
from StructDiffCore.vessels.painting import paint_distance

from .anatomy import Materials
from .overlay import overlaid
from .tissues import Tissue

Distance = NDArray[np.float32]
Trees = Mapping[str, VesselGraph]

REACH_MM = 4.0
WALL_MM = 0.7
"""Thickness of a coronary's wall."""
SHEATH_MM = 2.0
"""A coronary has at least this much fat between its wall and the lung."""
CHAMBER_GAP_VOXELS = 1.8
"""No chamber's blood comes nearer to a lumen: more than a voxel's diagonal."""
CHAMBERS = (Tissue.LA, Tissue.LV, Tissue.RA, Tissue.RV, Tissue.PULMONARY_ARTERY)
LUMEN = {"left": Tissue.LEFT_CORONARY, "right": Tissue.RIGHT_CORONARY}
PLAQUE_GROUND = (
    Tissue.VESSEL_WALL,
    Tissue.PERICARDIAL_FAT,
    Tissue.FAT,
    Tissue.HEART_WALL,
    Tissue.CALCIFIED_PLAQUE,
    Tissue.SOFT_PLAQUE,
)
"""Materials that a plaque may replace: it never grows into a chamber, the aorta or the muscle."""
_TOUCH = np.ones((3, 3, 3), bool)


def lay_in(
    materials: Materials, trees: Trees, geometry: Geometry, plaques: Mapping[str, Sequence[Plaque]] | None = None
) -> dict[str, float]:
    """Paint both trees into ``materials`` (changed in place); returns for each tree the share of its centreline covered.

    Each lumen label is one piece without loop or cavity, touches the aorta in one patch and never the other tree. Plaques by
    side lie outside the lumen.
    """
    aorta = materials[0] == Tissue.AORTA
    distances = {side: paint_distance(tree, geometry, REACH_MM)[0] for side, tree in trees.items()}
    lumens, taken = {}, np.zeros(geometry.shape, bool)
    for side, tree in trees.items():
        lumens[side] = lumen_on_grid(tree, distances[side], geometry, aorta, taken)
        taken = binary_dilation(lumens[side], _TOUCH)
    voxel_mm = float(np.cbrt(geometry.voxel_volume_mm3))
    for side in trees:
        _lay_wall(materials, distances[side], voxel_mm)
    for side, tree in trees.items():
        for plaque in (plaques or {}).get(side, ()):
            _lay_plaque(materials, plaque, tree, geometry)
    for side in trees:
        _lay_lumen(materials, lumens[side], distances[side], LUMEN[side], voxel_mm)
    return {side: covered_share(tree, lumens[side], aorta, geometry) for side, tree in trees.items()}


def lumen_on_grid(
    tree: VesselGraph, distance: Distance, geometry: Geometry, aorta: NDArray[np.bool_], taken: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Lumen voxels (i, j, k): inside the tubes, outside the aorta, one contact with it, grown through simple points only."""
    candidates = (distance < 0) & ~aorta & ~taken
    if not candidates.any():
        return candidates
    root = geometry.to_index(tree.branches[0].points_mm[0])
    contact = candidates & binary_dilation(aorta, _TOUCH)
    patches, count = label(contact, _TOUCH)
    if count:
        nearest = _nearest_patch(patches, root)
        candidates &= (patches == 0) | (patches == nearest)
        seeds = np.argwhere(patches == nearest)
    else:
        seeds = np.argwhere(candidates)
    seed = seeds[((seeds - root) ** 2).sum(axis=1).argmin()]
    return grown(candidates, distance, (int(seed[0]), int(seed[1]), int(seed[2])))


def _nearest_patch(patches: NDArray[np.integer], point: NDArray[np.float64]) -> int:
    where = np.argwhere(patches > 0)
    nearest = where[((where - point) ** 2).sum(axis=1).argmin()]
    return int(patches[tuple(nearest)])


def covered_share(tree: VesselGraph, lumen: NDArray[np.bool_], aorta: NDArray[np.bool_], geometry: Geometry) -> float:
    """Share of the centreline points on the grid in the lumen (or, at the root, in the aorta); 1 where none is."""
    index = np.rint(geometry.to_index(np.concatenate([branch.points_mm for branch in tree.branches]))).astype(int)
    index = index[np.all((index >= 0) & (index < geometry.shape), axis=1)]
    return float((lumen | aorta)[tuple(index.T)].mean()) if len(index) else 1.0


def _lay_wall(materials: Materials, distance: Distance, voxel_mm: float) -> None:
    """Fat between vessel and lung, muscle between vessel and chamber, and the vessel's wall where it does not run in muscle."""
    tissue = materials[0]
    lung = (distance < SHEATH_MM) & np.isin(tissue, (Tissue.LUNG, Tissue.LUNG_VESSEL))
    for array, value in zip(materials, (Tissue.PERICARDIAL_FAT, Tissue.PERICARDIAL_FAT, 255)):
        array[lung] = value
    pool = (distance < CHAMBER_GAP_VOXELS * voxel_mm) & np.isin(tissue, CHAMBERS)
    for array, value in zip(materials, (Tissue.HEART_WALL, Tissue.HEART_WALL, 255)):
        array[pool] = value
    near = (distance < WALL_MM + 0.5 * voxel_mm) & ~np.isin(tissue, (Tissue.AORTA, Tissue.MYOCARDIUM, Tissue.HEART_WALL))
    coverage = np.clip(0.5 - (distance[near] - WALL_MM) / voxel_mm, 0.0, 1.0)
    overlaid(materials, np.nonzero(near), coverage, Tissue.VESSEL_WALL)


def _lay_plaque(materials: Materials, plaque: Plaque, tree: VesselGraph, geometry: Geometry) -> None:
    patch = plaque.paint(tree, geometry)
    kind = Tissue.CALCIFIED_PLAQUE if plaque.kind == "calcified" else Tissue.SOFT_PLAQUE
    here = (materials[0][patch.box], materials[1][patch.box], materials[2][patch.box])
    voxel_mm = float(np.cbrt(geometry.voxel_volume_mm3))
    near = (patch.distance_mm < 0.5 * voxel_mm) & np.isin(here[0], PLAQUE_GROUND)
    overlaid(here, np.nonzero(near), np.clip(0.5 - patch.distance_mm[near] / voxel_mm, 0.0, 1.0), kind)


def _lay_lumen(materials: Materials, lumen: NDArray[np.bool_], distance: Distance, blood: Tissue, voxel_mm: float) -> None:
    """Blood over what is there, shared by partial volume; the dominant material follows the lumen label exactly."""
    near = ((distance < 0.5 * voxel_mm) & (materials[0] != Tissue.AORTA)) | lumen
    coverage = np.clip(0.5 - distance[near] / voxel_mm, 0.0, 1.0)
    coverage = np.where(lumen[near], np.maximum(coverage, 0.51), np.minimum(coverage, 0.49))
    overlaid(materials, np.nonzero(near), coverage, blood)
