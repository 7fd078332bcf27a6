"""A heart for coronaries that come without one: a digital heart bent until the real trees lie on its epicardium.

The real trees and their aorta stay as they are, voxel for voxel. Only the digital heart moves: by a similarity that fits its
LAD, LCx, RCA and aortic root to the real ones, then by a thin-plate spline that lays its epicardium under every centreline.
The digital heart's own aorta and coronaries are dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap
from StructDiffCore.mgm.reference import Reference
from StructDiffCore.phantom.heart import default_geometry, digital_heart
from StructDiffCore.preprocess.grids import resample_labels
from StructDiffCore.vessels.branch import Branch
from StructDiffCore.vessels.graph import VesselGraph
from StructDiffCore.vessels.surface import project

Floats = NDArray[np.float64]
LEFT, RIGHT, AORTA, LV = 8, 9, 6, 3
MYOCARDIUM = 1
SEED = 2
"""Of the digital hearts 0 to 11 the one whose landmarks fit those of narco119 best."""
HOST_SPACING_MM, HOST_VOXELS = 1.0, 140
SHRINK = 0.85
"""Digital hearts' trees are about so much shorter than the real ones that are laid around them."""
LAD_MM, LCX_MM, RCA_MM = np.arange(10.0, 91.0, 10.0), np.arange(10.0, 61.0, 10.0), np.arange(40.0, 121.0, 10.0)
"""Where along the real vessels the shared landmarks lie (the right one's take-off differs between people)."""
AXIS_MM = 28.0
"""The second point of the aortic root lies so far above its annulus."""
FREE_MM = 12.0
"""A tree's first stretch runs along its sinus, not on the epicardium."""
EVERY_MM = 3.0
ROOT_SLACK, TREE_SLACK, LANDMARK_SLACK, REST_SLACK = 0.1, 5.0, 50.0, 100.0
"""Smoothing of the splines at the aortic root, the trees, the first guess and the rest of the heart: how little each binds."""
REST_MM = 20.0
"""The epicardium further than this from every tree stays about where the similarity puts it,"""
REST_POINTS = 150
"""held at so many points."""
ROUNDS = 5
COARSE_MM = 4.0
WALL_MM = 1.0
"""Between a coronary and a chamber's blood."""
MARGIN_MM = 12.0
ROOM_MM = 32.0


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Places (n, 3) in mm that a heart and the trees share."""

    annulus: Floats
    axis: Floats
    lad: Floats
    lcx: Floats
    rca: Floats

    @property
    def all(self) -> Floats:
        return np.concatenate([self.annulus[None], self.axis[None], self.lad, self.lcx, self.rca])


def aortic_axis(aorta_mm: Floats, annulus: Floats) -> Floats:
    """Middle of the aorta ``AXIS_MM`` from the annulus, of its voxels (n, 3) in mm."""
    away = np.linalg.norm(aorta_mm - annulus, axis=1)
    shell = aorta_mm[np.abs(away - AXIS_MM) < 2.0]
    return shell[np.linalg.norm(shell - np.median(shell, axis=0), axis=1) < 25.0].mean(axis=0)


def host_landmarks(mask: LabelMap, trees: Mapping[int, VesselGraph]) -> Landmarks:
    """Of a digital heart: its named branches, and the annulus where the aorta touches the left ventricle."""
    touch = (mask.voxels == AORTA) & ndimage.binary_dilation(mask.voxels == LV, iterations=2)
    annulus = mask.geometry.to_world(np.argwhere(touch).mean(axis=0))
    axis = aortic_axis(mask.geometry.to_world(np.argwhere(mask.voxels == AORTA)), annulus)
    left, right = trees[LEFT], trees[RIGHT]
    ways = {name: tree.path_to(name) for tree in (left, right) for name in tree.names}
    rca = ways.get("PL", ways["RCA"])
    places = [way.point_at(SHRINK * along) for way, along in ((ways["LAD"], LAD_MM), (ways["LCx"], LCX_MM), (rca, RCA_MM))]
    return Landmarks(annulus, axis, *places)


def tree_landmarks(aorta_mm: Floats, left: VesselGraph, right: VesselGraph) -> Landmarks:
    """Of the real trees: the longest way to the left leads down the LAD, the next longest down the LCx."""
    low = aorta_mm[aorta_mm[:, 2] < aorta_mm[:, 2].min() + 5.0].mean(axis=0)
    lad, lcx = main_ways(left)
    rca = max((right.path_to(right.branches[i].name) for i in right.tip_branches), key=lambda way: way.length_mm)
    axis = aortic_axis(aorta_mm, low)
    return Landmarks(low, axis, lad.point_at(LAD_MM), lcx.point_at(LCX_MM), rca.point_at(RCA_MM))


def main_ways(left: VesselGraph) -> tuple[Branch, Branch]:
    """The two longest branches of a left tree as ways from the ostium; the one that ends further in front is the LAD."""
    longest = sorted(left.branches, key=lambda branch: -branch.length_mm)[:2]
    front, back = sorted((left.path_to(branch.name) for branch in longest), key=lambda way: -way.points_mm[-1, 1])
    return front, back


def similarity(source: Floats, aim: Floats) -> tuple[Floats, Floats, float]:
    """Matrix, offset and rms residual in mm of the similarity that takes points (n, 3) onto others (Umeyama 1991)."""
    a, b = source - source.mean(axis=0), aim - aim.mean(axis=0)
    u, s, vt = np.linalg.svd(b.T @ a / len(a))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    matrix = (u * sign) @ vt * float((s * sign).sum() / (a**2).sum() * len(a))
    residual = float(np.sqrt(((b - a @ matrix.T) ** 2).sum(axis=1).mean()))
    return matrix, aim.mean(axis=0) - matrix @ source.mean(axis=0), residual


@dataclass(frozen=True, eq=False)
class Host:
    """A digital heart that fits, and the way from the real trees' world into its own."""

    reference: Reference
    seed: int
    real: Landmarks
    own: Landmarks
    matrix: Floats
    offset: Floats
    residual_mm: float

    def into(self, points_mm: Floats) -> Floats:
        return np.asarray(points_mm @ self.matrix.T + self.offset)


