"""Faults: chance decides which break a mask gets, and where there is room for it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import StructDiffError
from StructDiffCore.vessels.branch import Branch
from StructDiffCore.vessels.graph import VesselGraph

from .breaks import Break, FalseBridge, Gap, Ground, Leak, Speck

Floats = NDArray[np.float64]
LONG_MM = 20.0
"""Only longer branches are broken or leak."""
CLEAR_MM = 2.0
"""No side branch leaves this near to a gap."""
BRIDGE_MM = (3.0, 25.0)
FROM_OSTIUM_MM = 15.0
TRIES = 20


def draw_break(ground: Ground, rng: np.random.Generator) -> Break:
    """A gap, a false bridge, a leak or a speck somewhere in the mask; StructDiffError where it has no room for any."""
    kinds = [_gap, _bridge, _leak, _speck]
    for number in rng.permutation(len(kinds)):
        found = kinds[int(number)](ground, rng)
        if found is not None:
            return found
    raise StructDiffError("the mask has no vessel that a break could be laid into", "give a mask with vessels of 20 mm and more")


def _gap(ground: Ground, rng: np.random.Generator) -> Break | None:
    for _ in range(TRIES):
        chosen = _long_branch(ground.trees, rng)
        if chosen is None:
            return None
        value, index = chosen
        tree = ground.trees[value]
        branch, length = tree.branches[index], round(float(rng.uniform(3.0, 6.0)), 2)
        centre = round(float(rng.uniform(0.3, 0.6) * branch.length_mm), 2)
        leaving = np.array([tree.attachments_mm[child] for child in tree.children[index]])
        if not (np.abs(leaving - centre) < 0.5 * length + CLEAR_MM).any():
            return Gap(value, branch.name, centre, length)
    return None


def _leak(ground: Ground, rng: np.random.Generator) -> Break | None:
    chosen = _long_branch(ground.trees, rng)
    if chosen is None:
        return None
    branch = ground.trees[chosen[0]].branches[chosen[1]]
    at = round(float(rng.uniform(0.3, 0.65) * branch.length_mm), 2)
    radius = float(rng.uniform(1.0, 1.3)) * (3.2 * float(np.median(branch.radii_mm)) + 1.5)
    return Leak(chosen[0], branch.name, at, round(radius, 2))


def _speck(ground: Ground, rng: np.random.Generator) -> Break | None:
    value = int(rng.choice(list(ground.trees))) if ground.trees else None
    if value is None:
        return None
    points = np.concatenate([branch.points_mm for branch in ground.trees[value].branches])
    for _ in range(TRIES):
        way = rng.normal(size=3)
        place = points[int(rng.integers(len(points)))] + rng.uniform(4.0, 12.0) * way / np.linalg.norm(way)
        radius = round(float(rng.uniform(0.6, 1.6)), 2)
        x, y, z = (round(float(n), 2) for n in place)
        box, ball = ground.ball(np.array([x, y, z]), radius + 2 * max(ground.geometry.spacing))
        if ball.any() and not (ground.voxels[box][ball] != 0).any():
            return Speck(value, (x, y, z), radius)
    return None


def _bridge(ground: Ground, rng: np.random.Generator) -> Break | None:
    """Between two trees, or two branches of one that are neither parent and child nor siblings at one place."""
    pairs = _bridgeable(ground.trees)
    if not pairs:
        return None
    (tree, branch, at), (other, other_branch, other_at) = pairs[int(rng.integers(len(pairs)))]
    return FalseBridge(tree, branch, at, other, other_branch, other_at)


Spot = tuple[int, str, float]


def _bridgeable(trees: Mapping[int, VesselGraph]) -> list[tuple[Spot, Spot]]:
    """Nearest spots of all pairs of branches that a bridge can join."""
    spots = [(value, tree, index) for value, tree in trees.items() for index in range(len(tree.branches))]
    found: list[tuple[Spot, Spot]] = []
    for n, (one, tree, a) in enumerate(spots):
        for other, other_tree, b in spots[n + 1 :]:
            if one == other and (b in tree.children[a] or a in tree.children[b]):
                continue
            joined = _nearest_spots(_far_part(tree, a), _far_part(other_tree, b))
            if joined is not None:
                found.append(((one, tree.branches[a].name, joined[0]), (other, other_tree.branches[b].name, joined[1])))
    return found


def _far_part(tree: VesselGraph, index: int) -> tuple[Floats, Floats]:
    """Points (n, 3) of a branch away from the ostium and from its ends, and mm along it (n,)."""
    branch: Branch = tree.branches[index].resampled(1.0)
    away = np.linalg.norm(branch.points_mm - tree.branches[0].points_mm[0], axis=1) > FROM_OSTIUM_MM
    inner = (branch.arclength_mm > 6.0) & (branch.arclength_mm < branch.length_mm - 3.0)
    return branch.points_mm[away & inner], branch.arclength_mm[away & inner]


def _nearest_spots(one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> tuple[float, float] | None:
    if not len(one[0]) or not len(other[0]):
        return None
    gap = np.linalg.norm(one[0][:, None] - other[0][None], axis=2)
    a, b = np.unravel_index(gap.argmin(), gap.shape)
    return (round(float(one[1][a]), 2), round(float(other[1][b]), 2)) if BRIDGE_MM[0] <= gap[a, b] <= BRIDGE_MM[1] else None


def _long_branch(trees: Mapping[int, VesselGraph], rng: np.random.Generator) -> tuple[int, int] | None:
    long = [(value, n) for value, tree in trees.items() for n, b in enumerate(tree.branches) if b.length_mm > LONG_MM]
    return long[int(rng.integers(len(long)))] if long else None
