"""Contract: the topology that a mask has to keep, and the parts that its labels play in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from StructDiffCore.domain import LabelScheme
from StructDiffCore.topology.betti import Betti, betti_numbers

WHOLE = Betti(1, 0, 0)
"""One piece without loop or cavity: what the module grows."""
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
    def of(cls, roles: Roles) -> Contract:
        """What a mask with these roles promises: everything whole."""
        return cls(dict.fromkeys(roles.organs + roles.vessels, WHOLE), dict.fromkeys(roles.groups, WHOLE))

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


def _betti(voxels: NDArray[np.integer], group: tuple[int, ...], boxes: list[Any]) -> Betti:
    sides = [boxes[value - 1] for value in group if value <= len(boxes) and boxes[value - 1] is not None]
    if not sides:
        return Betti(0, 0, 0)
    box = tuple(slice(min(s[a].start for s in sides), max(s[a].stop for s in sides)) for a in range(3))
    part = voxels[box]
    return betti_numbers(part == group[0] if len(group) == 1 else np.isin(part, group))


def _name(scheme: LabelScheme, group: tuple[int, ...]) -> str:
    return " + ".join(scheme[value].name for value in group)


def _told(scheme: LabelScheme, group: tuple[int, ...], wanted: Betti, found: Betti | None) -> str:
    if found == wanted:
        return ""
    numbers = "missing" if found is None else f"b = ({found.b0}, {found.b1}, {found.b2})"
    return f"{_name(scheme, group)}: {numbers}, expected ({wanted.b0}, {wanted.b1}, {wanted.b2})"
