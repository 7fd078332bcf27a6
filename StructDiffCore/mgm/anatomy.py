"""Anatomy: what a heart with its coronaries measures, so that a new one can be held against human ranges and its reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, binary_dilation, find_objects, generate_binary_structure
from scipy.spatial import cKDTree

from StructDiffCore.domain import Geometry, LabelScheme
from StructDiffCore.measures.distance import signed_distance
from StructDiffCore.vessels.graph import VesselGraph
from StructDiffCore.vessels.surface import SampledSurface

from .contract import Roles

Labels = NDArray[np.integer]
Floats = NDArray[np.float64]
FINE_MM = 0.8
COARSE_MM = 1.6
SLIT_VOXELS = 2
"""Slits that vessels cut into the muscle, up to twice this wide on the coarse grid, count as muscle."""
LANDING_MM = 12.0
"""So far from its ostium a coronary is still on its way to the epicardium."""
ON_THE_HEART_MM = (-2.5, 10.0)
"""Centrelines run from this deep in the muscle to this far out in the fat."""
PROXIMAL_MM = 10.0
ROOT_MM = 30.0
RIM_MM = 10.0
"""Walls are not measured this near to the opening of their pool."""
SAMPLES = 4000
DENSITY_G_PER_ML = 1.05
RATIOS = (
    ("right ventricle", "left ventricle"),
    ("left atrium", "left ventricle"),
    ("right atrium", "left atrium"),
    ("myocardium", "left ventricle"),
)
_FACES = generate_binary_structure(3, 1)
_TOUCH = np.ones((3, 3, 3), bool)


def anatomy(
    voxels: Labels, geometry: Geometry, scheme: LabelScheme, roles: Roles, trees: Mapping[int, VesselGraph]
) -> dict[str, float]:
    """Measures by name; what a mask does not show is left out. Grids finer than ``FINE_MM`` are thinned out first."""
    step = np.maximum(1, np.floor(FINE_MM / np.asarray(geometry.spacing) + 1e-6)).astype(int)
    if step.max() > 1:
        voxels = voxels[:: step[0], :: step[1], :: step[2]]
        spacing = tuple(float(n) for n in step * np.asarray(geometry.spacing))
        geometry = Geometry(voxels.shape, spacing, geometry.origin, geometry.direction)  # type: ignore[arg-type]
    found = dict(_volume_ratios(voxels, geometry, scheme, roles))
    heart = tuple(value for value in roles.organs if value not in roles.trunk_of.values())
    surface = _epicardium(voxels, geometry, heart) if heart and trees else None
    for value, tree in trees.items():
        name = scheme[value].name
        if surface is not None:
            found[f"{name}: share of its course on the epicardium"] = _share_on(surface, tree)
        found[f"{name}: proximal diameter in mm"] = _proximal_diameter(tree)
        height = _ostium_height(voxels, geometry, scheme, value, roles)
        if height is not None:
            found[f"{name}: ostium above the annulus in mm"] = height
    for wall, pool in roles.enclosed:
        thickness = _wall(voxels, geometry, wall, pool, roles)
        if len(thickness):
            found[f"{scheme[wall].name}: thinnest wall in mm"] = float(np.percentile(thickness, 1))
            found[f"{scheme[wall].name}: median wall in mm"] = float(np.median(thickness))
    return found


def _volume_ratios(voxels: Labels, geometry: Geometry, scheme: LabelScheme, roles: Roles) -> Iterator[tuple[str, float]]:
    counts = np.bincount(voxels.ravel(), minlength=max(scheme.values) + 1) * geometry.voxel_volume_mm3
    volume = {scheme[value].name: float(counts[value]) for value in roles.organs + roles.vessels if counts[value]}
    for one, other in RATIOS:
        if one in volume and other in volume:
            yield f"{one} / {other}", volume[one] / volume[other]
    vessels = [scheme[value].name for value in roles.vessels]
    if "myocardium" in volume and len(vessels) == 2 and all(name in volume for name in vessels):
        grams = volume["myocardium"] / 1000 * DENSITY_G_PER_ML
        yield "coronary lumen per muscle in mm3/g", sum(volume[name] for name in vessels) / grams


def _epicardium(voxels: Labels, geometry: Geometry, heart: tuple[int, ...]) -> SampledSurface:
    """Signed distance to the outside of all chambers on a coarse grid, slits of vessels closed."""
    step = np.maximum(1, np.round(COARSE_MM / np.asarray(geometry.spacing))).astype(int)
    margin = np.ceil(16.0 / (step * np.asarray(geometry.spacing))).astype(int)
    coarse = np.pad(np.isin(voxels[:: step[0], :: step[1], :: step[2]], heart), [(m, m) for m in margin])
    closed = binary_closing(coarse, generate_binary_structure(3, 2), SLIT_VOXELS)
    spacing = tuple(float(n) for n in step * np.asarray(geometry.spacing))
    origin = tuple(geometry.to_world(-margin * step))
    grid = Geometry(closed.shape, spacing, origin, geometry.direction)  # type: ignore[arg-type]
    return SampledSurface(signed_distance(closed, spacing), grid)


def _share_on(surface: SampledSurface, tree: VesselGraph) -> float:
    """Share of all centrelines, past their landing, within ``ON_THE_HEART_MM`` of the surface."""
    points = np.concatenate([branch.resampled(1.0).points_mm for branch in tree.branches])
    points = points[np.linalg.norm(points - tree.branches[0].points_mm[0], axis=1) > LANDING_MM]
    if len(points) == 0:
        return 1.0
    away = surface.signed_distance(points)
    return float(((away >= ON_THE_HEART_MM[0]) & (away <= ON_THE_HEART_MM[1])).mean())


def _proximal_diameter(tree: VesselGraph) -> float:
    root = tree.branches[0]
    first = root.arclength_mm <= max(PROXIMAL_MM, float(root.arclength_mm[1]))
    return 2 * float(np.median(root.radii_mm[first]))


def _ostium_height(voxels: Labels, geometry: Geometry, scheme: LabelScheme, vessel: int, roles: Roles) -> float | None:
    """mm from the annulus (where trunk and left ventricle meet) to the vessel's contact with its trunk, along the root's axis."""
    trunk = roles.trunk_of.get(vessel)
    ventricle = next((value for value in roles.organs if scheme[value].name.lower() == "left ventricle"), None)
    if trunk is None or ventricle is None:
        return None
    box = _grown_box(voxels, trunk)
    part, low = voxels[box], np.array([side.start for side in box])
    inside = part == trunk
    annulus = np.argwhere(inside & binary_dilation(part == ventricle, _TOUCH, iterations=2))
    ostium = np.argwhere(inside & binary_dilation(part == vessel, _TOUCH))
    if len(annulus) == 0 or len(ostium) == 0:
        return None
    foot, root = (geometry.to_world(where + low).mean(axis=0) for where in (annulus, ostium))
    trunk_mm = geometry.to_world(np.argwhere(inside) + low)
    near = trunk_mm[np.linalg.norm(trunk_mm - foot, axis=1) < ROOT_MM]
    axis = near.mean(axis=0) - foot
    return float((root - foot) @ axis / max(float(np.linalg.norm(axis)), 1e-9))


def _wall(voxels: Labels, geometry: Geometry, wall: int, pool: int, roles: Roles) -> Floats:
    """Thickness (n,) in mm of a pool's wall, seen from the pool's surface away from its opening; vessels count as wall."""
    box = _grown_box(voxels, wall)
    part = voxels[box]
    body = np.isin(part, (wall, pool, *roles.vessels))
    lining = np.argwhere((part == pool) & binary_dilation(part == wall, _FACES))
    mouth = np.argwhere((part == pool) & binary_dilation(~body, _TOUCH))
    outside = np.argwhere(~body & binary_dilation(part == wall, _FACES))
    spacing = np.asarray(geometry.spacing)
    if len(outside) == 0 or len(lining) == 0:
        return np.empty(0)
    if len(mouth):
        lining = lining[cKDTree(mouth * spacing).query(lining * spacing)[0] > RIM_MM]
    lining = lining[:: max(1, len(lining) // SAMPLES)]
    if len(lining) == 0:
        return np.empty(0)
    return np.asarray(cKDTree(outside * spacing).query(lining * spacing)[0]) - float(spacing.mean())


def _grown_box(voxels: Labels, value: int) -> tuple[slice, slice, slice]:
    found = find_objects((voxels == value).view(np.uint8))[0]
    i, j, k = (slice(max(0, side.start - 3), side.stop + 3) for side in found)
    return i, j, k
