"""Anatomy: from a seed to the solids of one heart, and from these to materials on any grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry

from .anatomy_chambers import HeartShapes
from .anatomy_landmarks import HeartFrame, heart_shapes
from .anatomy_lattice import Lattice
from .anatomy_layers import fill_voxels
from .anatomy_proportions import Dominance, Proportions, draw_proportions
from .thorax import ThoraxSizes, thorax_sizes

DOMINANCE_SHARE: dict[Dominance, float] = {"right": 0.85, "left": 0.075, "balanced": 0.075}
DEFAULT_VOXELS = 128
Materials = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
"""Dominant material, second material and share (i, j, k)."""


@dataclass(frozen=True)
class HeartSettings:
    """How a digital heart is drawn."""

    variation: float = 1.0
    """Scales every anatomical spread; 0 gives the mean heart, bent by smooth noise only."""
    dominance: Dominance | None = None
    """Coronary dominance; drawn (85 % right, 7.5 % left, 7.5 % balanced) where None."""
    diseased: float = 0.4
    """Probability that the coronaries carry stenoses and plaque."""
    heavy_calcium: bool = False
    """Many large calcified plaques."""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """One heart before any grid: its numbers and solids in the body frame."""

    proportions: Proportions
    frame: HeartFrame
    shapes: HeartShapes
    thorax: ThoraxSizes
    dominance: Dominance


def draw_anatomy(seed: int, settings: HeartSettings | None = None) -> Anatomy:
    """Draw one anatomy; the same seed and settings give the same anatomy."""
    settings = settings or HeartSettings()
    rng = np.random.default_rng([seed, 1])
    proportions = draw_proportions(rng, settings.variation)
    frame = HeartFrame.of(proportions)
    drawn = list(DOMINANCE_SHARE)[int(rng.choice(len(DOMINANCE_SHARE), p=list(DOMINANCE_SHARE.values())))]
    shapes = heart_shapes(proportions, frame, rng)
    return Anatomy(proportions, frame, shapes, thorax_sizes(proportions, frame), settings.dominance or drawn)


def materials_on(anatomy: Anatomy, geometry: Geometry) -> tuple[Materials, NDArray[np.float32]]:
    """Dominant material, second material and share (i, j, k) without vessels, and the depth (mm) in blood pools."""
    tissue, second, share = (np.zeros(geometry.shape, np.uint8) for _ in range(3))
    depth = np.zeros(geometry.shape, np.float32)
    voxel_mm = float(np.cbrt(geometry.voxel_volume_mm3))
    corners = geometry.to_world(np.array(np.meshgrid(*[(0, n - 1) for n in geometry.shape])).reshape(3, -1).T)
    lattice = Lattice.around(anatomy.shapes, anatomy.thorax, corners.min(axis=0), corners.max(axis=0))
    affine = np.ascontiguousarray(geometry.affine[:3])
    fill_voxels(
        affine, lattice.values, lattice.corner_mm, lattice.cell_mm, anatomy.thorax, voxel_mm, tissue, second, share, depth
    )
    return (tissue, second, share), depth
