"""Edit: a purposeful change of the vessel graphs, drawn first and applied later; each is a line of JSON.

An edit keeps every tree a tree, so the contract of labels and groups stays; how many ends it adds or takes it declares.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from StructDiffCore.domain import StructDiffError
from StructDiffCore.vessels.graph import VesselGraph
from StructDiffCore.vessels.surface import Surface

if TYPE_CHECKING:
    from .reference import Reference

Trees = Mapping[int, VesselGraph]


class Edit(ABC):
    """One change of the trees of a reference."""

    kind: ClassVar[str] = ""

    @abstractmethod
    def changed(self, trees: Trees, reference: Reference) -> dict[int, VesselGraph]:
        """The trees after the edit, in the reference's frame."""

    @abstractmethod
    def more_ends(self, trees: Trees) -> dict[int, int]:
        """How many ends each tree is declared to gain (or, negative, lose)."""

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}  # type: ignore[call-overload]


@dataclass(frozen=True)
class BranchEdit(Edit):
    """One change of one branch of one tree."""

    tree: int
    """Vessel label that the edit is for."""
    branch: str

    @abstractmethod
    def apply(self, graph: VesselGraph, surface: Surface | None) -> VesselGraph:
        """The tree after the edit; ``surface`` is the epicardium, None where the mask shows no heart."""

    def changed(self, trees: Trees, reference: Reference) -> dict[int, VesselGraph]:
        graph = tree_of(trees, self.tree, self.kind)
        return {**trees, self.tree: self.apply(graph, reference.epicardium if reference.heart else None)}

    def more_ends(self, trees: Trees) -> dict[int, int]:
        return {self.tree: self.more_ends_of(trees[self.tree])}

    def more_ends_of(self, graph: VesselGraph) -> int:
        """Ends that the edited tree gains; most edits move or widen what is there."""
        return 0


def tree_of(trees: Trees, value: int, kind: str) -> VesselGraph:
    """The tree of a vessel label; StructDiffError where the mask has none."""
    if value not in trees:
        has = ", ".join(str(tree) for tree in trees) or "none"
        raise StructDiffError(f"the mask has no vessel label {value} for a {kind}", f"vessel labels: {has}")
    return trees[value]


def needed(surface: Surface | None, kind: str) -> Surface:
    """The epicardium; StructDiffError where the mask shows none."""
    if surface is None:
        raise StructDiffError(f"the mask shows no heart for a {kind} to follow", "give a mask with the chambers")
    return surface


def refuse_outside(what: str, value: float, low: float, high: float) -> None:
    """One line for a number that cannot be."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise StructDiffError(f"a {what} of {value!r} cannot be", f"give a number from {low:g} to {high:g}")
    if not (np.isfinite(value) and low <= value <= high):
        raise StructDiffError(f"a {what} of {value:g} cannot be", f"give {low:g} to {high:g}")
