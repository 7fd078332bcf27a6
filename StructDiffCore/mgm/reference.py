"""Reference: a mask with its vessel graphs, checked against its contract and prepared for any number of new masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, gaussian_filter

from StructDiffCore.domain import Geometry, LabelMap, StructDiffError
from StructDiffCore.measures.distance import distance_to, nearest_seed, signed_distance
from StructDiffCore.vessels.graph import VesselGraph
from StructDiffCore.vessels.surface import SampledSurface

from .anatomy import anatomy
from .contract import Contract, Roles, Shapes, wide_shapes
from .warped_labels import DEPTH_STEPS

Bytes = NDArray[np.uint8]
LARGEST_LABEL = 253
MARGIN_VOXELS = 2
CUT_MM, CUT_SHARE = 2.0, 0.6
"""A label is cut by a border that shows this share of its area this far inside."""
LUMEN_REACH_MM = 4.0
ROOM_MM = 16.0
"""A warp moves a heart by less than this, nearly always: so much room a new mask's grid has around its reference's labels."""
SURFACE_MM = 1.2
"""Voxel of the epicardium's distance map, about."""
SURFACE_MARGIN_MM = 16.0


@dataclass(frozen=True, eq=False)
class LumenMap:
    """Signed distance to one vessel's lumen on the box around it."""

    distance_mm: NDArray[np.float32]
    geometry: Geometry


