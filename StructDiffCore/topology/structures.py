"""Structures: every label of a map with its pieces, cavities and Betti numbers, kept up to date through local edits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .betti import Betti, betti_by_faces, euler_number
from .components import Pieces, pieces_of
from .runs import Box, LabelRuns, Runs


@dataclass(frozen=True, eq=False)
class Structure:
    """One label (or several taken together), not empty."""

    runs: Runs
    betti: Betti
    pieces: Pieces
    """26-connected."""
    background: Pieces
    """6-connected pieces of ``runs.complement()``; number 0 is the outside, the others are the cavities."""

    @classmethod
    def of(cls, runs: Runs) -> Structure:
        pieces = pieces_of(runs, fully_connected=True)
        background = pieces_of(runs.complement(), fully_connected=False)
        cavities = len(background) - 1
        return cls(runs, Betti(len(pieces), len(pieces) + cavities - euler_number(runs), cavities), pieces, background)

    @cached_property
    def by_faces(self) -> Betti:
        """Betti numbers if only faces connect; where they differ, a diagonal contact decides."""
        return betti_by_faces(self.runs)

    @property
    def cavities_by_size(self) -> NDArray[np.int64]:
        """Numbers in ``background`` of the cavities, the largest first."""
        order = self.background.by_size
        return order[order != 0]

    def piece(self, number: int) -> Runs:
        return self.runs.only(self.pieces.of_run == number)

    def cavity(self, number: int) -> Runs:
        return self.runs.complement().only(self.background.of_run == number)

    def filled(self) -> Runs:
        """The structure without its cavities."""
        if len(self.background) == 1:
            return self.runs
        return self.runs.complement().only(self.background.of_run == 0).gaps()


@dataclass(frozen=True, eq=False)
class Structures:
    """All labels of a map."""

    runs: LabelRuns
    of_value: Mapping[int, Structure]

    @classmethod
    def of(cls, voxels: NDArray[np.integer]) -> Structures:
        """Pieces, cavities and Betti numbers of every label of an integer (i, j, k) array."""
        runs = LabelRuns.of(voxels)
        return cls(runs, {value: Structure.of(runs.of_value(value)) for value in runs.values})

    def updated(self, voxels: NDArray[np.integer], box: Box) -> Structures:
        """The same after an edit of ``voxels`` inside ``box``; labels that it did not change are not counted again."""
        runs, changed = self.runs.updated(voxels, box)
        kept = {value: found for value, found in self.of_value.items() if value not in changed}
        fresh = {value: Structure.of(runs.of_value(value)) for value in changed if value in runs.values}
        return Structures(runs, dict(sorted({**kept, **fresh}.items())))
