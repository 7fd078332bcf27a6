"""A case of a data set read as an image-mask pair in its scheme."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import ImageMaskPair, LabelMap, StructDiffError

from .coronary_sides import split_coronaries
from .files import read_label_map, read_volume
from .integrity import naming
from .label_tables import BOTH_CORONARIES, LEFT_CORONARY, RIGHT_CORONARY
from .layouts import Case
from .same_grid import on_grid


@dataclass(frozen=True, eq=False)
class CaseData:
    """The pair, and what a reader should know about how its labels came about."""

    pair: ImageMaskPair
    notes: tuple[str, ...]


def read_case(case: Case, resample: bool = False) -> CaseData:
    """Image and mask of a case; masks on another grid are refused unless ``resample``. An empty structure file is skipped."""
    image = read_volume(case.image)
    labels = np.zeros(image.geometry.shape, np.uint16)
    notes: list[str] = []
    for file in case.masks:
        with naming(file.path):
            try:
                mask = on_grid(read_label_map(file.path), image.geometry, resample)
            except StructDiffError as error:
                if len(case.masks) > 1 and "is empty (no label" in error.fact:
                    continue
                raise
            notes += _translate(mask, file.table, labels)
    if not labels.any():
        raise StructDiffError(f"the mask of case {case.id} holds none of the structures of '{case.scheme.name}'", "leave it out")
    return CaseData(ImageMaskPair(image, LabelMap(labels, image.geometry, case.scheme)), tuple(notes))


def _translate(mask: LabelMap, table: Mapping[int, int], labels: NDArray[np.uint16]) -> list[str]:
    """Write the mask's known structures into ``labels``; returns notes on what was split or dropped."""
    notes = []
    for value in mask.present:
        inside = mask.voxels == value
        if value not in table:
            notes.append(f"label {value} ({int(inside.sum())} voxels) has no counterpart and was dropped")
        elif table[value] == BOTH_CORONARIES:
            sides = split_coronaries(inside, mask.geometry)
            labels[sides.left], labels[sides.right] = LEFT_CORONARY, RIGHT_CORONARY
            notes.append(sides.note)
        else:
            labels[inside] = table[value]
    return notes
