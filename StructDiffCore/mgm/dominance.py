"""Dominance: which artery feeds the back of the heart. The posterior branches change hands along the grooves, radii follow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import StructDiffError
from StructDiffCore.vessels.branch import Branch
from StructDiffCore.vessels.graph import ON_PARENT_MM, VesselGraph
from StructDiffCore.vessels.growth import Start, grow_along
from StructDiffCore.vessels.polyline import tangents
from StructDiffCore.vessels.surface import Surface
from StructDiffCore.vessels.taper import HUO_KASSAB

from .edit import Edit, Trees, needed, tree_of
from .tree_surgery import MINIMUM_RADIUS_MM, below, cut_back, ends_beyond, upstream, without

if TYPE_CHECKING:
    from .reference import Reference

Floats = NDArray[np.float64]
Dominance = Literal["right", "left", "balanced"]
CLEAR_MM = 10.0
"""The artery that gives its branches away ends this far before them."""
POSTEROLATERAL_MM = 30.0
"""So much of the circumflex's end becomes the right coronary's posterolateral trunk."""


class Loose(NamedTuple):
    """Branches cut out of a tree, the first one without a parent."""

    branches: tuple[Branch, ...]

    @property
    def first(self) -> Branch:
        return self.branches[0]

    @property
    def flow(self) -> float:
        return float(self.first.radii_mm[0]) ** HUO_KASSAB


def dominance_of(left: VesselGraph, right: VesselGraph) -> Dominance:
    """Left where the posterior descending branch springs from the left tree; balanced where only the posterolaterals do."""
    if _named(left, "PDA"):
        return "left"
    if not _named(right, "PDA"):
        raise StructDiffError("no branch is named PDA, so the dominance is unknown", "give trees whose branches are named")
    return "right" if _named(right, "PL") else "balanced"


@dataclass(frozen=True)
class SwitchDominance(Edit):
    """The posterior descending and posterolateral branches move between right coronary and circumflex, over the surface.

    The artery that takes them grows along the groove to the crux; the one that gives them ends ``CLEAR_MM`` before. A
    posterolateral trunk runs in that groove: given away, it becomes the circumflex's end (and the other way round).
    """

    kind: ClassVar[str] = "switch_dominance"
    left: int
    """Vessel label of the left tree."""
    right: int
    to: str = "left"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.to not in get_args(Dominance):
            raise StructDiffError(f"there is no {self.to!r} dominance", f"use {', '.join(get_args(Dominance))}")

    def changed(self, trees: Trees, reference: Reference) -> dict[int, VesselGraph]:
        left, right = (tree_of(trees, value, self.kind) for value in (self.left, self.right))
        surface = needed(reference.epicardium if reference.heart else None, self.kind)
        now, rng = dominance_of(left, right), np.random.default_rng(self.seed)
        if now == self.to:
            raise StructDiffError(f"the heart is {now} dominant already", "choose another dominance")
        if self.to == "right" or (now, self.to) == ("left", "balanced"):
            left, right = _to_the_right(left, right, self.to == "right", surface, rng)
        else:
            left, right = _to_the_left(left, right, self.to == "left", surface, rng)
        return {**trees, self.left: left, self.right: right}

    def more_ends(self, trees: Trees) -> dict[int, int]:
        """Ends go with their branches; a trunk's own end joins the circumflex, and where an artery goes on it has none."""
        left, right = trees[self.left], trees[self.right]
        now = dominance_of(left, right)
        pda = _ends_of(right if now != "left" else left, "PDA")
        pl = _ends_of(right, "PL")
        table = {
            ("right", "left"): (pda + max(pl, 1) - 2, 1 - pda - pl),
            ("right", "balanced"): (pl - 1 - _near_crux(right), -pl),
            ("balanced", "left"): (pda - 1, 1 - pda),
            ("left", "balanced"): (1 - pda, pda - 1),
            ("left", "right"): (1 - pda, pda),
            ("balanced", "right"): (0, 1),
        }
        more_left, more_right = table[now, self.to]
        return {self.left: more_left, self.right: more_right}


