"""Taper: radii that shrink with the crown a vessel still feeds, so that the Huo-Kassab law holds at every bifurcation.

The flow of a stretch grows with the length of all vessels behind it (its crown), and radius^(7/3) with the flow
(Huo and Kassab 2009, 2012: diameter ~ crown length^(3/7)); Murray's law is the same with exponent 3. A crown splits at a
bifurcation without loss, hence Dm^(7/3) = D1^(7/3) + D2^(7/3), and it dwindles along a branch, hence the taper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import StructDiffError

from .graph import VesselGraph

Floats = NDArray[np.float64]

HUO_KASSAB = 7 / 3
MURRAY = 3.0


@dataclass(frozen=True)
class Calibre:
    """Lumen diameter of a proximal segment over people."""

    mean_mm: float
    sd_mm: float


DIAMETERS: dict[str, dict[str, Calibre]] = {
    "LM": {"right": Calibre(4.5, 0.5), "left": Calibre(4.5, 0.5), "balanced": Calibre(4.5, 0.5)},
    "LAD": {"right": Calibre(3.7, 0.4), "left": Calibre(3.7, 0.4), "balanced": Calibre(3.7, 0.4)},
    "LCx": {"right": Calibre(3.4, 0.5), "left": Calibre(4.2, 0.6), "balanced": Calibre(3.8, 0.55)},
    "RCA": {"right": Calibre(3.9, 0.6), "left": Calibre(2.8, 0.5), "balanced": Calibre(3.4, 0.55)},
}
"""Proximal diameters in mm by dominance (Dodge 1992, angiography; balanced: the mean of both [our judgement])."""

WOMENS_SHARE = 0.91
"""Women's diameters are 9 % smaller (Dodge 1992)."""


def draw_radius(name: str, rng: np.random.Generator, dominance: str = "right", woman: bool = False) -> float:
    """Proximal radius in mm of LM, LAD, LCx or RCA, within two standard deviations of the mean."""
    if name not in DIAMETERS or dominance not in DIAMETERS[name]:
        raise StructDiffError(f"no calibre is known for {name} with {dominance} dominance", f"use one of {sorted(DIAMETERS)}")
    calibre = DIAMETERS[name][dominance]
    diameter = calibre.mean_mm + calibre.sd_mm * float(np.clip(rng.normal(), -2, 2))
    return 0.5 * diameter * (WOMENS_SHARE if woman else 1.0)


def crowns(graph: VesselGraph, beyond_tip_mm: float | Mapping[str, float] = 30.0) -> list[Floats]:
    """Length in mm of all vessels fed through each point, one array (n,) per branch.

    At the point where a child leaves, the child still counts; at a branch's last point the children that continue it count.
    ``beyond_tip_mm`` is the crown that each tip feeds beyond what the tree shows, by branch name where it is a mapping
    (missing names: 30 mm).
    """
    found: list[Floats] = [np.empty(0)] * len(graph.branches)
    for index in reversed(range(len(graph.branches))):
        branch = graph.branches[index]
        crown = branch.length_mm - branch.arclength_mm
        if index in graph.tip_branches:
            crown = crown + _beyond(branch.name, beyond_tip_mm)
        for child in graph.children[index]:
            crown = crown + found[child][0] * (branch.arclength_mm <= graph.attachments_mm[child] + 1e-3)
        found[index] = crown
    return found


def _beyond(name: str, beyond_tip_mm: float | Mapping[str, float]) -> float:
    length = beyond_tip_mm.get(name, 30.0) if isinstance(beyond_tip_mm, Mapping) else beyond_tip_mm
    if not length > 0:
        raise StructDiffError(f"the crown beyond the tip of {name} is {length} mm", "give a positive length")
    return length


def tapered(
    graph: VesselGraph,
    root_radius_mm: float,
    beyond_tip_mm: float | Mapping[str, float] = 30.0,
    minimum_mm: float = 0.0,
    exponent: float = HUO_KASSAB,
) -> VesselGraph:
    """The tree with radii from the root down: ``root_radius_mm`` at the ostium, never below ``minimum_mm``."""
    if not root_radius_mm > 0:
        raise StructDiffError(f"the radius at the root is {root_radius_mm} mm", "give a positive radius")
    lengths = crowns(graph, beyond_tip_mm)
    scale = root_radius_mm / lengths[0][0] ** (1 / exponent)
    return graph.with_radii([np.maximum(scale * crown ** (1 / exponent), minimum_mm) for crown in lengths])


def tapered_from_tips(
    graph: VesselGraph, tip_radius_mm: float, beyond_tip_mm: float = 30.0, exponent: float = HUO_KASSAB
) -> VesselGraph:
    """The tree with radii from the tips up: every tip has ``tip_radius_mm`` and feeds ``beyond_tip_mm`` more."""
    crown = crowns(graph, beyond_tip_mm)[0][0]
    return tapered(graph, tip_radius_mm * (crown / beyond_tip_mm) ** (1 / exponent), beyond_tip_mm, exponent=exponent)


@dataclass(frozen=True)
class Bifurcation:
    """One place where a tree splits, with the radii around it in mm."""

    parent: str
    at_mm: float
    """Distance along the parent."""
    before_mm: float
    after_mm: tuple[float, ...]
    """The continuing parent's radius (where it continues) and those of all children that start here."""

    def excess(self, exponent: float = HUO_KASSAB) -> float:
        """How much more (> 0) or less the daughters carry than the mother, as a share: 0 where the law holds."""
        return float(sum(radius**exponent for radius in self.after_mm) / self.before_mm**exponent - 1)


def bifurcations(graph: VesselGraph) -> list[Bifurcation]:
    """All splits of the tree; the parent's radius is taken at the split's point, the continuing one's at the next point."""
    found = []
    for index, branch in enumerate(graph.branches):
        places: dict[int, list[int]] = {}
        for child in graph.children[index]:
            at = int(np.abs(branch.arclength_mm - graph.attachments_mm[child]).argmin())
            places.setdefault(at, []).append(child)
        for at, children in sorted(places.items()):
            onward = (float(branch.radii_mm[at + 1]),) if at + 1 < len(branch.radii_mm) else ()
            after = onward + tuple(float(graph.branches[child].radii_mm[0]) for child in children)
            if len(after) > 1:
                found.append(Bifurcation(branch.name, float(branch.arclength_mm[at]), float(branch.radii_mm[at]), after))
    return found