@dataclass(frozen=True, eq=False)
class Reference:
    """A mask that keeps its contract, with what every new mask made from it needs."""

    mask: LabelMap
    trees: Mapping[int, VesselGraph]
    """Vessel label -> its rooted graph, RAS mm."""
    roles: Roles
    ground: Bytes
    """(i, j, k) of ``geometry``: the organs; vessels filled with what lies beside them."""
    depth: Bytes
    """Distance to the nearest organ border, eighths of a mm."""
    geometry: Geometry
    """The box around all labels."""
    lumens: Mapping[int, LumenMap]
    shapes: Shapes = field(default_factory=dict)
    """Organs that rightly have tunnels or shells; every new mask has the same."""

    @classmethod
    def prepared(cls, mask: LabelMap, trees: Mapping[int, VesselGraph]) -> Reference:
        """Check the mask against its contract and prepare it; raises StructDiffError in one line where it does not hold."""
        return cls.clean(mask, lambda _: trees)

    @classmethod
    def clean(cls, mask: LabelMap, trees_of: Callable[[LabelMap], Mapping[int, VesselGraph]]) -> Reference:
        """The same, with graphs that are asked for only once the mask is known to be clean."""
        refuse_unusable(mask)
        refuse_dirty(mask, Roles.of(mask.scheme, mask.present))
        return cls.as_it_is(mask, trees_of(mask))

    @classmethod
    def as_it_is(cls, mask: LabelMap, trees: Mapping[int, VesselGraph]) -> Reference:
        """The same for a mask that may be dirty: what its repair starts from."""
        roles = Roles.of(mask.scheme, mask.present)
        missing = [mask.scheme[value].name for value in roles.vessels if value not in trees]
        if missing:
            raise StructDiffError(f"there is no vessel graph for {', '.join(missing)}", "give one graph per vessel label")
        start, box = _heart_box(mask)
        voxels = mask.voxels[box].astype(np.uint8)
        geometry = mask.geometry.cropped(start, voxels.shape)
        ground = _ground(voxels, roles, geometry)
        lumens = {value: _lumen(mask, value) for value in roles.vessels}
        used = {value: trees[value] for value in roles.vessels}
        return cls(mask, used, roles, ground, _depth(ground, roles, geometry), geometry, lumens, wide_shapes(mask.voxels, roles))

    @property
    def contract(self) -> Contract:
        return Contract.of(self.roles, self.shapes)

    @property
    def heart(self) -> tuple[int, ...]:
        """The organs that vessels run on: all but their trunks; none where a mask shows only trunks and vessels."""
        return tuple(value for value in self.roles.organs if value not in self.roles.trunk_of.values())

    @cached_property
    def measures(self) -> dict[str, float]:
        """Its anatomy in numbers, which new masks are held against."""
        return anatomy(self.mask.voxels, self.mask.geometry, self.mask.scheme, self.roles, self.trees)

    @cached_property
    def epicardium(self) -> SampledSurface:
        """The outside of all organs but the vessels' trunks, as vessels and grafts see it, on a coarse grid."""
        organs = np.isin(self.ground, self.heart)
        step = np.maximum(1, np.round(SURFACE_MM / np.asarray(self.geometry.spacing))).astype(int)
        margin = np.ceil(SURFACE_MARGIN_MM / (step * np.asarray(self.geometry.spacing))).astype(int)
        coarse = np.pad(organs[:: step[0], :: step[1], :: step[2]], [(m, m) for m in margin])
        spacing = tuple(float(n) for n in step * np.asarray(self.geometry.spacing))
        origin = self.geometry.to_world(-margin * step)
        geometry = Geometry(coarse.shape, spacing, tuple(origin), self.geometry.direction)  # type: ignore[arg-type]
        return SampledSurface(gaussian_filter(signed_distance(coarse, spacing), 1.0), geometry)

    def volumes_ml(self, size: float = 1.0) -> dict[int, float]:
        """Volume of every organ and vessel after scaling by ``size``; transplanted vessels are left out."""
        return {value: self._own_volumes_ml[value] * size**3 for value in self.roles.organs + tuple(self.lumens)}

    @cached_property
    def _own_volumes_ml(self) -> dict[int, float]:
        counts = np.bincount(self.mask.voxels.ravel(), minlength=256)
        return {value: float(counts[value]) * self.mask.geometry.voxel_volume_mm3 / 1000 for value in self.mask.present}

    @cached_property
    def roomy(self) -> Geometry:
        """The mask's grid, widened where less than ``ROOM_MM`` lie between its labels and a border that does not cut them."""
        spacing, size = np.asarray(self.mask.geometry.spacing), np.asarray(self.mask.geometry.shape)
        found = find_objects((self.mask.voxels != 0).view(np.uint8))[0]
        free = np.array([[side.start for side in found], [n - side.stop for side, n in zip(found, size)]])
        cut = np.array([[_cuts(np.moveaxis(self.mask.voxels, a, 0)[::way], spacing[a]) for a in range(3)] for way in (1, -1)])
        wanted = np.where(cut, 0, np.ceil(ROOM_MM / spacing))
        before, after = np.maximum(wanted - free, 0).astype(int).tolist()
        shape = tuple(int(a + n + b) for a, n, b in zip(before, size, after))
        return self.mask.geometry.cropped(tuple(-a for a in before), shape)  # type: ignore[arg-type]

    def box_mm(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest world coordinates (3,) of the box around all labels."""
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.geometry.shape])).reshape(3, -1).T
        world = self.geometry.to_world(corners)
        return world.min(axis=0), world.max(axis=0)


def _cuts(layers: NDArray[np.integer], spacing: float) -> bool:
    """Whether the grid's first layer cuts a label: it is about as large there as a little deeper, no mere touch."""
    first, deeper = (
        np.bincount(layers[n].ravel(), minlength=256)[1:] for n in (0, min(round(CUT_MM / spacing), len(layers) - 1))
    )
    return bool(((first > 0) & (first >= CUT_SHARE * deeper)).any())


def refuse_unusable(mask: LabelMap) -> None:
    """One line for masks that no new mask can be made from."""
    if not mask.present:
        raise StructDiffError("the reference mask is empty", "give a mask with at least one labelled structure")
    if max(mask.present) > LARGEST_LABEL:
        raise StructDiffError(
            f"the reference mask has label {max(mask.present)}", f"renumber its labels to 1..{LARGEST_LABEL} first"
        )
    if len(mask.present) == 1 and bool((mask.voxels != 0).all()):
        raise StructDiffError(
            f"every voxel of the reference mask is {mask.scheme[mask.present[0]].name}", "give a mask with background"
        )


def refuse_dirty(mask: LabelMap, roles: Roles) -> None:
    """Refuse a mask whose labels are not whole: dirt never becomes the contract."""
    promised = Contract.of(roles, wide_shapes(mask.voxels, roles))
    breaches = promised.breaches(Contract.measured(mask.voxels, roles), mask.scheme)
    if breaches:
        more = f" and {len(breaches) - 1} more" if len(breaches) > 1 else ""
        raise StructDiffError(f"the reference mask is not clean: {breaches[0]}{more}", "pass --repair to mend it first")


def _heart_box(mask: LabelMap) -> tuple[tuple[int, int, int], tuple[slice, slice, slice]]:
    found = find_objects((mask.voxels != 0).view(np.uint8))[0]
    low = [max(0, side.start - MARGIN_VOXELS) for side in found]
    high = [min(n, side.stop + MARGIN_VOXELS) for side, n in zip(found, mask.geometry.shape)]
    i, j, k = (slice(a, b) for a, b in zip(low, high))
    return (low[0], low[1], low[2]), (i, j, k)


def _ground(voxels: Bytes, roles: Roles, geometry: Geometry) -> Bytes:
    """The organs, with every vessel voxel given to what lies nearest to it (background included); trunks take none."""
    vessel = np.isin(voxels, roles.vessels)
    if not vessel.any():
        return voxels
    ground = voxels.copy()
    nearest = nearest_seed(~vessel, voxels, geometry.spacing).value[vessel]
    ground[vessel] = np.where(np.isin(nearest, list(roles.trunk_of.values())), 0, nearest)
    return ground


def _depth(ground: Bytes, roles: Roles, geometry: Geometry) -> Bytes:
    """Distance to the nearest border, pools taken with their walls: the order in which organs are regrown."""
    merged = ground.copy()
    for wall, pool in roles.enclosed:
        merged[merged == pool] = wall
    border = np.zeros(merged.shape, bool)
    for axis in range(3):
        ahead = np.moveaxis(border, axis, 0)
        differs = np.diff(np.moveaxis(merged, axis, 0), axis=0) != 0
        ahead[1:] |= differs
        ahead[:-1] |= differs
    return np.minimum(255, np.rint(DEPTH_STEPS * distance_to(border, geometry.spacing))).astype(np.uint8)


def _lumen(mask: LabelMap, value: int) -> LumenMap:
    """Signed distance of one vessel on its box with a margin of the reach."""
    found = find_objects((mask.voxels == value).view(np.uint8))[0]
    margin = np.ceil(LUMEN_REACH_MM / np.asarray(mask.geometry.spacing)).astype(int)
    low = np.array([side.start for side in found]) - margin
    size = np.array([side.stop for side in found]) + margin - low
    inside = np.zeros(size, bool)
    inner = tuple(slice(m, n - m) for m, n in zip(margin, size))
    inside[inner] = (mask.voxels == value)[tuple(found)]
    distance = np.clip(signed_distance(inside, mask.geometry.spacing), -LUMEN_REACH_MM, LUMEN_REACH_MM)
    start, shape = (int(n) for n in low), (int(n) for n in size)
    return LumenMap(distance, mask.geometry.cropped(tuple(start), tuple(shape)))  # type: ignore[arg-type]
