"""Recoding: a mask with the values of a public data set read into the cardiac scheme."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from StructDiffCore.domain import CARDIAC, LabelMap, StructDiffError

from .files import read_label_map
from .integrity import naming
from .label_tables import TABLES
from .schemes import load_scheme


def read_in_scheme(path: str | Path, name: str | None) -> LabelMap:
    """A mask in the scheme of a name, file or public data set; by its own names or values where none is given."""
    if name is not None and name in TABLES:
        found = read_label_map(path)
        with naming(Path(path)):
            return recoded(found, TABLES[name])
    return read_label_map(path, load_scheme(name) if name else None)


def recoded(mask: LabelMap, table: Mapping[int, int]) -> LabelMap:
    """The mask with its values exchanged for cardiac ones (value -> cardiac value); other labels become background."""
    values = np.zeros(max((*mask.present, *table)) + 1, np.uint8)
    values[list(table)] = list(table.values())
    voxels = values[mask.voxels]
    if not voxels.any():
        raise StructDiffError(f"none of the mask's labels {mask.present[:8]} is in the table", "choose the scheme it follows")
    return LabelMap(voxels, mask.geometry, CARDIAC)
