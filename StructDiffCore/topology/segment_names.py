"""Segment names (SCCT): where root, bifurcation and grooves decide them; everything else stays "unnamed"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from StructDiffCore.domain import LabelMap

from .centreline_graph import CentrelineGraph
from .contacts import border_voxels
from .structures import Structures

MAJOR_MM = 25.0
"""A daughter whose subtree is this long may be LAD or LCx."""
LONGEST_MAIN_STEM_MM = 40.0
CONUS_WITHIN_MM = 30.0
ALONG_ATRIUM_MM = 12.0
"""The right coronary's own stretch lies this near to the right atrium; past the crux it is PDA or PL."""
NEAREST_CRUX_MM = 60.0
"""A right coronary that leaves the atrium earlier than this has not been followed to the crux: what comes after is unnamed."""
UNNAMED = "unnamed"


class Grooves:
    """Distances to the chambers, which tell the interventricular from the atrioventricular groove."""

    def __init__(self, mask: LabelMap, structures: Structures) -> None:
        self._trees: dict[str, cKDTree] = {}
        for label in mask.scheme.labels:
            wanted = label.name in ("left atrium", "right atrium", "left ventricle", "right ventricle", "myocardium")
            if wanted and label.value in structures.of_value:
                border = border_voxels(structures.of_value[label.value].runs)
                self._trees[label.name] = cKDTree(mask.geometry.to_world(border))

    def know(self, *names: str) -> bool:
        return all(name in self._trees for name in names)

    def far(self, points_mm: NDArray[np.float64], name: str) -> float:
        """Mean distance in mm of points (n, 3) to a chamber's surface."""
        return float(self._trees[name].query(points_mm)[0].mean())


def named(graphs: Mapping[int, CentrelineGraph], mask: LabelMap, structures: Structures) -> dict[int, CentrelineGraph]:
    """The graphs with the names that can be known: coronary trees rooted at the aorta, beside labelled chambers."""
    sides = {value: _side(mask.scheme[value].name) for value in graphs}
    if not any(sides.values()):
        return dict(graphs)
    grooves = Grooves(mask, structures)
    return {value: _named(graph, sides[value], grooves) for value, graph in graphs.items()}


def _side(name: str) -> str:
    words = name.lower()
    if "coronary" not in words:
        return ""
    return "left" if "left" in words else "right" if "right" in words else ""


def _named(graph: CentrelineGraph, side: str, grooves: Grooves) -> CentrelineGraph:
    if not side or not graph.segments or graph.root_rule == "thickest end" or graph.segments[0].parent is not None:
        return graph
    names = _left(graph, grooves) if side == "left" else _right(graph, grooves)
    segments = tuple(replace(segment, name=names.get(index, UNNAMED)) for index, segment in enumerate(graph.segments))
    return replace(graph, segments=segments)


def _left(graph: CentrelineGraph, grooves: Grooves) -> dict[int, str]:
    """LM to the first junction with two long daughters; of those LAD nears the right ventricle, LCx the left atrium."""
    stem, index = [0], 0
    while len(_long_children(graph, index)) == 1:
        index = _long_children(graph, index)[0]
        stem.append(index)
    daughters = _long_children(graph, index)
    if len(daughters) != 2 or sum(graph.segments[i].length_mm for i in stem) > LONGEST_MAIN_STEM_MM:
        return {}
    names = dict.fromkeys(stem, "LM")
    if not grooves.know("left atrium", "right ventricle"):
        return names
    lean = [_lean(graph, _main_line(graph, daughter), grooves) for daughter in daughters]
    first, second = daughters if lean[0] < lean[1] else daughters[::-1]
    lad = _groove_line(graph, first, grooves, "right ventricle")
    lcx = _groove_line(graph, second, grooves, "left atrium")
    names |= dict.fromkeys(lad, "LAD") | dict.fromkeys(lcx, "LCx")
    return names | _numbered(graph, lad, "D") | _numbered(graph, lcx, "OM")


def _lean(graph: CentrelineGraph, main: list[int], grooves: Grooves) -> float:
    """mm nearer to the right ventricle than to the left atrium (negative: LAD)."""
    points = np.concatenate([graph.segments[i].points_mm for i in main])
    return grooves.far(points, "right ventricle") - grooves.far(points, "left atrium")


