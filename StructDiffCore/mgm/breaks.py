"""Breaks: faults put into a good mask on purpose. Each declares what it changes, so that bad masks come labelled.

They train and test quality checks: a gap in a vessel, a false bridge (between two trees, or two branches of one), a leak that
bulges out of a vessel, a speck beside it. All are laid into the finished voxels, in the frame of the new mask.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from scipy.spatial import cKDTree

from StructDiffCore.domain import Geometry, StructDiffError
from StructDiffCore.topology.betti import Betti
from StructDiffCore.topology.findings import FindingKind
from StructDiffCore.topology.growth import grow
from StructDiffCore.topology.homotopy import Rules
from StructDiffCore.vessels.branch import Branch
from StructDiffCore.vessels.graph import VesselGraph

from .contract import Contract, Roles
from .edit import refuse_outside, tree_of
from .edit_kinds import from_dict
from .passage import passage
from .tree_surgery import below

Labels = NDArray[np.uint8]
Floats = NDArray[np.float64]
_TOUCH = np.ones((3, 3, 3), bool)
LEAK_RANK = 200


@dataclass(frozen=True, eq=False)
class Ground:
    """The finished mask that a break is laid into."""

    voxels: Labels
    """(i, j, k), changed in place."""
    geometry: Geometry
    roles: Roles
    trees: Mapping[int, VesselGraph]

    def ball(self, centre_mm: Floats, radius_mm: float) -> tuple[tuple[slice, slice, slice], NDArray[np.bool_]]:
        """A box of the grid and the voxels of a ball in it."""
        reach = np.ceil(radius_mm / np.asarray(self.geometry.spacing)).astype(int) + 2
        middle = np.rint(self.geometry.to_index(centre_mm)).astype(int)
        low, high = np.maximum(middle - reach, 0), np.minimum(middle + reach + 1, self.geometry.shape)
        if np.any(high - low < 1):
            raise StructDiffError("the break lies outside the mask's grid", "choose another place")
        i, j, k = (slice(int(a), int(b)) for a, b in zip(low, high))
        index = np.stack(np.meshgrid(*[np.arange(a, b) for a, b in zip(low, high)], indexing="ij"), axis=-1)
        away = np.linalg.norm(self.geometry.to_world(index.reshape(-1, 3)) - centre_mm, axis=1)
        return (i, j, k), (away <= radius_mm).reshape(index.shape[:3])


class Break(ABC):
    """One declared fault."""

    kind: ClassVar[str] = ""
    found_as: ClassVar[tuple[FindingKind, ...]] = ()
    """The topology finding, any of these, that has to point at it."""

    @abstractmethod
    def lay(self, ground: Ground) -> None:
        """Change the voxels; StructDiffError where there is no room."""

    @abstractmethod
    def place(self, ground: Ground) -> tuple[Floats, float]:
        """Centre (3,) in mm and radius in mm of a ball that holds every voxel that the break may change."""

    def heard_at(self, ground: Ground) -> tuple[Floats, float]:
        """The ball in which findings about the break may lie."""
        return self.place(ground)

    @abstractmethod
    def change(self, group: tuple[int, ...]) -> tuple[int, int, int]:
        """How the Betti numbers of a label or group change."""

    def contacts(self) -> tuple[int, int] | None:
        """The two trees that touch once although they must not; None: contacts stay."""
        return None

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}  # type: ignore[call-overload]


@dataclass(frozen=True)
class Gap(Break):
    """A stretch of a branch is missing; what lies beyond is a piece of its own."""

    kind: ClassVar[str] = "gap"
    found_as: ClassVar[tuple[FindingKind, ...]] = ("gap", "fragment")
    tree: int
    branch: str
    centre_mm: float
    """Along the branch."""
    length_mm: float = 4.0

    def __post_init__(self) -> None:
        refuse_outside("gap length in mm", self.length_mm, 0.5, 15.0)

    def lay(self, ground: Ground) -> None:
        owner, along, index = _nearest_stretch(ground, self.tree)
        number = tree_of(ground.trees, self.tree, self.kind).index_of(self.branch)
        gone = index[(owner == number) & (np.abs(along - self.centre_mm) <= 0.5 * self.length_mm)]
        if len(gone) == 0:
            raise StructDiffError(
                f"{self.branch} has no lumen {self.centre_mm:g} mm along it", "choose another place for the gap"
            )
        ground.voxels[tuple(gone.T)] = 0

    def place(self, ground: Ground) -> tuple[Floats, float]:
        branch = _branch(ground, self.tree, self.branch, self.kind)
        return branch.point_at(self.centre_mm), self.length_mm + 3 * float(branch.radii_mm.max()) + 2.0

    def heard_at(self, ground: Ground) -> tuple[Floats, float]:
        """Around the gap and all that it cuts off."""
        tree = ground.trees[self.tree]
        index = tree.index_of(self.branch)
        own = tree.branches[index]
        later = [child for child in tree.children[index] if tree.attachments_mm[child] > self.centre_mm]
        cut_off = [tree.branches[n].points_mm for child in later for n in below(tree, child)]
        points = np.concatenate([own.points_mm[own.arclength_mm >= self.centre_mm], *cut_off])
        centre, radius = self.place(ground)
        return centre, max(radius, 2.0 + float(np.linalg.norm(points - centre, axis=1).max()))

    def change(self, group: tuple[int, ...]) -> tuple[int, int, int]:
        return (1, 0, 0) if self.tree in group else (0, 0, 0)


@dataclass(frozen=True)
class FalseBridge(Break):
    """A thin bridge through the surroundings: two trees touch, or, within one tree, a loop."""

    kind: ClassVar[str] = "false_bridge"
    found_as: ClassVar[tuple[FindingKind, ...]] = ("crossing trees", "loop")
    tree: int
    branch: str
    at_mm: float
    other_tree: int
    other_branch: str
    other_at_mm: float
    radius_mm: float = 0.6

    def __post_init__(self) -> None:
        refuse_outside("bridge radius in mm", self.radius_mm, 0.1, 2.0)

    def lay(self, ground: Ground) -> None:
        way = passage(ground.voxels, ground.geometry, *self._ends(ground), self._shunned(ground))
        open_ground = (ground.voxels == 0) & _at(ground.voxels.shape, way)
        thick = np.zeros(ground.voxels.shape, bool)
        for voxel in way:
            box, ball = ground.ball(ground.geometry.to_world(voxel), self.radius_mm)
            thick[box] |= ball
        thick &= (ground.voxels == 0) & ~binary_dilation(np.isin(ground.voxels, self._shunned(ground)), _TOUCH)
        ground.voxels[open_ground | thick] = self.tree

    def _ends(self, ground: Ground) -> tuple[Floats, Floats]:
        first = _branch(ground, self.tree, self.branch, self.kind).point_at(self.at_mm)
        return first, _branch(ground, self.other_tree, self.other_branch, self.kind).point_at(self.other_at_mm)

    def _shunned(self, ground: Ground) -> tuple[int, ...]:
        """What the bridge must not touch on its way: all vessels and their trunks."""
        return (*ground.roles.vessels, *sorted(set(ground.roles.trunk_of.values())))

    def place(self, ground: Ground) -> tuple[Floats, float]:
        first, last = self._ends(ground)
        return 0.5 * (first + last), 1.2 * float(np.linalg.norm(last - first)) + 6.0

    def change(self, group: tuple[int, ...]) -> tuple[int, int, int]:
        return (0, 1, 0) if {self.tree, self.other_tree} <= set(group) else (0, 0, 0)

    def contacts(self) -> tuple[int, int] | None:
        one, other = sorted((self.tree, self.other_tree))
        return None if one == other else (one, other)


@dataclass(frozen=True)
class Leak(Break):
    """The vessel bulges into its surroundings; the topology stays (it grows by simple points), the shape is wrong."""

    kind: ClassVar[str] = "leak"
    found_as: ClassVar[tuple[FindingKind, ...]] = ("leak blob",)
    tree: int
    branch: str
    at_mm: float
    radius_mm: float = 4.0

    def __post_init__(self) -> None:
        refuse_outside("leak radius in mm", self.radius_mm, 1.0, 15.0)

    def lay(self, ground: Ground) -> None:
        centre, _ = self.place(ground)
        box, ball = ground.ball(centre, self.radius_mm)
        part = np.pad(ground.voxels[box], 2)
        trunks = tuple(set(ground.roles.trunk_of.values()))
        kept = np.isin(part, (*ground.roles.vessels, *trunks))
        wanted = np.where(np.pad(ball, 2) & ~kept, np.uint8(self.tree), np.uint8(0))
        rank = np.full(part.shape, LEAK_RANK, np.uint8)
        grow(part, wanted, rank, Rules.of(ground.roles.groups, ground.roles.apart), {})
        ground.voxels[box] = part[2:-2, 2:-2, 2:-2]

    def place(self, ground: Ground) -> tuple[Floats, float]:
        return _branch(ground, self.tree, self.branch, self.kind).point_at(self.at_mm), self.radius_mm + 1.0

    def change(self, group: tuple[int, ...]) -> tuple[int, int, int]:
        return (0, 0, 0)


@dataclass(frozen=True)
class Speck(Break):
    """A loose grain of the vessel's label in the background."""

    kind: ClassVar[str] = "speck"
    found_as: ClassVar[tuple[FindingKind, ...]] = ("fragment", "gap")
    tree: int
    centre_ras_mm: tuple[float, float, float]
    radius_mm: float = 0.8

    def __post_init__(self) -> None:
        refuse_outside("speck radius in mm", self.radius_mm, 0.05, 6.0)
        if len(self.centre_ras_mm) != 3:
            raise StructDiffError(f"a speck at {self.centre_ras_mm!r} cannot be", "give three RAS coordinates in mm")
        object.__setattr__(self, "centre_ras_mm", tuple(float(x) for x in self.centre_ras_mm))

    def lay(self, ground: Ground) -> None:
        tree_of(ground.trees, self.tree, self.kind)
        box, ball = ground.ball(np.asarray(self.centre_ras_mm), self.radius_mm)
        middle = np.rint(ground.geometry.to_index(np.asarray(self.centre_ras_mm))).astype(int) - [side.start for side in box]
        ball[tuple(middle)] = True
        if (ground.voxels[box][binary_dilation(ball, _TOUCH)] != 0).any():
            raise StructDiffError("the speck would touch a structure", "choose another place for it")
        ground.voxels[box][ball] = self.tree

    def place(self, ground: Ground) -> tuple[Floats, float]:
        return np.asarray(self.centre_ras_mm), self.radius_mm + 2 * max(ground.geometry.spacing)

    def change(self, group: tuple[int, ...]) -> tuple[int, int, int]:
        return (1, 0, 0) if self.tree in group else (0, 0, 0)


