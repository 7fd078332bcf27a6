"""Tracing: a thin label to its CentrelineGraph: fill, thin, prune, find the root, measure the calibre."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from StructDiffCore.domain import Geometry

from .calibre import centred, drawn_out, radii_of
from .centreline_graph import CentrelineGraph
from .components import pieces_of
from .contacts import border_voxels, contact, opening
from .depth import depth_mm
from .rooting import Curve, NearestTo, Places, rooted
from .runs import Runs
from .skeleton import Chain, Skeleton
from .spurs import Ostium, SpurRule, pruned
from .structures import Structure
from .thinning import peel

Floats = NDArray[np.float64]

MOST_VOXELS = 20_000_000
"""Larger labels are not thin; tracing them is refused with a note."""
MOST_PIECES = 50
OSTIUM_MM = 5.0
TIP_HEADING = 4
"""Voxels over which the direction of an open end is taken."""
SMALLEST_PIECE = 8
"""Pieces with fewer voxels are specks, listed as findings but not traced."""


@dataclass(frozen=True, eq=False)
class Source:
    """The structure that a vessel springs from, e.g. the aorta."""

    name: str
    runs: Runs


def trace(vessel: Runs, geometry: Geometry, source: Source | None = None, rule: SpurRule | None = None) -> CentrelineGraph:
    """Centreline graph of a vessel label on a grid, rooted at its contact with ``source`` where there is one."""
    if vessel.voxels > MOST_VOXELS:
        return CentrelineGraph(notes=(f"not traced: {vessel.voxels} voxels are no thin structure",))
    vessel, notes = _without_specks(vessel)
    if vessel.voxels == 0:
        return CentrelineGraph(notes=notes)
    field, origin, filled = _filled_field(vessel, geometry, source)
    skeleton = field.skeleton(rule or SpurRule())
    notes += (f"filled {filled} cavities before tracing",) if filled else ()
    hint = None if source is None else NearestTo(source.name, _source_points(source, geometry), origin is not None)
    centres = _centres(skeleton, field)
    places = field.world(field.grid_mm(centres))
    nodes = Places(places, skeleton.piece_of_node, _anchored(skeleton, field))
    return rooted(_curves(skeleton, centres, field), nodes, hint, notes, skeleton.loop_count())


def end_count(vessel: Runs, geometry: Geometry, source: Source | None = None, rule: SpurRule | None = None) -> int | None:
    """How many ends ``trace`` finds, without measuring its centrelines; None where it finds no curve."""
    if vessel.voxels == 0 or vessel.voxels > MOST_VOXELS:
        return None
    field, _, _ = _filled_field(_without_specks(vessel)[0], geometry, source)
    skeleton = field.skeleton(rule or SpurRule())
    return int(np.count_nonzero(skeleton.degree == 1)) if skeleton.chains else None


def _filled_field(vessel: Runs, geometry: Geometry, source: Source | None) -> tuple[_Field, NDArray[np.int64] | None, int]:
    """The vessel without its cavities, the voxel where it springs from its source, and how many cavities it had."""
    origin = None if source is None else _origin(vessel, source, geometry)
    structure = Structure.of(vessel)
    return _Field.of(structure.filled(), geometry, origin), origin, structure.betti.b2


@dataclass(frozen=True, eq=False)
class _Field:
    """The painted label with its depth, in a box with an empty border."""

    solid: NDArray[np.uint8]
    voxels: NDArray[np.int64]
    """(n, 3) in the box."""
    depth: NDArray[np.float32]
    """(i, j, k) mm, 0 outside."""
    ostium: Ostium
    corner: NDArray[np.int64]
    geometry: Geometry

    @classmethod
    def of(cls, vessel: Runs, geometry: Geometry, origin: NDArray[np.int64] | None) -> _Field:
        box = tuple(slice(side.start - 1, side.stop + 1) for side in vessel.box())
        solid = vessel.painted(box).view(np.uint8)  # type: ignore[arg-type]  # three slices
        voxels = np.argwhere(solid)
        deep = depth_mm(solid, voxels, geometry.spacing)
        depth = np.zeros(solid.shape, np.float32)
        depth[tuple(voxels.T)] = deep
        corner = np.array([side.start for side in box])
        return cls(solid, voxels, depth, _ostium(depth, voxels, deep, origin, corner, geometry), corner, geometry)

    def skeleton(self, rule: SpurRule) -> Skeleton:
        thin = self.solid.copy()
        spacing = self.geometry.spacing
        peel(thin, self.voxels, self.depth[tuple(self.voxels.T)], spacing, self.ostium.voxel)
        return pruned(thin, self.depth, self.ostium, spacing, rule)

    def grid_mm(self, index: NDArray) -> Floats:
        """Positions in the grid's own axes: index times spacing."""
        return (index + self.corner) * np.asarray(self.geometry.spacing)

    def world(self, grid_mm: Floats) -> Floats:
        return self.geometry.to_world(grid_mm / np.asarray(self.geometry.spacing))