def host_for(real: Landmarks, seed: int = SEED) -> Host:
    """The digital heart of a seed, whole, and the similarity onto it."""
    trees_only = digital_heart(seed, spacing_mm=1.6).trees
    heart = digital_heart(seed, default_geometry(trees_only, HOST_SPACING_MM, HOST_VOXELS))
    trees = {LEFT: heart.trees["left"], RIGHT: heart.trees["right"]}
    own = host_landmarks(heart.mask, trees)
    matrix, offset, residual = similarity(real.all, own.all)
    return Host(Reference.as_it_is(heart.mask, trees), seed, real, own, matrix, offset, residual)


@dataclass(frozen=True, eq=False)
class Pins:
    """Where points (n, 3) of the host's world have to go, and how loosely (n,)."""

    source: Floats
    aim: Floats
    slack: Floats

    @classmethod
    def of(cls, source: Floats, aim: Floats, slack: float) -> Pins:
        return cls(source, aim, np.full(len(source), slack))

    def __add__(self, other: Pins) -> Pins:
        pairs = ((getattr(self, name), getattr(other, name)) for name in ("source", "aim", "slack"))
        return Pins(*(np.concatenate(pair) for pair in pairs))

    def field(self) -> RBFInterpolator:
        """The displacement: a smoothed thin-plate spline."""
        return RBFInterpolator(self.source, self.aim - self.source, smoothing=self.slack, kernel="thin_plate_spline", degree=1)


def bent(host: Host, trees: Mapping[int, VesselGraph]) -> RBFInterpolator:
    """The displacement, in the host's world, that takes the real trees onto the host's epicardium, outside it by their radius."""
    points, depth = _course(host, trees)
    epicardium = host.reference.epicardium
    held = _rest(host, points)
    held += Pins.of(host.into(host.real.all[:2]), host.own.all[:2], ROOT_SLACK)
    field = (held + Pins.of(host.into(host.real.all[2:]), host.own.all[2:], LANDMARK_SLACK)).field()
    for _ in range(ROUNDS):
        laid = project(epicardium, points + field(points), depth, steps=8)[0]
        field = (held + Pins.of(points, laid, TREE_SLACK)).field()
    return field


def _rest(host: Host, points: Floats) -> Pins:
    """Points of the epicardium far from every tree, which stay."""
    heart = np.isin(host.reference.ground, host.reference.heart)
    shell = host.reference.geometry.to_world(np.argwhere(heart & ~ndimage.binary_erosion(heart)))
    far = shell[cKDTree(points).query(shell)[0] > REST_MM]
    some = far[np.random.default_rng(0).permutation(len(far))[:REST_POINTS]]
    return Pins.of(some, some, REST_SLACK)


