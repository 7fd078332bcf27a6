"""VesselGraph: one rooted tree of named branches with radii, in RAS+ mm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from StructDiffCore.domain import StructDiffError

from .branch import Branch

Floats = NDArray[np.float64]

ON_PARENT_MM = 0.25
"""How far a child's first point may lie from its parent's polyline."""


@dataclass(frozen=True, eq=False)
class VesselGraph:
    """A rooted tree: branch 0 is the root, every parent comes before its children, names are unique."""

    branches: tuple[Branch, ...]
    root_mm: Floats | None = None
    """Where the tree is rooted (3,), the ostium; the first point of branch 0 when not given."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "branches", tuple(self.branches))
        self._refuse_no_tree()
        root = self.branches[0].points_mm[0] if self.root_mm is None else np.array(self.root_mm, float)
        root.flags.writeable = False
        object.__setattr__(self, "root_mm", root)
        self._refuse_loose_children()

    def _refuse_no_tree(self) -> None:
        if not self.branches or self.branches[0].parent is not None:
            raise StructDiffError("the vessel graph has no root branch", "give the branch without a parent first")
        for index, branch in enumerate(self.branches[1:], start=1):
            if branch.parent is None or not 0 <= branch.parent < index:
                raise StructDiffError(
                    f"branch {branch.name} (number {index}) has parent {branch.parent}", "list every parent before its children"
                )
        names = [branch.name for branch in self.branches]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise StructDiffError(f"the vessel graph has several branches named {twice}", "number them")

    def _refuse_loose_children(self) -> None:
        for index in range(1, len(self.branches)):
            _, gap = self.attachment(index)
            if gap > ON_PARENT_MM:
                branch, parent = self.branches[index], self.parent_of(index)
                raise StructDiffError(
                    f"branch {branch.name} starts {gap:.2f} mm away from its parent {parent.name}",
                    "start it at a point of the parent's centreline",
                )

    def parent_of(self, index: int) -> Branch:
        """The parent of a branch that has one."""
        parent = self.branches[index].parent
        assert parent is not None
        return self.branches[parent]

    def attachment(self, index: int) -> tuple[float, float]:
        """Where branch ``index`` leaves its parent: mm along the parent, and the gap to its polyline in mm."""
        return nearest_along(self.parent_of(index), self.branches[index].points_mm[0])

    @cached_property
    def attachments_mm(self) -> tuple[float, ...]:
        """For every branch, mm along its parent at which it starts; 0 for the root."""
        return (0.0, *(self.attachment(index)[0] for index in range(1, len(self.branches))))

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """For every branch the indices of its children."""
        found: list[list[int]] = [[] for _ in self.branches]
        for index, branch in enumerate(self.branches[1:], start=1):
            assert branch.parent is not None
            found[branch.parent].append(index)
        return tuple(tuple(indices) for indices in found)

    @cached_property
    def tip_branches(self) -> tuple[int, ...]:
        """Branches whose far end is an end of the tree (no child continues there)."""
        return tuple(index for index in range(len(self.branches)) if not self._continues(index))

    def _continues(self, index: int) -> bool:
        end = self.branches[index].points_mm[-1]
        return any(np.linalg.norm(self.branches[child].points_mm[0] - end) < ON_PARENT_MM for child in self.children[index])

    @property
    def tips(self) -> Floats:
        """End points (t, 3) of the tree in mm."""
        return np.array([self.branches[index].points_mm[-1] for index in self.tip_branches])

    @property
    def length_mm(self) -> float:
        """Length of all branches together."""
        return float(sum(branch.length_mm for branch in self.branches))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(branch.name for branch in self.branches)

    def index_of(self, name: str) -> int:
        """Index of the branch with this name; StructDiffError when there is none."""
        if name not in self.names:
            raise StructDiffError(f"the tree has no branch {name!r}", f"use one of {', '.join(self.names)}")
        return self.names.index(name)

    def branch(self, name: str) -> Branch:
        """The branch with this name; StructDiffError when there is none."""
        return self.branches[self.index_of(name)]

    def with_branch(self, changed: Branch) -> VesselGraph:
        """The tree with the branch of the same name replaced."""
        index = self.index_of(changed.name)
        return replace(self, branches=(*self.branches[:index], changed, *self.branches[index + 1 :]))

    def with_radii(self, radii_mm: Sequence[ArrayLike]) -> VesselGraph:
        """The tree with new radii, one array per branch."""
        return replace(self, branches=tuple(b.with_radii(r) for b, r in zip(self.branches, radii_mm, strict=True)))

    def moved(self, move: Callable[[Floats], Floats]) -> VesselGraph:
        """The tree with all points (n, 3) sent through ``move``, e.g. a warp or another patient's frame."""
        assert self.root_mm is not None
        branches = tuple(replace(branch, points_mm=move(branch.points_mm)) for branch in self.branches)
        return VesselGraph(branches, move(self.root_mm[None])[0])

    def path_to(self, name: str) -> Branch:
        """One centreline from the root through all ancestors to the end of the named branch (for curved views)."""
        index = self.index_of(name)
        points, radii = self.branches[index].points_mm, self.branches[index].radii_mm
        while self.branches[index].parent is not None:
            parent = self.parent_of(index)
            before = parent.arclength_mm < self.attachments_mm[index] - 1e-6
            points, radii = (
                np.concatenate([parent.points_mm[before], points]),
                np.concatenate([parent.radii_mm[before], radii]),
            )
            index = self.branches[index].parent or 0
        return Branch(points, radii, name)

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        assert self.root_mm is not None
        return {"root_ras_mm": self.root_mm.tolist(), "branches": [branch.as_dict() for branch in self.branches]}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> VesselGraph:
        """The inverse of ``as_dict``."""
        if not isinstance(content, Mapping) or not {"root_ras_mm", "branches"} <= set(content):
            raise StructDiffError("this is no vessel graph (no 'root_ras_mm' or 'branches')", "write it again with as_dict")
        return cls(tuple(Branch.from_dict(one) for one in content["branches"]), np.array(content["root_ras_mm"], float))


def nearest_along(branch: Branch, point_mm: ArrayLike) -> tuple[float, float]:
    """Where on a branch's polyline a point (3,) projects: mm along it, and its distance in mm."""
    start, step = branch.points_mm[:-1], np.diff(branch.points_mm, axis=0)
    length2 = np.maximum((step**2).sum(axis=1), 1e-18)
    share = np.clip(((np.asarray(point_mm, float) - start) * step).sum(axis=1) / length2, 0, 1)
    gap = np.linalg.norm(start + share[:, None] * step - point_mm, axis=1)
    best = int(gap.argmin())
    along = branch.arclength_mm
    return float(along[best] + share[best] * (along[best + 1] - along[best])), float(gap[best])
