"""Heart: the digital heart on a grid, with the truth about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, StructDiffError
from StructDiffCore.vessels.graph import VesselGraph

from .anatomy import DEFAULT_VOXELS, Anatomy, HeartSettings, Materials, draw_anatomy, materials_on
from .anatomy_coronaries import Ground, coronary_trees
from .anatomy_proportions import Dominance
from .chamber_topology import make_muscle_whole, make_whole
from .coronary_disease import Disease, draw_disease, no_disease
from .coronary_painting import lay_in
from .lung_tree import paint_lung_trees
from .tissues import Tissue, cardiac_labels

SMALLEST_RADIUS_VOXELS = 0.75
"""The thinnest tube a grid carries in one piece."""
COVERED = 0.97
"""Share of the centreline that must lie in the lumen label."""
TRIES = 6


@dataclass(frozen=True, eq=False)
class Heart:
    """Materials, labels and vessel trees of one heart on one grid."""

    tissue: NDArray[np.uint8]
    """Dominant material (i, j, k), values of ``Tissue``."""
    second: NDArray[np.uint8]
    """The other material of the voxel."""
    share: NDArray[np.uint8]
    """Part of the dominant material, 255 = all of the voxel."""
    mask: LabelMap
    trees: Mapping[str, VesselGraph]
    """Coronary trees "left" and "right", world mm."""
    dominance: Dominance
    seed: int
    geometry: Geometry

    def __post_init__(self) -> None:
        for name in ("tissue", "second", "share"):
            voxels = np.ascontiguousarray(getattr(self, name), np.uint8).view()
            if voxels.shape != self.geometry.shape:
                raise StructDiffError(
                    f"the heart's {name} has shape {voxels.shape}, its grid {self.geometry.shape}", "give both for one grid"
                )
            voxels.flags.writeable = False
            object.__setattr__(self, name, voxels)
        if not self.mask.geometry.same_as(self.geometry):
            raise StructDiffError("the heart's mask lies on another grid than its tissues", "give both on one grid")

    @classmethod
    def of_materials(
        cls,
        materials: tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]],
        geometry: Geometry,
        trees: Mapping[str, VesselGraph],
        dominance: Dominance,
        seed: int,
    ) -> Heart:
        """A heart whose mask follows from its materials (tissue, second, share)."""
        mask = LabelMap(cardiac_labels(materials[0]), geometry, CARDIAC)
        return cls(*materials, mask, trees, dominance, seed, geometry)

    def cropped(self, start: tuple[int, int, int], shape: tuple[int, int, int]) -> Heart:
        """The part of the heart that begins at voxel ``start``; the trees stay whole. Raises where the box leaves the grid."""
        stop = tuple(a + n for a, n in zip(start, shape))
        if min(start) < 0 or any(b > n for b, n in zip(stop, self.geometry.shape)):
            raise StructDiffError(
                f"the crop {start} to {stop} leaves the heart's grid {self.geometry.shape}", "choose a box inside the grid"
            )
        box = tuple(slice(a, b) for a, b in zip(start, stop))
        geometry = self.geometry.cropped(start, shape)
        materials = (self.tissue[box].copy(), self.second[box].copy(), self.share[box].copy())
        mask = LabelMap(self.mask.voxels[box].copy(), geometry, self.mask.scheme)
        return Heart(*materials, mask, self.trees, self.dominance, self.seed, geometry)


def default_geometry(trees: Mapping[str, VesselGraph], spacing_mm: float = 0.8, voxels: int = DEFAULT_VOXELS) -> Geometry:
    """A cube of ``voxels``^3 whose centre is the middle of the coronary trees."""
    points = np.concatenate([branch.points_mm for tree in trees.values() for branch in tree.branches])
    centre = 0.5 * (points.min(axis=0) + points.max(axis=0))
    return Geometry((voxels,) * 3, (spacing_mm,) * 3, tuple(centre - 0.5 * (voxels - 1) * spacing_mm))


def digital_heart(
    seed: int, geometry: Geometry | None = None, spacing_mm: float = 0.8, settings: HeartSettings | None = None
) -> Heart:
    """The digital heart of a seed on a grid (by default 128^3 voxels of ``spacing_mm`` centred on the coronaries).

    Coronaries finer than 0.75 voxel are thickened to it; a grid that cuts a tree keeps the piece at its root. Raises where no
    tree can be laid onto the grid in ``TRIES`` draws.
    """
    settings = settings or HeartSettings()
    anatomy = draw_anatomy(seed, settings)
    ground = Ground.of(anatomy)
    minimum_mm = SMALLEST_RADIUS_VOXELS * (spacing_mm if geometry is None else max(geometry.spacing))
    first = draw_coronaries(anatomy, ground, minimum_mm, settings, seed)
    geometry = geometry or default_geometry(first.trees, spacing_mm)
    empty, depth = materials_on(anatomy, geometry)
    make_whole(empty, depth, Tissue.AORTA)
    shares: dict[str, float] = {}
    for attempt in range(TRIES):
        coronaries = draw_coronaries(anatomy, ground, minimum_mm, settings, seed, attempt) if attempt else first
        materials = (empty[0].copy(), empty[1].copy(), empty[2].copy())
        shares = lay_in(materials, coronaries.trees, geometry, coronaries.plaques)
        if min(shares.values()) >= COVERED or not all(holds(geometry, tree) for tree in coronaries.trees.values()):
            make_chambers_whole(materials, depth)
            paint_lung_trees(materials, geometry, np.random.default_rng([seed, 3]))
            return Heart.of_materials(materials, geometry, coronaries.trees, anatomy.dominance, seed)
    raise StructDiffError(
        f"heart {seed} has coronaries that this grid cannot carry (covered: {shares})", "use a finer spacing or another seed"
    )


def draw_coronaries(
    anatomy: Anatomy, ground: Ground, minimum_radius_mm: float, settings: HeartSettings, seed: int, attempt: int = 0
) -> Disease:
    """Both coronary trees with their lesions; another ``attempt`` gives other trees for the same heart."""
    rng = np.random.default_rng([seed, 2, attempt])
    trees = coronary_trees(anatomy, ground, minimum_radius_mm, rng)
    ill = rng.uniform() < settings.diseased or settings.heavy_calcium
    return draw_disease(trees, minimum_radius_mm, rng, settings.heavy_calcium) if ill else no_disease(trees)


def make_chambers_whole(materials: Materials, depth: NDArray[np.float32]) -> None:
    """The topology of all blood pools but the aorta's, then the muscle's."""
    for pool in (Tissue.LV, Tissue.LA, Tissue.RA, Tissue.RV, Tissue.PULMONARY_ARTERY):
        make_whole(materials, depth, pool)
    make_muscle_whole(materials)


def holds(geometry: Geometry, tree: VesselGraph) -> bool:
    """Whether all centrelines lie on the grid."""
    index = geometry.to_index(np.concatenate([branch.points_mm for branch in tree.branches]))
    return bool(np.all((index >= 0) & (index <= np.asarray(geometry.shape) - 1)))
