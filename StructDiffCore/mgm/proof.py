"""Proof: what was checked before a mask may leave, with the numbers, so that anybody can check again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry, LabelScheme
from StructDiffCore.topology.depth import depth_mm
from StructDiffCore.topology.report import contact_patches
from StructDiffCore.vessels.branch import Branch
from StructDiffCore.vessels.graph import VesselGraph

from .anatomy import anatomy
from .contract import Contract, Roles
from .lumens import LumenWish
from .ranges import measure_range, volume_range

Labels = NDArray[np.uint8]
COVERAGE = 0.97
LENGTH = 0.95
THINNEST_VOXELS = 0.5
LEAST_JACOBIAN = 0.2
TIP_MM = 2.0
"""The last stretch of a branch is left out where its thinnest place is asked for."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    holds: bool
    found: Any
    wanted: str

    def line(self) -> str:
        return f"{self.name}: {self.found}, wanted {self.wanted}"


@dataclass(frozen=True)
class Proof:
    """All checks of one mask."""

    checks: tuple[Check, ...]

    @property
    def holds(self) -> bool:
        return all(check.holds for check in self.checks)

    @property
    def broken(self) -> tuple[str, ...]:
        """What failed, in words."""
        return tuple(check.line() for check in self.checks if not check.holds)

    def as_dict(self) -> dict[str, Any]:
        return {
            "holds": self.holds,
            "checks": [
                {"name": check.name, "holds": check.holds, "found": check.found, "wanted": check.wanted} for check in self.checks
            ],
        }


@dataclass(frozen=True, eq=False)
class Claim:
    """A mask and everything that is claimed about it."""

    voxels: Labels
    geometry: Geometry
    scheme: LabelScheme
    roles: Roles
    contract: Contract
    trees: Mapping[int, VesselGraph]
    wishes: Mapping[int, LumenWish]
    volumes_ml: Mapping[int, float]
    """The reference's."""
    least_jacobian: float
    ends: Mapping[int, int]
    """Ends that every tree has to have: the reference's and what the edits declared."""
    measures: Mapping[str, float]
    """The reference's anatomy."""


def prove(claim: Claim) -> Proof:
    """Check the contract, every vessel's completeness, contacts, volumes, anatomy and the warp."""
    checks = [*_contract(claim), _jacobian(claim), *_ends(claim)]
    for value, graph in claim.trees.items():
        checks += _vessel(claim, value, graph)
    checks += _volumes(claim)
    checks += _anatomy(claim)
    return Proof(tuple(checks))


def _contract(claim: Claim) -> list[Check]:
    found = Contract.measured(claim.voxels, claim.roles)
    breaches = claim.contract.breaches(found, claim.scheme)
    return [Check("topology of labels and groups", not breaches, breaches or found.as_dict(claim.scheme), "as the contract says")]


def _jacobian(claim: Claim) -> Check:
    least = round(claim.least_jacobian, 3)
    return Check("least Jacobian determinant of the warp", least >= LEAST_JACOBIAN, least, f">= {LEAST_JACOBIAN}")


def _ends(claim: Claim) -> Iterator[Check]:
    for value, graph in claim.trees.items():
        found, wanted = len(graph.tip_branches), claim.ends[value]
        yield Check(f"{claim.scheme[value].name}: ends of its tree", found == wanted, found, f"{wanted}, as the edits declare")


def _vessel(claim: Claim, value: int, graph: VesselGraph) -> list[Check]:
    name, wish = claim.scheme[value].name, claim.wishes[value]
    lumen = claim.voxels[wish.box] == value
    trunk = claim.roles.trunk_of.get(value)
    held = lumen if trunk is None else lumen | (claim.voxels[wish.box] == trunk)
    around = claim.geometry.cropped(wish.start, lumen.shape)
    branches = [_branch_found(branch, held, around) for branch in graph.branches]
    covered = sum(b.covered * b.points for b in branches) / max(1, sum(b.points for b in branches))
    short = [b.name for b in branches if b.length_share < LENGTH]
    tips = [graph.branches[n].name for n in graph.tip_branches if not branches[n].tip_reached]
    thin = {b.name: round(b.thinnest_voxels, 2) for b in branches if b.thinnest_voxels < THINNEST_VOXELS}
    checks = [
        Check(f"{name}: centreline covered", covered >= COVERAGE, round(covered, 4), f">= {COVERAGE}"),
        Check(f"{name}: branches shorter than drawn", not short, short, f"none below {LENGTH:.0%}"),
        Check(f"{name}: tips not reached", not tips, tips, "none"),
        Check(f"{name}: branches too thin (voxels)", not thin, thin, f">= {THINNEST_VOXELS} voxel before the tip"),
    ]
    if trunk is not None:
        patches = _contacts(claim.voxels, value, trunk, wish)
        checks.append(Check(f"{name}: contacts with {claim.scheme[trunk].name}", patches == 1, patches, "1"))
    for other in claim.roles.vessels:
        if other > value:
            patches = _contacts(claim.voxels, value, other, wish)
            checks.append(Check(f"{name}: contacts with {claim.scheme[other].name}", patches == 0, patches, "0"))
    return checks


@dataclass(frozen=True)
class _BranchFound:
    name: str
    points: int
    covered: float
    length_share: float
    tip_reached: bool
    thinnest_voxels: float


def _branch_found(branch: Branch, held: NDArray[np.bool_], around: Geometry) -> _BranchFound:
    """How much of a branch's centreline lies in the lumen (or its trunk)."""
    fine = branch.refined(0.25)
    index = np.rint(around.to_index(fine.points_mm)).astype(int)
    index = np.clip(index, 0, np.array(held.shape) - 1)
    inside = held[tuple(index.T)]
    along = fine.arclength_mm
    reached = float(along[inside][-1]) if inside.any() else 0.0
    body = inside & (along < branch.length_mm - TIP_MM)
    step = float(np.cbrt(np.prod(around.spacing)))
    spine = np.unique(index[body], axis=0)
    thinnest = float(depth_mm(held.view(np.uint8), spine, around.spacing).min()) / step if len(spine) else np.inf
    share = reached / max(branch.length_mm, 1e-9)
    tip = reached >= branch.length_mm - 1.5 * max(around.spacing)
    return _BranchFound(branch.name, len(along), float(inside.mean()), share, tip, thinnest)


def _contacts(voxels: Labels, value: int, other: int, wish: LumenWish) -> int:
    box = tuple(slice(max(0, side.start - 1), side.stop + 1) for side in wish.box)
    part = voxels[box]
    return contact_patches(part == value, part == other) if (part == other).any() else 0


def _volumes(claim: Claim) -> list[Check]:
    voxel_ml = claim.geometry.voxel_volume_mm3 / 1000
    checks = []
    for value, reference_ml in claim.volumes_ml.items():
        wanted = volume_range(claim.scheme[value].name, reference_ml)
        found = float(np.count_nonzero(claim.voxels == value)) * voxel_ml
        checks.append(
            Check(
                f"{claim.scheme[value].name}: volume in ml",
                wanted.low <= found <= wanted.high,
                round(found, 3),
                f"{wanted.low:.2f} to {wanted.high:.2f}",
            )
        )
    return checks


def _anatomy(claim: Claim) -> Iterator[Check]:
    """Every measure within the human range, or as near to it as the reference is."""
    for name, found in anatomy(claim.voxels, claim.geometry, claim.scheme, claim.roles, claim.trees).items():
        wanted = measure_range(name, claim.measures.get(name))
        if wanted is not None:
            yield Check(name, wanted.low <= found <= wanted.high, round(found, 3), f"{wanted.low:.2f} to {wanted.high:.2f}")
