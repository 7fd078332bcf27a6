"""Declared: the proof that a mask was broken exactly as its breaks say, and nowhere else."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import LabelMap
from StructDiffCore.topology.findings import Finding
from StructDiffCore.topology.report import contact_patches, topology_report

from .breaks import Break, Ground, broken_contract
from .contract import Contract
from .proof import Check, Proof


def broken_mask(clean: LabelMap, ground: Ground, contract: Contract, breaks: tuple[Break, ...]) -> tuple[LabelMap, Proof]:
    """The mask with all breaks laid into ``ground`` (which holds a copy of it), and the proof that they are what they declare."""
    for one in breaks:
        one.lay(ground)
    mask = LabelMap(ground.voxels, clean.geometry, clean.scheme)
    return mask, Proof(
        (_as_declared(mask, ground, contract, breaks), _contacts(mask, ground, breaks), *_places(clean, mask, ground, breaks))
    )


def _as_declared(mask: LabelMap, ground: Ground, contract: Contract, breaks: tuple[Break, ...]) -> Check:
    found = Contract.measured(mask.voxels, ground.roles)
    breaches = broken_contract(contract, breaks).breaches(found, mask.scheme)
    return Check(
        "topology after the declared breaks", not breaches, breaches or found.as_dict(mask.scheme), "as the breaks declare"
    )


def _contacts(mask: LabelMap, ground: Ground, breaks: tuple[Break, ...]) -> Check:
    """Trees touch where a bridge joins them, and nowhere else."""
    joined = [one.contacts() for one in breaks]
    pairs = list(combinations(sorted(ground.roles.vessels), 2))
    wanted = {pair: joined.count(pair) for pair in pairs}
    found = {pair: contact_patches(mask.voxels == pair[0], mask.voxels == pair[1]) for pair in pairs}
    told = {f"{mask.scheme[a].name} - {mask.scheme[b].name}": n for (a, b), n in found.items()}
    return Check("contacts between trees after the breaks", found == wanted, told, str(list(wanted.values())))


def _places(clean: LabelMap, mask: LabelMap, ground: Ground, breaks: tuple[Break, ...]) -> list[Check]:
    """Only voxels at the breaks changed; topology finds every break, and no error anywhere else."""
    places = [one.place(ground) for one in breaks]
    changed = clean.geometry.to_world(np.argwhere(clean.voxels != mask.voxels))
    stray = int((~_at_any(changed, places)).sum())
    checks = [Check("voxels changed away from the breaks", stray == 0 and len(changed) > 0, stray, "0")]
    before = {_key(finding) for finding in topology_report(clean).findings}
    fresh = [finding for finding in topology_report(mask).findings if _key(finding) not in before]
    heard = [one.heard_at(ground) for one in breaks]
    for one, place in zip(breaks, heard):
        told = [
            f.message
            for f in fresh
            if f.kind in one.found_as and f.position_mm is not None and _at_any(f.position_mm[None], [place])
        ]
        checks.append(Check(f"{one.kind}: found by the topology engine", bool(told), told[:3], " or ".join(one.found_as)))
    errors = [f for f in fresh if f.severity == "error" and f.position_mm is not None]
    elsewhere = [f.message for f in errors if not _lies_at(f, heard)]
    return [*checks, Check("errors found away from the breaks", not elsewhere, elsewhere[:3], "none")]


def _lies_at(finding: Finding, places: list[tuple[NDArray[np.float64], float]]) -> bool:
    return finding.position_mm is not None and bool(_at_any(finding.position_mm[None], places)[0])


def _at_any(points: NDArray[np.float64], places: list[tuple[NDArray[np.float64], float]]) -> NDArray[np.bool_]:
    inside = [np.linalg.norm(points - centre, axis=1) <= radius for centre, radius in places]
    return np.any(inside, axis=0) if inside else np.zeros(len(points), bool)


def _key(finding: Finding) -> tuple[str, int, str]:
    return finding.kind, finding.label, finding.message