def _ostium(
    depth: NDArray[np.float32],
    voxels: NDArray[np.int64],
    deep: NDArray[np.float32],
    origin: NDArray[np.int64] | None,
    corner: NDArray[np.int64],
    geometry: Geometry,
) -> Ostium:
    """The anchor at a contact voxel; its radius is the vessel's largest depth within ``OSTIUM_MM`` of it."""
    anchor = np.zeros(depth.shape, bool)
    if origin is None:
        return Ostium(anchor)
    anchor[tuple(origin - corner)] = True
    spacing = np.asarray(geometry.spacing)
    near = np.linalg.norm((voxels - (origin - corner)) * spacing, axis=1) <= OSTIUM_MM
    return Ostium(anchor, (origin - corner) * spacing, float(deep[near].max()))


def _curves(skeleton: Skeleton, centres: Floats, field: _Field) -> list[Curve]:
    """Every chain as a centred curve with radii, in the world."""
    if not skeleton.chains:
        return []
    paths, depths = zip(*[_rough(skeleton, centres, chain, field) for chain in skeleton.chains])
    lumen = field.grid_mm(field.voxels)
    step = float(np.prod(field.geometry.spacing)) ** (1 / 3)
    fine = centred(paths, lumen, depths, step)
    rough = [_depth_along(curve, field) for curve in fine]
    radii = radii_of(fine, lumen, field.geometry.spacing, rough)
    return [
        Curve(field.world(curve), radius, chain.start, chain.stop) for curve, radius, chain in zip(fine, radii, skeleton.chains)
    ]


def _rough(skeleton: Skeleton, centres: Floats, chain: Chain, field: _Field) -> tuple[Floats, Floats]:
    """Voxel path (n, 3) in mm from node to node, and the depth along it."""
    index = np.vstack([centres[chain.start], skeleton.index[chain.voxels], centres[chain.stop]])
    return field.grid_mm(index), field.depth[tuple(np.rint(index).astype(int).T)].astype(float)


def _centres(skeleton: Skeleton, field: _Field) -> Floats:
    """Node positions (n, 3) as voxel indices: cluster means; open ends drawn out to where the vessel ends."""
    means = [skeleton.index[skeleton.voxels_of(node)].mean(axis=0) for node in range(skeleton.node_count)]
    centres = np.array(means, float).reshape(-1, 3)
    spacing = np.asarray(field.geometry.spacing)
    owner = cKDTree(skeleton.index * spacing).query(field.voxels * spacing)[1]
    for chain in skeleton.chains:
        for end, inner in ((chain.start, chain.voxels), (chain.stop, chain.voxels[::-1])):
            if skeleton.degree[end] == 1 and len(inner) and not field.ostium.voxel[tuple(centres[end].astype(int))]:
                mine = field.voxels[owner == skeleton.voxels_of(end)[0]]
                behind = skeleton.index[inner[min(len(inner), TIP_HEADING) - 1]]
                centres[end] = drawn_out(centres[end] * spacing, behind * spacing, mine * spacing, 1.5 * max(spacing)) / spacing
    return centres


def _depth_along(curve: Floats, field: _Field) -> Floats:
    index = np.rint(curve / np.asarray(field.geometry.spacing)).astype(int) - field.corner
    half = 0.5 * float(np.prod(field.geometry.spacing)) ** (1 / 3)
    index = np.clip(index, 0, np.array(field.depth.shape) - 1)
    return np.maximum(field.depth[tuple(index.T)].astype(float) - half, half)


def _anchored(skeleton: Skeleton, field: _Field) -> int | None:
    """The node at the ostium."""
    marked = np.flatnonzero(field.ostium.voxel[tuple(skeleton.index.T)])
    return int(skeleton.node_of[marked[0]]) if len(marked) else None


def _without_specks(vessel: Runs) -> tuple[Runs, tuple[str, ...]]:
    pieces = pieces_of(vessel, fully_connected=True)
    large = pieces.by_size[:MOST_PIECES]
    large = large[pieces.voxels[large] >= min(SMALLEST_PIECE, int(pieces.voxels.max()))]
    if len(large) == len(pieces):
        return vessel, ()
    return vessel.only(np.isin(pieces.of_run, large)), (f"traced the {len(large)} largest of {len(pieces)} pieces",)


def _origin(vessel: Runs, source: Source, geometry: Geometry) -> NDArray[np.int64] | None:
    meeting = contact(source.runs, vessel)
    return opening(meeting, source.runs, vessel, geometry.spacing) if meeting.patch_count else None


def _source_points(source: Source, geometry: Geometry) -> Floats:
    return geometry.to_world(border_voxels(source.runs))