def _course(host: Host, trees: Mapping[int, VesselGraph]) -> tuple[Floats, Floats]:
    """Points (n, 3) of the trees in the host's world, and the depth (n,) in mm outside the epicardium that they should have."""
    scale = float(np.cbrt(np.linalg.det(host.matrix)))
    points, depths = [], []
    for tree in trees.values():
        for branch in tree.branches:
            along = np.arange(0.0, branch.length_mm, EVERY_MM)
            where = branch.point_at(along)
            far = np.linalg.norm(where - tree.branches[0].points_mm[0], axis=1) > FREE_MM
            points.append(host.into(where[far]))
            depths.append(scale * (branch.radius_at(along[far]) + WALL_MM))
    return np.concatenate(points), np.concatenate(depths)


def carried_organs(host: Host, field: RBFInterpolator, geometry: Geometry) -> NDArray[np.uint8]:
    """The host's organs but its aorta on the real grid (i, j, k): the largest of their linearly read shares."""
    places = host_places(host, field, geometry)
    ground, on = host.reference.ground, host.reference.geometry
    index = np.moveaxis(on.to_index(places), -1, 0).astype(np.float32)
    best = np.full(geometry.shape, 0.5, np.float32)
    organs = np.zeros(geometry.shape, np.uint8)
    for value in (v for v in host.reference.roles.organs if v != AORTA):
        share = ndimage.gaussian_filter((ground == value).astype(np.float32), 0.7)
        read = ndimage.map_coordinates(share, index, order=1, mode="constant")
        organs[read > best] = value
        best = np.maximum(best, read)
    return organs


def host_places(host: Host, field: RBFInterpolator, geometry: Geometry) -> NDArray[np.float32]:
    """Where every voxel (i, j, k) lies in the host's world, (i, j, k, 3), from a coarse grid."""
    coarse = geometry.with_spacing((COARSE_MM,) * 3)
    nodes = np.stack(np.meshgrid(*[np.arange(-1, n + 1) for n in coarse.shape], indexing="ij"), axis=-1)
    flat = host.into(coarse.to_world(nodes.reshape(-1, 3)))
    moved = (flat + field(flat)).reshape(nodes.shape)
    index = coarse.to_index(geometry.to_world(np.stack(np.indices(geometry.shape), axis=-1))) + 1
    lines = np.moveaxis(index, -1, 0)
    return np.stack([ndimage.map_coordinates(moved[..., axis], lines, order=1, output=np.float32) for axis in range(3)], axis=-1)


def whole_heart(vessels: LabelMap, parts: tuple[int, int, int], trees: Mapping[int, VesselGraph], spacing_mm: float) -> LabelMap:
    """The real vessels of a mask (aorta, left and right coronary by value) with chambers and muscle, in the cardiac scheme."""
    aorta, left, right = parts
    aorta_mm = vessels.geometry.to_world(np.argwhere(vessels.voxels == aorta))
    host = host_for(tree_landmarks(aorta_mm, trees[left], trees[right]))
    geometry = _roomy(vessels.geometry).with_spacing((spacing_mm,) * 3)
    organs = carried_organs(host, bent(host, trees), geometry)
    real = resample_labels(vessels, geometry).voxels
    near = ndimage.distance_transform_edt(~np.isin(real, (left, right)), geometry.spacing) < WALL_MM
    organs[near & (organs != MYOCARDIUM)] = 0
    for value, label in ((aorta, AORTA), (left, LEFT), (right, RIGHT)):
        organs[real == value] = label
    return _trimmed(LabelMap(organs, geometry, CARDIAC))


def _roomy(vessels: Geometry) -> Geometry:
    """The vessels' grid with room for a heart all round."""
    more = np.ceil(ROOM_MM / np.asarray(vessels.spacing)).astype(int)
    return vessels.cropped(tuple((-more).tolist()), tuple((np.asarray(vessels.shape) + 2 * more).tolist()))


def _trimmed(mask: LabelMap) -> LabelMap:
    """The box around all labels with a margin."""
    margin = np.ceil(MARGIN_MM / np.asarray(mask.geometry.spacing)).astype(int)
    found = ndimage.find_objects((mask.voxels > 0).astype(np.uint8))[0]
    low = [max(0, side.start - m) for side, m in zip(found, margin)]
    high = [min(n, side.stop + m) for side, m, n in zip(found, margin, mask.voxels.shape)]
    shape = tuple(b - a for a, b in zip(low, high))
    box = tuple(slice(a, b) for a, b in zip(low, high))
    return LabelMap(mask.voxels[box], mask.geometry.cropped(tuple(low), shape), mask.scheme)
