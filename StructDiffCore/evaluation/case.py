"""Case: a target mask, a template, and the scan that the answer is held against."""

from __future__ import annotations

from dataclasses import dataclass

from StructDiffCore.domain import LabelMap, Template, Volume
from StructDiffCore.vessels.graph import VesselGraph

from .scores import Scan


@dataclass(frozen=True, eq=False)
class Case:
    """One question put to every row."""

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

    @property
    def judged(self) -> bool:
        """Whether the judge knows the labels and the reference shows the target's anatomy."""
        return self.domain != "real"
