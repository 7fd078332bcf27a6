"""Coronary disease: stenoses and plaques drawn for one heart.

Most lesions sit in the proximal and middle thirds of the large vessels; about half of the plaques hold calcium [our judgement].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from StructDiffCore.vessels.graph import VesselGraph
from StructDiffCore.vessels.lesions import Plaque, Stenosis

SITES: dict[str, tuple[str, ...]] = {"left": ("LAD", "LAD", "LCx", "LM", "D1", "OM1"), "right": ("RCA", "RCA", "PDA")}
"""Branches that fall ill, the frequent ones twice."""


@dataclass(frozen=True, eq=False)
class Disease:
    """The trees after their stenoses, and the plaques by side."""

    trees: dict[str, VesselGraph]
    stenoses: dict[str, tuple[Stenosis, ...]]
    plaques: dict[str, tuple[Plaque, ...]]


def no_disease(trees: Mapping[str, VesselGraph]) -> Disease:
    """The healthy trees."""
    return Disease(dict(trees), dict.fromkeys(trees, ()), dict.fromkeys(trees, ()))


def draw_disease(
    trees: Mapping[str, VesselGraph], minimum_radius_mm: float, rng: np.random.Generator, heavy_calcium: bool = False
) -> Disease:
    """Stenoses (at most as deep as ``minimum_radius_mm`` leaves them) with their plaques, and plaques that do not narrow."""
    changed = dict(trees)
    stenoses: dict[str, tuple[Stenosis, ...]] = dict.fromkeys(trees, ())
    plaques: dict[str, tuple[Plaque, ...]] = dict.fromkeys(trees, ())
    for _ in range(int(rng.integers(1, 4))):
        side = str(rng.choice(["left", "right"], p=[0.65, 0.35]))
        stenosis = _draw_stenosis(changed[side], side, minimum_radius_mm, rng)
        if stenosis is None:
            continue
        plaques[side] += (stenosis.plaque(changed[side], "calcified" if rng.uniform() < 0.5 else "soft"),)
        changed[side] = stenosis.apply(changed[side])
        stenoses[side] += (stenosis,)
    for _ in range(int(rng.integers(10, 18)) if heavy_calcium else int(rng.integers(0, 4))):
        side = str(rng.choice(["left", "right"], p=[0.65, 0.35]))
        plaque = _draw_plaque(changed[side], side, heavy_calcium, rng)
        plaques[side] += (plaque,) if plaque is not None else ()
    return Disease(changed, stenoses, plaques)


def _draw_stenosis(tree: VesselGraph, side: str, minimum_radius_mm: float, rng: np.random.Generator) -> Stenosis | None:
    name, at, length, percent = (
        str(rng.choice(SITES[side])),
        rng.uniform(0.1, 0.6),
        rng.uniform(4.0, 16.0),
        rng.uniform(25.0, 75.0),
    )
    if name not in tree.names:
        return None
    branch = tree.branch(name)
    centre = at * branch.length_mm
    bearable = 100.0 * (1.0 - minimum_radius_mm / float(branch.radius_at(centre + 0.5 * length)))
    percent = min(percent, bearable)
    return Stenosis(name, centre, length, percent) if percent >= 15.0 else None


def _draw_plaque(tree: VesselGraph, side: str, heavy: bool, rng: np.random.Generator) -> Plaque | None:
    name, at, angle, arc = str(rng.choice(SITES[side])), rng.uniform(0.03, 0.7), rng.uniform(0.0, 360.0), rng.uniform(90.0, 240.0)
    length, thickness = (
        (rng.uniform(5.0, 18.0), rng.uniform(1.2, 2.4)) if heavy else (rng.uniform(2.5, 10.0), rng.uniform(0.7, 1.6))
    )
    calcified = heavy or rng.uniform() < 0.5
    if name not in tree.names:
        return None
    return Plaque(name, at * tree.branch(name).length_mm, length, angle, arc, thickness, "calcified" if calcified else "soft")