def _groove_line(graph: CentrelineGraph, index: int, grooves: Grooves, chamber: str) -> list[int]:
    """From a segment on through the daughters that stay nearest to the chamber beside the groove."""
    line = [index]
    while graph.children[line[-1]]:
        line.append(min(graph.children[line[-1]], key=lambda child: grooves.far(graph.segments[child].points_mm, chamber)))
    return line


def _right(graph: CentrelineGraph, grooves: Grooves) -> dict[int, str]:
    """RCA along the main line while it follows the right atrium; a first side branch near the ostium is the conus branch."""
    if not grooves.know("right atrium"):
        return {}
    main = _groove_line(graph, 0, grooves, "right atrium")
    leaves = [n for n, index in enumerate(main) if grooves.far(_far_half(graph, index), "right atrium") > ALONG_ATRIUM_MM]
    main = main[: max(1, leaves[0])] if leaves else main
    names = dict.fromkeys(main, "RCA") | _conus(graph, main)
    sides = [child for index in main[:-1] for child in graph.children[index] if child not in names]
    if sum(graph.segments[index].length_mm for index in main) < NEAREST_CRUX_MM:
        return names
    return _distal(graph, main[-1], grooves) | _series(graph, sides, "AM") | names


def _conus(graph: CentrelineGraph, main: list[int]) -> dict[int, str]:
    """The first side branch near the ostium."""
    along = 0.0
    for index in main:
        along += graph.segments[index].length_mm
        sides = [child for child in graph.children[index] if child not in main]
        if sides:
            return dict.fromkeys(_main_line(graph, sides[0]), "CB") if along <= CONUS_WITHIN_MM else {}
    return {}


def _distal(graph: CentrelineGraph, crux: int, grooves: Grooves) -> dict[int, str]:
    """Past the crux: the PDA, in the posterior groove, ends nearest to the right ventricle; the others are PL."""
    if not grooves.know("right ventricle") or len(graph.children[crux]) < 2:
        return {}
    pda = min(graph.children[crux], key=lambda child: _end_distance(graph, child, grooves, "right ventricle"))
    others = [child for child in graph.children[crux] if child != pda]
    names: dict[int, str] = dict.fromkeys(_main_line(graph, pda), "PDA")
    for child in others:
        names |= dict.fromkeys(_subtree(graph, child), "PL")
    return names


def _end_distance(graph: CentrelineGraph, index: int, grooves: Grooves, chamber: str) -> float:
    """mm from the last segment of a vessel to a chamber."""
    return grooves.far(graph.segments[_main_line(graph, index)[-1]].points_mm, chamber)


def _far_half(graph: CentrelineGraph, index: int) -> NDArray[np.float64]:
    points = graph.segments[index].points_mm
    return points[len(points) // 2 :]


def _numbered(graph: CentrelineGraph, main: list[int], letters: str) -> dict[int, str]:
    """Side branches of a main vessel, numbered from its start."""
    return _series(graph, [child for index in main for child in graph.children[index] if child not in main], letters)


def _series(graph: CentrelineGraph, sides: list[int], letters: str) -> dict[int, str]:
    names: dict[int, str] = {}
    for number, child in enumerate(sides, start=1):
        names |= dict.fromkeys(_main_line(graph, child), f"{letters}{number}")
    return names


def _main_line(graph: CentrelineGraph, index: int) -> list[int]:
    """From a segment on through the daughters with the thickest, longest subtree."""
    line = [index]
    while graph.children[line[-1]]:
        line.append(max(graph.children[line[-1]], key=lambda child: _weight(graph, child)))
    return line


def _weight(graph: CentrelineGraph, index: int) -> float:
    """Going on as the same vessel counts most, then lumen volume downstream."""
    bonus = 2.0 if graph.segments[index].continues_parent else 1.0
    return bonus * sum(graph.segments[i].length_mm * graph.segments[i].mean_radius_mm ** 2 for i in _subtree(graph, index))


def _long_children(graph: CentrelineGraph, index: int) -> list[int]:
    return [c for c in graph.children[index] if sum(graph.segments[i].length_mm for i in _subtree(graph, c)) >= MAJOR_MM]


def _subtree(graph: CentrelineGraph, index: int) -> list[int]:
    found, queue = [], [index]
    while queue:
        found.append(queue.pop())
        queue.extend(graph.children[found[-1]])
    return found