BREAKS: dict[str, type[Break]] = {cls.kind: cls for cls in (FalseBridge, Gap, Leak, Speck)}


def break_from_dict(content: Any) -> Break:
    """The inverse of ``Break.as_dict``; refuses what it does not know in one line."""
    made: Break = from_dict(content, BREAKS, "break")
    return made


def broken_contract(contract: Contract, breaks: tuple[Break, ...]) -> Contract:
    """What a contract becomes through its declared breaks."""

    def after(group: tuple[int, ...], betti: Betti) -> Betti:
        more = np.sum([one.change(group) for one in breaks], axis=0)
        return Betti(betti.b0 + int(more[0]), betti.b1 + int(more[1]), betti.b2 + int(more[2]))

    labels = {value: after((value,), betti) for value, betti in contract.labels.items()}
    return Contract(labels, {group: after(group, betti) for group, betti in contract.groups.items()})


def _branch(ground: Ground, tree: int, name: str, kind: str) -> Branch:
    return tree_of(ground.trees, tree, kind).branch(name)


def _nearest_stretch(ground: Ground, value: int) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
    """For every voxel (n, 3) of a vessel: the number of the nearest branch and mm along it."""
    fine = [branch.refined(0.25) for branch in tree_of(ground.trees, value, "gap").branches]
    tree = cKDTree(np.concatenate([branch.points_mm for branch in fine]))
    owner = np.repeat(np.arange(len(fine)), [len(branch.points_mm) for branch in fine])
    index = np.argwhere(ground.voxels == value)
    nearest = tree.query(ground.geometry.to_world(index))[1]
    return owner[nearest], np.concatenate([branch.arclength_mm for branch in fine])[nearest], index


def _at(shape: tuple[int, ...], voxels: NDArray[np.int64]) -> NDArray[np.bool_]:
    found = np.zeros(shape, bool)
    found[tuple(voxels.T)] = True
    return found
