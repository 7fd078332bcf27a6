"""CentrelineGraph: what a vessel label looks like as curves; unlike a planned tree it may hold loops and several pieces."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Node:
    """Where segments end or meet."""

    position_mm: Floats
    """(3,) RAS+ mm."""
    degree: int
    """Number of segments that arrive; 1 is an end."""
    piece: int
    """Number of the connected piece, 0 the one at the root."""
    is_root: bool = False


@dataclass(frozen=True, eq=False)
class Segment:
    """The stretch between two nodes, from the root outwards."""

    points_mm: Floats
    """Centreline (n, 3) in RAS+ mm, sub-voxel; first and last point are the nodes'."""
    radii_mm: Floats
    """(n,) lumen radius of the disc with the same area as the cross-section."""
    start: int
    stop: int
    parent: int | None = None
    """Index of the segment before; None at a root and for a segment that closes a loop."""
    generation: int = 0
    """How many times the way from the root has turned into a side branch."""
    continues_parent: bool = False
    """Whether it is the same vessel as its parent, past a side branch."""
    closes_loop: bool = False
    name: str = "unnamed"
    """AHA/SCCT segment name where root and grooves allow one."""

    @cached_property
    def arclength_mm(self) -> Floats:
        steps = np.linalg.norm(np.diff(self.points_mm, axis=0), axis=1)
        return np.concatenate([[0.0], np.cumsum(steps)])

    @property
    def length_mm(self) -> float:
        return float(self.arclength_mm[-1])

    @property
    def tortuosity(self) -> float:
        """Length over the distance of its ends; 1 is straight, infinite for a closed loop."""
        chord = float(np.linalg.norm(self.points_mm[-1] - self.points_mm[0]))
        return self.length_mm / chord if chord > 1e-6 else float("inf")

    @property
    def mean_radius_mm(self) -> float:
        """Length-weighted mean."""
        if self.length_mm == 0:
            return float(self.radii_mm.mean())
        return float(np.trapezoid(self.radii_mm, self.arclength_mm) / self.length_mm)

    def as_dict(self, with_profile: bool = True) -> dict[str, Any]:
        """JSON form; numbers rounded to 1 um."""
        tortuosity = self.tortuosity
        told: dict[str, Any] = {
            "name": self.name,
            "start": self.start,
            "stop": self.stop,
            "parent": self.parent,
            "generation": self.generation,
            "closes_loop": self.closes_loop,
            "length_mm": round(self.length_mm, 3),
            "tortuosity": round(tortuosity, 4) if np.isfinite(tortuosity) else None,
            "radius_mm": {
                "mean": round(self.mean_radius_mm, 3),
                "min": round(float(self.radii_mm.min()), 3),
                "max": round(float(self.radii_mm.max()), 3),
            },
        }
        if with_profile:
            told["points_ras_mm"] = self.points_mm.round(3).tolist()
            told["radii_mm"] = self.radii_mm.round(3).tolist()
        return told


@dataclass(frozen=True, eq=False)
class CentrelineGraph:
    """Nodes and segments of one vessel label; parents come before their children."""

    nodes: tuple[Node, ...] = ()
    segments: tuple[Segment, ...] = ()
    root: int | None = None
    """Node at the ostium, else the thickest end; None only for an empty graph."""
    root_rule: str = "none"
    """How the root was found: "contact", "nearest to <label>", "thickest end"."""
    hidden_loops: int = 0
    """Loops so small that they lie inside one junction."""
    notes: tuple[str, ...] = field(default=())
    """What was done to the label before tracing (cavities filled, pieces left out)."""

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """Nodes where a curve ends, the root included when it is one."""
        return tuple(number for number, node in enumerate(self.nodes) if node.degree == 1)

    @property
    def tips(self) -> Floats:
        """Positions (t, 3) in mm of all ends but the root."""
        return np.array([self.nodes[n].position_mm for n in self.ends if n != self.root]).reshape(-1, 3)

    @property
    def length_mm(self) -> float:
        return float(sum(segment.length_mm for segment in self.segments))

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """For every segment the segments that go on from its far end."""
        found: list[list[int]] = [[] for _ in self.segments]
        for index, segment in enumerate(self.segments):
            if segment.parent is not None:
                found[segment.parent].append(index)
        return tuple(tuple(one) for one in found)

    def as_dict(self, with_profile: bool = True) -> dict[str, Any]:
        """JSON form."""
        return {
            "root": self.root,
            "root_rule": self.root_rule,
            "ends": len(self.ends),
            "length_mm": round(self.length_mm, 3),
            "nodes": [
                {"position_ras_mm": node.position_mm.round(3).tolist(), "degree": node.degree, "piece": node.piece}
                for node in self.nodes
            ],
            "segments": [segment.as_dict(with_profile) for segment in self.segments],
            "notes": list(self.notes),
        }
