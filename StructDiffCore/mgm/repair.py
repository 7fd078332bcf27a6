"""Repair: a dirty reference made whole, with a report of what that changed. Dirt never becomes the contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, find_objects, label

from StructDiffCore.domain import Geometry, LabelMap, StructDiffError
from StructDiffCore.measures.overlap import dice

from .contract import Contract, Roles
from .lumens import LumenWish, spine_of
from .realise import realised
from .reference import Reference, refuse_unusable
from .traced_tree import traced_trees
from .warp import Warp, WarpRecipe

Labels = NDArray[np.uint8]
JOIN_MM = 6.0
"""Pieces of a vessel nearer than this are joined; others are dropped, as are an organ's."""
_TOUCH = np.ones((3, 3, 3), bool)


@dataclass(frozen=True)
class LabelRepair:
    """What a repair did to one label."""

    name: str
    before: tuple[int, int, int]
    after: tuple[int, int, int]
    volume_before_ml: float
    volume_after_ml: float
    dice: float

    def line(self) -> str:
        changed = f"{self.volume_before_ml:.3f} ml -> {self.volume_after_ml:.3f} ml, Dice {self.dice:.4f}"
        return f"{self.name}: b {self.before} -> {self.after}, {changed}"


@dataclass(frozen=True)
class RepairReport:
    """All labels of a repaired mask."""

    labels: tuple[LabelRepair, ...]

    def lines(self) -> list[str]:
        return [one.line() for one in self.labels if one.before != one.after or one.dice < 1]

    def as_dict(self) -> list[dict[str, Any]]:
        return [
            {
                "label": one.name,
                "betti_before": list(one.before),
                "betti_after": list(one.after),
                "volume_before_ml": round(one.volume_before_ml, 4),
                "volume_after_ml": round(one.volume_after_ml, 4),
                "dice": round(one.dice, 5),
            }
            for one in self.labels
        ]


def repaired(mask: LabelMap) -> tuple[LabelMap, RepairReport]:
    """The mask with every label and group whole; StructDiffError with the reason where that cannot be reached."""
    refuse_unusable(mask)
    roles = Roles.of(mask.scheme, mask.present)
    voxels = mask.voxels.astype(np.uint8)
    for value in roles.organs:
        _keep_largest(voxels, value)
    for value in roles.vessels:
        _join_pieces(voxels, value, mask.geometry)
    for wall, pool in roles.enclosed:
        _fill(voxels, (wall, pool), wall)
    for value in (*roles.organs, *roles.vessels):
        _fill(voxels, (value,), value)
    tidy = LabelMap(voxels, mask.geometry, mask.scheme)
    lost = [mask.scheme[value].name for value in mask.present if value not in tidy.present]
    if lost:
        raise StructDiffError(f"{lost[0]} cannot be mended: nothing of it is left", "edit the mask, or drop the label")
    reference = Reference.as_it_is(tidy, traced_trees(tidy))
    whole = _regrown(reference)
    _refuse_broken(whole, reference)
    return whole, _report(mask, whole, roles)


def _regrown(reference: Reference) -> LabelMap:
    """The reference grown anew in its own place."""
    low, high = reference.box_mm()
    wishes = {value: _as_it_is(reference, value) for value in reference.roles.vessels}
    still = Warp.from_recipe(WarpRecipe(0, sd_mm=0.0), low, high)
    mask = reference.mask
    labels = realised(reference, reference.roles, still, wishes, mask.geometry, smoothing=0)
    return LabelMap(labels, mask.geometry, mask.scheme)


def _as_it_is(reference: Reference, value: int) -> LumenWish:
    """A vessel that wishes for its own voxels, the deepest first, led by its centreline."""
    geometry, lumen = reference.mask.geometry, reference.lumens[value]
    first = np.rint(geometry.to_index(lumen.geometry.origin)).astype(int)
    low = np.maximum(first, 0)
    high = np.minimum(first + lumen.distance_mm.shape, geometry.shape)
    level = lumen.distance_mm[tuple(slice(a, b) for a, b in zip(low - first, high - first))]
    i, j, k = (int(n) for n in low)
    return LumenWish((i, j, k), level, spine_of(reference.trees[value], geometry))


def _refuse_broken(whole: LabelMap, reference: Reference) -> None:
    breaches = reference.contract.breaches(Contract.measured(whole.voxels, reference.roles), whole.scheme)
    if breaches:
        raise StructDiffError(f"the mask cannot be mended: {breaches[0]}", "edit it by hand, or drop that label")


def _keep_largest(voxels: Labels, value: int) -> None:
    box = find_objects((voxels == value).view(np.uint8))[0]
    part = voxels[box]
    pieces, count = label(part == value, _TOUCH)
    if count > 1:
        largest = int(np.bincount(pieces.ravel())[1:].argmax()) + 1
        part[(pieces > 0) & (pieces != largest)] = 0


def _join_pieces(voxels: Labels, value: int, geometry: Geometry) -> None:
    """Lead every near piece of a vessel to its largest by a straight line of voxels; drop the far ones."""
    inside = voxels == value
    pieces, count = label(inside, _TOUCH)
    if count < 2:
        return
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    main = pieces == sizes.argmax()
    away, nearest = distance_transform_edt(~main, geometry.spacing, return_indices=True)
    for piece in np.argsort(-sizes)[1:count]:
        where = np.argwhere(pieces == piece)
        start = where[away[tuple(where.T)].argmin()]
        if away[tuple(start)] > JOIN_MM:
            voxels[pieces == piece] = 0
            continue
        end = nearest[:, start[0], start[1], start[2]]
        steps = int(np.abs(end - start).max())
        line = np.rint(start + np.linspace(0, 1, steps + 1)[:, None] * (end - start)).astype(int)
        for offset in np.argwhere(np.ones((2, 2, 2))):
            at = np.minimum(line + offset, np.array(voxels.shape) - 1)
            free = voxels[tuple(at.T)] == 0
            voxels[tuple(at[free].T)] = value
        voxels[tuple(line.T)] = value


def _fill(voxels: Labels, group: tuple[int, ...], value: int) -> None:
    """Give what a structure encloses completely (6-connected background) to ``value``."""
    inside = np.isin(voxels, group)
    if not inside.any():
        return
    box = find_objects(inside.view(np.uint8))[0]
    part = np.pad(inside[box], 1)
    outside, count = label(~part)
    if count > 1:
        enclosed = (~part & (outside != outside[0, 0, 0]))[1:-1, 1:-1, 1:-1]
        voxels[box][enclosed] = value


def _report(before: LabelMap, after: LabelMap, roles: Roles) -> RepairReport:
    old, new = Contract.measured(before.voxels, roles).labels, Contract.measured(after.voxels, roles).labels
    voxel_ml = before.geometry.voxel_volume_mm3 / 1000
    found = []
    for value in (*roles.organs, *roles.vessels):
        a, b = before.voxels == value, after.voxels == value
        name = before.scheme[value].name
        was, now = ((betti.b0, betti.b1, betti.b2) for betti in (old[value], new[value]))
        found.append(LabelRepair(name, was, now, int(a.sum()) * voxel_ml, int(b.sum()) * voxel_ml, dice(a, b)))
    return RepairReport(tuple(found))
