"""Case: a target mask, a template, and the scan that the answer is held against."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from StructDiffCore.domain import LabelMap, Template, Volume
from StructDiffCore.vessels.graph import VesselGraph

from .look import Look, Scan


@dataclass(frozen=True, eq=False)
class Case:
    """One question put to every row. What is read off the reference is read once, for all rows."""

    name: str
    domain: str
    """"training" (unseen seeds), "held_out" or "real"."""
    target: LabelMap
    template: Template
    reference: Scan
    """The true rendering of the target in the template's look; for the real case the template's own scan and mask."""
    trees: tuple[VesselGraph, ...]
    """The target's coronaries, where they are known."""
    clean: Volume | None
    """The reference without acquisition noise, where it is known."""
    again: Scan | None = None
    """The same heart in the same look rendered once more, with texture and noise of other seeds: the render-to-render floor."""
    other: LabelMap | None = None
    """The target of the next case: the swapped mask."""

    @property
    def judged(self) -> bool:
        """Whether the judge knows the labels and the reference shows the target's anatomy."""
        return self.domain != "real"

    @cached_property
    def truth(self) -> Look:
        """The reference's look, read once."""
        return Look(self.reference, self.trees)

    @cached_property
    def repeat(self) -> Look | None:
        """The second rendering's look."""
        return None if self.again is None else Look(self.again, self.trees)
