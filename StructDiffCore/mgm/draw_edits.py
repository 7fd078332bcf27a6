"""Drawn edits: chance decides what happens to one tree, so that it stays a tree that a human could have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from StructDiffCore.domain import StructDiffError
from StructDiffCore.vessels.branch import Branch
from StructDiffCore.vessels.graph import VesselGraph

from .dominance import SwitchDominance, dominance_of
from .edit import Edit
from .edits import Calibre, Ectasia, Graft, Lengthen, MoveTakeOff, Prune, Shorten, Stenosis, Tortuosity

if TYPE_CHECKING:
    from .draw import DrawSettings

KEPT = ("lm", "lad", "lcx", "rca")
"""Main vessels, never pruned (by name; the longest way of an unnamed tree likewise)."""
SIDE_SHARE = 0.75
"""An unnamed side branch may be pruned when it is shorter than this part of its tree's longest branch."""

STUB_MM = 8.0
"""Pruning a shorter branch only frays its parent's wall."""
LONG_MM = 10.0
"""Only longer branches are shortened."""


ROOM_MM = 3.0
"""A moved take-off keeps this far from the ends of its parent and from other take-offs."""


@dataclass(frozen=True, eq=False)
class TreeEdits:
    """What is drawn for one tree; on a mask without a heart nothing grows over its surface."""

    value: int
    tree: VesselGraph
    settings: DrawSettings
    rng: np.random.Generator
    on_heart: bool

    def drawn(self) -> list[Edit]:
        """Prune, shorten or lengthen, calibre, move, meander, narrow, widen, grow: in this order."""
        sides = side_branches(self.tree)
        self.rng.shuffle(sides)
        pruned = sides[: int(self.rng.integers(self.settings.most_pruned + 1))]
        left = [name for name in sides if name not in pruned]
        stays = [b for b in self.tree.branches if b.name not in pruned and not _springs_from(self.tree, b.name, pruned)]
        long = [branch for branch in stays if branch.length_mm > 25]
        edits: list[Edit] = [Prune(self.value, name) for name in pruned]
        edits += self._longer_or_shorter(left)
        edits.append(Calibre(self.value, self.tree.branches[0].name, between(self.settings.calibre, self.rng)))
        edits += self._moved(left)
        edits += [self._meander(branch) for branch in long if branch.parent is not None]
        return edits + self._lesions(long) + self._grown(long)

    def _happens(self, chance: float) -> bool:
        return bool(self.rng.uniform() < chance)

    def _longer_or_shorter(self, sides: Sequence[str]) -> list[Edit]:
        if not sides:
            return []
        last, share, by = sides[-1], between((0.15, 0.4), self.rng), between((5.0, 14.0), self.rng)
        if self.tree.branch(last).length_mm > LONG_MM and self._happens(self.settings.shorten_chance):
            return [Shorten(self.value, last, share)]
        if self.on_heart and self._happens(self.settings.lengthen_chance):
            return [Lengthen(self.value, last, by, int(self.rng.integers(2**31)))]
        return []

    def _moved(self, sides: Sequence[str]) -> list[Edit]:
        if not sides or not self._happens(self.settings.move_chance):
            return []
        name, by = sides[0], between((2.0, 7.0), self.rng) * (1 if self._happens(0.5) else -1)
        index = self.tree.index_of(name)
        now, parent = self.tree.attachments_mm[index], self.tree.parent_of(index)
        others = [self.tree.attachments_mm[c] for c in self.tree.children[self.tree.branches[index].parent or 0] if c != index]
        borders = [0.0, parent.length_mm, *others]
        below, above = max(b for b in borders if b <= now), min((b for b in borders if b > now), default=now)
        fits = below + ROOM_MM < now + by < above - ROOM_MM
        return [MoveTakeOff(self.value, name, round(by, 3))] if fits else []

    def _meander(self, branch: Branch) -> Edit:
        return Tortuosity(self.value, branch.name, between(self.settings.tortuosity_mm, self.rng), int(self.rng.integers(2**31)))

    def _lesions(self, long: Sequence[Branch]) -> list[Edit]:
        edits: list[Edit] = []
        if long and self._happens(self.settings.stenosis_chance):
            branch = long[int(self.rng.integers(len(long)))]
            at, length = between((0.2 * branch.length_mm, 0.6 * branch.length_mm), self.rng), between((4.0, 14.0), self.rng)
            edits.append(Stenosis(self.value, branch.name, at, length, between((25.0, 60.0), self.rng)))
        if long and self._happens(self.settings.ectasia_chance):
            branch = long[int(self.rng.integers(len(long)))]
            at, length = between((0.1 * branch.length_mm, 0.5 * branch.length_mm), self.rng), between((8.0, 20.0), self.rng)
            edits.append(Ectasia(self.value, branch.name, at, length, between((20.0, 60.0), self.rng)))
        return edits

    def _grown(self, long: Sequence[Branch]) -> list[Edit]:
        if not long or not self.on_heart or not self._happens(self.settings.graft_chance):
            return []
        branch = long[int(self.rng.integers(len(long)))]
        at, length = between((0.25, 0.8), self.rng), between((14.0, 32.0), self.rng)
        left_side, seed = bool(self.rng.integers(2)), int(self.rng.integers(2**31))
        return [Graft(self.value, branch.name, "graft", at, length, left_side, 0.6, seed)]


def drawn_switch(trees: Mapping[int, VesselGraph], rng: np.random.Generator) -> Edit | None:
    """A switch to one of the two other dominances; None where the mask has not two trees or their branches no names."""
    if len(trees) != 2:
        return None
    left, right = trees
    try:
        now = dominance_of(trees[left], trees[right])
    except StructDiffError:
        return None
    others = [one for one in ("right", "left", "balanced") if one != now]
    return SwitchDominance(left, right, others[int(rng.integers(len(others)))], int(rng.integers(2**31)))


def side_branches(tree: VesselGraph) -> list[str]:
    """Names of branches that may go: no main vessels, no stubs that lie in their parent's lumen; shorter than the longest."""
    longest = max(branch.length_mm for branch in tree.branches)
    return [
        branch.name
        for index, branch in enumerate(tree.branches)
        if branch.parent is not None
        and not tree.children[index]
        and branch.name.lower() not in KEPT
        and STUB_MM < branch.length_mm < SIDE_SHARE * longest
    ]


def _springs_from(tree: VesselGraph, name: str, names: Sequence[str]) -> bool:
    index = tree.index_of(name)
    while tree.branches[index].parent is not None:
        index = tree.branches[index].parent or 0
        if tree.branches[index].name in names:
            return True
    return False


def between(span: tuple[float, float], rng: np.random.Generator) -> float:
    return round(float(rng.uniform(*span)), 4)
