"""Contract: the topology that a mask has to keep, and the parts that its labels play in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, find_objects

from StructDiffCore.domain import LabelScheme
from StructDiffCore.topology.betti import Betti, betti_numbers

WHOLE = Betti(1, 0, 0)
"""One piece without loop or cavity: what the module grows."""
Shapes = Mapping[tuple[int, ...], Betti]
"""Labels or groups that are one piece, but rightly have tunnels or shells."""
ENCLOSED = (("myocardium", "left ventricle"),)
"""A wall and the pool that it holds like a cup, by name; their union is watched too."""


@dataclass(frozen=True)
class Roles:
    """Which labels are vessels, what they spring from, what encloses what; values present in a mask."""

    organs: tuple[int, ...]
    vessels: tuple[int, ...]
    trunk_of: Mapping[int, int]
    """Vessel -> the label that its ostium lies on (the aorta)."""
    enclosed: tuple[tuple[int, int], ...]
    """(wall, pool) pairs."""

    @classmethod
    def of(cls, scheme: LabelScheme, present: tuple[int, ...]) -> Roles:
        vessels = tuple(value for value in scheme.thin_values if value in present)
        organs = tuple(value for value in present if value not in vessels)
        pairs = [(a, b) if b in vessels else (b, a) for a, b in scheme.touching]
        trunks = {vessel: trunk for trunk, vessel in pairs if vessel in vessels and trunk in organs}
        by_name = {scheme[value].name.lower(): value for value in present}
        cups = tuple((by_name[wall], by_name[pool]) for wall, pool in ENCLOSED if wall in by_name and pool in by_name)
        return cls(organs, vessels, trunks, cups)

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Unions whose topology is part of the contract: every trunk with its vessels, every wall with its pool."""
        trunks = sorted(set(self.trunk_of.values()))
        trees = tuple((trunk, *sorted(v for v, t in self.trunk_of.items() if t == trunk)) for trunk in trunks)
        return trees + self.enclosed

    @property
    def apart(self) -> tuple[tuple[int, int], ...]:
        """Vessels of different trees never touch."""
        return tuple((a, b) for n, a in enumerate(self.vessels) for b in self.vessels[n + 1 :])


@dataclass(frozen=True)
class Contract:
    """Betti numbers by label and by group of labels."""

    labels: Mapping[int, Betti]
    groups: Mapping[tuple[int, ...], Betti] = field(default_factory=dict)

    @classmethod
    def of(cls, roles: Roles, shapes: Shapes | None = None) -> Contract:
        """What a mask with these roles promises: everything whole but for the ``shapes`` that its reference has."""
        labels = {value: (shapes or {}).get((value,), WHOLE) for value in roles.organs + roles.vessels}
        return cls(labels, {group: (shapes or {}).get(group, WHOLE) for group in roles.groups})

    @classmethod
    def measured(cls, voxels: NDArray[np.integer], roles: Roles) -> Contract:
        """What a mask (i, j, k) has."""
        boxes = find_objects(voxels)
        labels = {value: _betti(voxels, (value,), boxes) for value in roles.organs + roles.vessels}
        return cls(labels, {group: _betti(voxels, group, boxes) for group in roles.groups})

    def breaches(self, found: Contract, scheme: LabelScheme) -> list[str]:
        """What differs from this contract in the one found, in words."""
        told = [_told(scheme, (value,), betti, found.labels.get(value)) for value, betti in self.labels.items()]
        told += [_told(scheme, group, betti, found.groups.get(group)) for group, betti in self.groups.items()]
        return [line for line in told if line]

    def as_dict(self, scheme: LabelScheme) -> dict[str, Any]:
        """JSON form, by names."""
        names = {(value,): betti for value, betti in self.labels.items()} | dict(self.groups)
        return {_name(scheme, group): [betti.b0, betti.b1, betti.b2] for group, betti in names.items()}


def wide_shapes(voxels: NDArray[np.integer], roles: Roles) -> Shapes:
    """Tunnels and shells that are anatomy and no dirt: of organs in one piece that keep them when grown by a voxel all round.

    A wall that the field of view cuts open at its tip is a tube; a hole of a voxel or two is a fault of the segmentation.
    """
    boxes, found = find_objects(voxels), Contract.measured(voxels, roles)
    organs = {(value,): found.labels[value] for value in roles.organs}
    wide = {key: betti for key, betti in organs.items() if _is_wide(voxels, key, betti, boxes)}
    touched = {value for key in wide for value in key}
    groups = {group: betti for group, betti in found.groups.items() if betti != WHOLE and touched & set(group)}
    return wide | {group: betti for group, betti in groups.items() if _is_wide(voxels, group, betti, boxes)}


def _is_wide(voxels: NDArray[np.integer], group: tuple[int, ...], betti: Betti, boxes: list[Any]) -> bool:
    if betti == WHOLE or betti.b0 != 1:
        return False
    box = _common_box(group, boxes)
    return betti_numbers(binary_dilation(np.pad(np.isin(voxels[box], group), 1), np.ones((3, 3, 3), bool))) == betti


def _betti(voxels: NDArray[np.integer], group: tuple[int, ...], boxes: list[Any]) -> Betti:
    box = _common_box(group, boxes)
    if not box:
        return Betti(0, 0, 0)
    part = voxels[box]
    return betti_numbers(part == group[0] if len(group) == 1 else np.isin(part, group))


def _common_box(group: tuple[int, ...], boxes: list[Any]) -> tuple[slice, ...]:
    """The box around all labels of a group; empty where none is there."""
    sides = [boxes[value - 1] for value in group if value <= len(boxes) and boxes[value - 1] is not None]
    return tuple(slice(min(s[a].start for s in sides), max(s[a].stop for s in sides)) for a in range(3) if sides)


def _name(scheme: LabelScheme, group: tuple[int, ...]) -> str:
    return " + ".join(scheme[value].name for value in group)


def _told(scheme: LabelScheme, group: tuple[int, ...], wanted: Betti, found: Betti | None) -> str:
    if found == wanted:
        return ""
    numbers = "missing" if found is None else f"b = ({found.b0}, {found.b1}, {found.b2})"
    return f"{_name(scheme, group)}: {numbers}, expected ({wanted.b0}, {wanted.b1}, {wanted.b2})"
