"""Diversity: how far new masks lie from each other, from their references and from the digital hearts, in numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from StructDiffCore.measures.overlap import dice
from StructDiffCore.vessels.graph import VesselGraph
from StructDiffCore.vessels.polyline import tangents

from .portrait import Portrait, overlaps_in_own_frame

MOST_PAIRS = 60
"""Of more pairs, evenly chosen ones are compared."""
LEAVING_MM = 5.0
"""A branch's angle is taken over its first stretch of this length."""
DIGITAL_HEARTS = Path(__file__).with_name("digital_hearts.json")


def diversity(references: Sequence[Portrait], made: Sequence[Portrait], displacements_mm: Sequence[float]) -> dict[str, Any]:
    """Volumes, radii, lengths, angles and pairwise overlaps of the new masks beside the references' and the digital hearts'."""
    return {
        "references": measured(references),
        "digital hearts": digital_hearts(),
        "new": measured(made),
        "displacement_mm": _spread(displacements_mm),
    }


def digital_hearts() -> dict[str, Any]:
    """The same numbers of twenty digital hearts, as ``Testing/Benchmarks/bench_masks.py`` wrote them."""
    found: dict[str, Any] = json.loads(DIGITAL_HEARTS.read_text(encoding="utf-8"))
    return found


def measured(hearts: Sequence[Portrait]) -> dict[str, Any]:
    """Distributions over masks; None where there is nothing to measure."""
    trees = [lumen.tree for heart in hearts for lumen in heart.lumens.values()]
    branches = [branch for tree in trees for branch in tree.branches]
    names = sorted({name for heart in hearts for name in heart.volumes_ml})
    return {
        "count": len(hearts),
        "volume_ml": {name: _spread([h.volumes_ml[name] for h in hearts if name in h.volumes_ml]) for name in names},
        "branches": _spread([sum(len(lumen.tree.branches) for lumen in heart.lumens.values()) for heart in hearts]),
        "branch_length_mm": _spread([branch.length_mm for branch in branches]),
        "branch_radius_mm": _spread([float(branch.radii_mm.mean()) for branch in branches]),
        "branch_angle_deg": _spread([angle for tree in trees for angle in angles(tree)]),
        **_pairwise(hearts),
    }


def angles(tree: VesselGraph) -> list[float]:
    """Angle in degrees between every child and its parent at the take-off."""
    found = []
    for index, branch in enumerate(tree.branches):
        if branch.parent is None:
            continue
        parent = tree.parent_of(index)
        at = int(np.abs(parent.arclength_mm - tree.attachments_mm[index]).argmin())
        away = branch.point_at(min(LEAVING_MM, branch.length_mm)) - branch.points_mm[0]
        cosine = float(tangents(parent.points_mm)[at] @ away / max(float(np.linalg.norm(away)), 1e-9))
        found.append(float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))))
    return found


def _pairwise(hearts: Sequence[Portrait]) -> dict[str, Any]:
    """Overlaps of pairs: organs in place (where the grids agree), vessels in their own frame."""
    organs, vessels, centrelines = [], [], []
    pairs = list(combinations(hearts, 2))
    for one, other in pairs[:: -(-len(pairs) // MOST_PAIRS) or 1]:
        if one.geometry.same_as(other.geometry):
            shared = set(np.unique(one.thinned)) & set(np.unique(other.thinned)) - {0} - set(one.lumens)
            organs += [dice(one.thinned == value, other.thinned == value) for value in shared - {0}]
        for value in set(one.lumens) & set(other.lumens):
            overlap, along = overlaps_in_own_frame(one.lumens[value], other.lumens[value])
            vessels.append(overlap)
            centrelines.append(along)
    return {"organ_dice": _spread(organs), "vessel_dice": _spread(vessels), "vessel_cldice": _spread(centrelines)}


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    numbers = np.asarray(values, float)
    names = ("low", "p25", "median", "p75", "high")
    found = {name: round(float(v), 4) for name, v in zip(names, np.percentile(numbers, (0, 25, 50, 75, 100)))}
    return {**found, "mean": round(float(numbers.mean()), 4)}