def _to_the_left(
    left: VesselGraph, right: VesselGraph, with_pda: bool, surface: Surface, rng: np.random.Generator
) -> tuple[VesselGraph, VesselGraph]:
    """The circumflex takes the posterolateral trunk, end first, and then (left dominance) the posterior descending branch."""
    pda_name = _named(right, "PDA")[0]
    crux, crux_mm = right.branch(pda_name).points_mm[0], right.attachments_mm[right.index_of(pda_name)]
    rca, lcx = right.parent_of(right.index_of(pda_name)).name, _main(left, "LCx", crux)
    right, trunk = _cut_out(right, _named(right, "PL")[0]) if _named(right, "PL") else (right, None)
    pda = None
    if with_pda:
        right, pda = _cut_out(right, pda_name)
        right = cut_back(right, rca, min(crux_mm, right.branch(rca).length_mm) - CLEAR_MM)
    groove = crux[None] if trunk is None else trunk.first.points_mm[::-1]
    course = np.concatenate([_joined(left.branch(lcx), groove[0], surface, rng), groove[1:]])
    children = [] if trunk is None else _children_of(trunk)
    if pda is None:
        course = _without_end(course, CLEAR_MM)
        children = [child for child in children if _gap(course, child.first.points_mm[0]) < ON_PARENT_MM]
    else:
        children.append(pda)
    return _extended(left, lcx, course, children), right


def _to_the_right(
    left: VesselGraph, right: VesselGraph, with_trunk: bool, surface: Surface, rng: np.random.Generator
) -> tuple[VesselGraph, VesselGraph]:
    """The right coronary goes on to the crux and takes the posterior descending branch, then the circumflex's end as trunk."""
    given: list[Loose] = []
    if _named(left, "PDA"):
        index = left.index_of(_named(left, "PDA")[0])
        lcx, ends = left.parent_of(index).name, left.attachments_mm[index]
        left, pda = _cut_out(left, left.branches[index].name)
        crux = pda.first.points_mm[0]
        rca = _main(right, "RCA", crux)
        course = _joined(right.branch(rca), crux, surface, rng)
        given.append(pda)
    else:
        crux = right.branch(_named(right, "PDA")[0]).points_mm[0]
        rca = right.parent_of(right.index_of(_named(right, "PDA")[0])).name
        lcx, course = _main(left, "LCx", crux), right.branch(rca).points_mm[-1:]
        ends = left.branch(lcx).length_mm
    if with_trunk:
        left, trunk = _end_as_trunk(left, lcx, ends)
        away = trunk.first
        if np.linalg.norm(away.points_mm[0] - course[-1]) > 0.2:
            lead = grow_along(surface, away.points_mm[:1], _depth(surface, course[-1]), rng, 0.1, Start(course[-1]))
            points = np.concatenate([lead, away.points_mm[1:]])
            radii = np.concatenate([np.full(len(lead), away.radii_mm[0]), away.radii_mm[1:]])
            trunk = Loose((replace(away, points_mm=points, radii_mm=radii), *trunk.branches[1:]))
        given.append(trunk)
    else:
        left = cut_back(left, lcx, ends - CLEAR_MM)
    return left, _extended(right, rca, course, given)


def _end_as_trunk(left: VesselGraph, lcx: str, ends_mm: float) -> tuple[VesselGraph, Loose]:
    """The circumflex without its end, and that end as a posterolateral trunk that runs the other way."""
    index, branch = left.index_of(lcx), left.branch(lcx)
    leaving = [left.attachments_mm[child] for child in left.children[index]]
    first = max([ends_mm - POSTEROLATERAL_MM, *[at + 2.0 for at in leaving if at < ends_mm - 2.0]])
    if ends_mm - first - CLEAR_MM < CLEAR_MM:
        raise StructDiffError(
            f"{lcx} has no free end of {2 * CLEAR_MM:g} mm to become a posterolateral trunk", "prune its last branch"
        )
    at = np.arange(ends_mm, first + CLEAR_MM, -0.5)
    trunk = Branch(branch.point_at(at), branch.radius_at(at)[::-1].copy(), "PL", None, 1)
    return cut_back(left, lcx, first), Loose((trunk,))


def _joined(main: Branch, to_mm: Floats, surface: Surface, rng: np.random.Generator) -> Floats:
    """Course (n, 3) over the surface from a branch's end to a point."""
    end = main.points_mm[-1]
    if np.linalg.norm(to_mm - end) < 1.0:
        return np.stack([end, to_mm])
    start = Start(end, tangents(main.points_mm)[-1])
    middle = [end + share * (to_mm - end) for share in (0.35, 0.7)] if np.linalg.norm(to_mm - end) > 15.0 else []
    grown = grow_along(surface, np.array([*middle, to_mm]), _depth(surface, to_mm), rng, 0.2, start)
    return np.concatenate([grown, to_mm[None]]) if np.linalg.norm(grown[-1] - to_mm) > 1e-6 else grown


def _depth(surface: Surface, point: Floats) -> float:
    return max(0.5, float(surface.signed_distance(point[None])[0]))


