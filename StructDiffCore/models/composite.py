"""The composite label map: target labels over the aligned template's tissue, as rows (slots) of a table of region codes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from StructDiffCore.domain import LabelScheme

from .coarse_labels import PART_BASE, inherited_parts
from .pseudo_labels import PSEUDO_BASE, PSEUDO_NAMES, TYPICAL_HU
from .region_code import RegionCode, code_for
from .vessel_surroundings import runs_in, sheath

AIR, LUNG, FAT, SOFT = (PSEUDO_NAMES.index(name) for name in ("air", "lung", "fat", "soft tissue"))


@dataclass(frozen=True, eq=False)
class Slots:
    """Composite maps of target and template with what each slot means."""

    target: NDArray[np.int16]
    """(i, j, k): the target's slot of every voxel."""
    template: NDArray[np.int16]
    """(i, j, k): the aligned template's."""
    codes: NDArray[np.float32]
    """(S, CODE_LENGTH)."""
    medians: tuple[float, ...]
    """HU each slot is painted with, length S."""
    origins: Mapping[int, str]
    """Target label -> "template", "correspondence:7", "group:6" or "null"."""
    thin: tuple[int, ...] = ()
    """Slots of thin labels, the target's and the template's."""
    wall_hu: float = TYPICAL_HU[SOFT]
    """HU of a thin vessel's wall: the template's soft tissue."""
    tissue: tuple[int, ...] = ()
    """Slots of unlabelled tissue."""

    def moved(self, change: Callable[[NDArray], NDArray]) -> Slots:
        """The same slots after a change of the grid (a crop)."""
        return replace(self, target=change(self.target), template=change(self.template))


def composite_slots(
    target_labels: NDArray[np.integer],
    template_labels: NDArray[np.integer],
    pseudo: NDArray[np.integer],
    codes: Mapping[int, RegionCode],
    scheme: LabelScheme | None,
    *,
    thin_values: Iterable[int] = (),
    target_values: Iterable[int] | None = None,
    correspondence: Mapping[int, int] | None = None,
    parts: NDArray[np.int32] | None = None,
    spacing_mm: ArrayLike = (1.0, 1.0, 1.0),
) -> Slots:
    """Slots of all voxels (i, j, k); see ``condition_source`` for the arguments, ``part_labels`` for ``parts``.

    Order: target labels, the template's labels, pseudo-labels, parts of coarse labels. A target label is painted with its
    code's median; a template label the target does not use stays in place as context; every other unlabelled voxel takes its
    pseudo-label, but no lung lies against a thin vessel unless the template's own thin vessels run in lung.
    """
    in_target = _values(target_labels) if target_values is None else sorted({int(v) for v in target_values} - {0})
    in_template = [v for v in _values(template_labels) if v in codes]
    meanings = {v: code_for(v, codes, scheme, correspondence) for v in in_target}
    used = set(in_target) if correspondence is None else set(correspondence.values())
    table = [meanings[v][0] for v in in_target] + [codes[v] for v in in_template]
    table += [_pseudo_code(number, codes) for number in range(len(PSEUDO_NAMES))]
    first_template, first_pseudo = len(in_target), len(in_target) + len(in_template)

    tissue = (pseudo - (PSEUDO_BASE - first_pseudo)).astype(np.int16)
    template = _overlay(template_labels, {v: first_template + n for n, v in enumerate(in_template)}, tissue)
    carried = {v: first_template + n for n, v in enumerate(in_template) if v not in used}
    around = _overlay(template_labels, carried, tissue)
    target = _overlay(target_labels, {v: n for n, v in enumerate(in_target)}, around)
    thin = [n for n, v in enumerate(in_target) if v in set(thin_values)]
    thin_in_template = [first_template + n for n, v in enumerate(in_template) if codes[v].thin]
    target = _with_sheath(target, template, thin, thin_in_template, first_pseudo, spacing_mm)
    if parts is not None:
        slot_of_part = {v: len(table) + n for n, v in enumerate(v for v in codes if v >= PART_BASE)}
        table += [codes[v] for v in slot_of_part]
        looks_like = {v: v for v in in_target} if correspondence is None else correspondence
        template = _with_parts(template, parts, slot_of_part)
        target = _with_parts(target, inherited_parts(target_labels, parts, looks_like, spacing_mm), slot_of_part)
    return Slots(
        target,
        template,
        np.stack([code.vector for code in table]),
        tuple(code.median_hu for code in table),
        {v: origin for v, (_, origin) in meanings.items()},
        (*thin, *thin_in_template),
        table[first_pseudo + SOFT].median_hu,
        tuple(range(first_pseudo, first_pseudo + len(PSEUDO_NAMES))),
    )


def _with_sheath(
    target: NDArray[np.int16],
    template: NDArray[np.int16],
    thin: list[int],
    thin_in_template: list[int],
    first_pseudo: int,
    spacing_mm: ArrayLike,
) -> NDArray[np.int16]:
    """The target's slots with fat where the aligned template would put lung against a thin vessel."""
    lungs = (first_pseudo + AIR, first_pseudo + LUNG)
    misplaced = np.isin(target, lungs)
    lumen = np.isin(target, thin)
    if not lumen.any() or not misplaced.any():
        return target
    shown = np.isin(template, thin_in_template)
    if shown.any() and runs_in(shown, np.isin(template, lungs), template >= first_pseudo, spacing_mm):
        return target
    return np.where(misplaced & sheath(lumen, spacing_mm), np.int16(first_pseudo + FAT), target)


def _with_parts(slots: NDArray[np.int16], parts: NDArray[np.int32], slot_of_part: Mapping[int, int]) -> NDArray[np.int16]:
    """Slots with the parts' own where a voxel is one of a coarse label."""
    finer = slots.copy()
    for value, slot in slot_of_part.items():
        finer[parts == value] = slot
    return finer


def _pseudo_code(number: int, codes: Mapping[int, RegionCode]) -> RegionCode:
    hu = TYPICAL_HU[number]
    return codes.get(PSEUDO_BASE + number, RegionCode(hu, hu, hu, pseudo=True, borrowed=True, known=True))


def _values(labels: NDArray[np.integer]) -> list[int]:
    return [int(v) for v in np.flatnonzero(np.bincount(labels.ravel())) if v != 0]


def _overlay(labels: NDArray[np.integer], slot_of: Mapping[int, int], below: NDArray[np.int16]) -> NDArray[np.int16]:
    """Slots of labelled voxels where the label has one, else what lies below."""
    table = np.full(int(labels.max(initial=0)) + 1, -1, np.int16)
    for value, slot in slot_of.items():
        if value < len(table):
            table[value] = slot
    above = table[labels]
    return np.where(above >= 0, above, below)