def _extended(graph: VesselGraph, name: str, course: Floats, given: list[Loose]) -> VesselGraph:
    """The tree whose branch goes on along a course and takes loose branches; its radii, and its ancestors', carry their flow."""
    index, old = graph.index_of(name), graph.branch(name)
    flow = sum(loose.flow for loose in given)
    new = Branch(np.concatenate([old.points_mm, course[1:]]), np.ones(len(old.points_mm) + len(course) - 1), name)
    along, before = new.arclength_mm, len(old.points_mm)
    tail = float(old.radii_mm[-1]) ** HUO_KASSAB
    carried = tail * np.linspace(1.0, 0.4, len(along) - before)
    for loose in given:
        at = along[int(((new.points_mm - loose.first.points_mm[0]) ** 2).sum(axis=1).argmin())]
        carried = carried + loose.flow * (along[before:] <= at + 1e-3)
    radii = np.concatenate([old.radii_mm**HUO_KASSAB + flow, carried]) ** (1 / HUO_KASSAB)
    grown = graph.with_branch(replace(old, points_mm=new.points_mm, radii_mm=np.maximum(radii, MINIMUM_RADIUS_MM)))
    for loose in given:
        grown = _grafted(grown, index, loose)
    return upstream(grown, index, flow)


def _grafted(graph: VesselGraph, parent: int, loose: Loose) -> VesselGraph:
    """The tree with loose branches on one of its own, their names made unique."""
    first, names = len(graph.branches), set(graph.names)
    added = []
    for number, branch in enumerate(loose.branches):
        name = branch.name if branch.name not in names else f"{branch.name} ({first + number})"
        onto = parent if branch.parent is None else first + branch.parent
        generation = graph.branches[parent].generation + 1 + branch.generation - loose.first.generation
        added.append(replace(branch, name=name, parent=onto, generation=generation))
        names.add(name)
    start = added[0].points_mm.copy()
    start[0] = _nearest(graph.branches[parent].points_mm, start[0])
    return replace(graph, branches=(*graph.branches, replace(added[0], points_mm=start), *added[1:]))


def _nearest(points: Floats, point: Floats) -> Floats:
    return np.asarray(points[int(((points - point) ** 2).sum(axis=1).argmin())])


def _gap(points: Floats, point: Floats) -> float:
    return float(np.linalg.norm(_nearest(points, point) - point))


def _cut_out(graph: VesselGraph, name: str) -> tuple[VesselGraph, Loose]:
    """The tree without a branch and what springs from it, its ancestors without their flow; and what was cut out."""
    index = graph.index_of(name)
    gone = sorted(below(graph, index))
    place = {old: new for new, old in enumerate(gone)}
    cut = tuple(
        replace(b, parent=place.get(b.parent) if b.parent is not None else None) for b in (graph.branches[n] for n in gone)
    )
    return without(upstream(graph, index, -Loose(cut).flow), name), Loose(cut)


def _children_of(loose: Loose) -> list[Loose]:
    """What springs from the first branch, each child with its own descendants."""
    tree = VesselGraph(loose.branches)
    found = []
    for child in tree.children[0]:
        part = sorted(below(tree, child))
        place = {old: new for new, old in enumerate(part)}
        found.append(Loose(tuple(replace(tree.branches[n], parent=place.get(tree.branches[n].parent or 0)) for n in part)))
    return found


def _without_end(course: Floats, by_mm: float) -> Floats:
    whole = Branch(course, np.ones(len(course)), "course")
    kept = whole.arclength_mm <= max(whole.length_mm - by_mm, 1.0)
    kept[:2] = True
    return np.asarray(course[kept])


def _named(graph: VesselGraph, start: str) -> list[str]:
    """Branches whose name starts so and whose parent's does not."""
    found = []
    for branch in graph.branches:
        parent = "" if branch.parent is None else graph.branches[branch.parent].name
        if branch.name.upper().startswith(start) and not parent.upper().startswith(start):
            found.append(branch.name)
    return found


def _near_crux(right: VesselGraph) -> int:
    """Ends of posterolateral branches that leave their trunk too near to the crux to change hands; they go."""
    names = _named(right, "PL")
    if not names:
        return 0
    trunk = right.index_of(names[0])
    near = [child for child in right.children[trunk] if right.attachments_mm[child] < CLEAR_MM + 0.2]
    return sum(ends_beyond(right, child) for child in near)


def _ends_of(graph: VesselGraph, start: str) -> int:
    return sum(ends_beyond(graph, graph.index_of(name)) for name in _named(graph, start))


def _main(graph: VesselGraph, name: str, crux_mm: Floats) -> str:
    """The branch of that name, whatever its case; where none has it, the one that ends nearest to the crux."""
    for branch in graph.branches:
        if branch.name.upper() == name.upper():
            return branch.name
    away = [float(np.linalg.norm(graph.branches[index].points_mm[-1] - crux_mm)) for index in graph.tip_branches]
    return graph.branches[graph.tip_branches[int(np.argmin(away))]].name
