"""The topology of a mask in words and numbers, and whether it is what the label scheme expects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry, Label, LabelMap

from .betti import Betti
from .centreline_graph import CentrelineGraph
from .components import Pieces
from .contact_findings import contact_findings
from .contacts import contact
from .findings import SEVERITIES, Finding, repair
from .fixes import Fix
from .label_findings import LISTED, label_findings
from .line import counted, counts_line, source_value
from .loops import Loop, loops_of
from .runs import runs_of
from .segment_names import named
from .structures import Structure, Structures
from .tracing import Source, trace
from .vessel_findings import vessel_findings

NECK_MM = 0.4
"""Default radius below which a neck is reported."""


@dataclass(frozen=True, eq=False)
class LabelTopology:
    """What was found for one label, and which expectations it breaks."""

    label: Label
    betti: Betti
    volume_mm3: float
    broken: tuple[str, ...]
    structure: Structure
    loops: tuple[Loop, ...] = ()
    graph: CentrelineGraph | None = None
    """Thin labels only."""

    def line(self) -> str:
        """For people: "left coronary tree: 1 piece, 0 loops, 13 ends", or cavities where there is no graph."""
        ends = len(self.graph.ends) if self.graph is not None and self.graph.segments else None
        return counts_line(self.label.name, (self.betti.b0, self.betti.b1, self.betti.b2), ends, thin=self.graph is not None)

    def as_dict(self, geometry: Geometry, with_profile: bool) -> dict[str, object]:
        """JSON form; at most ``LISTED`` components, cavities and loops are listed, the largest first."""
        order, hollow = self.structure.pieces.by_size, self.structure.cavities_by_size
        told: dict[str, object] = {
            "name": self.label.name,
            "betti": [self.betti.b0, self.betti.b1, self.betti.b2],
            "volume_mm3": round(self.volume_mm3, 3),
            "broken": list(self.broken),
            "components": _told(self.structure.pieces, order[:LISTED], geometry),
            "cavities": _told(self.structure.background, hollow[:LISTED], geometry),
            "loops": [
                {"thinnest_ras_mm": geometry.to_world(loop.thinnest).round(3).tolist(), "length_mm": round(loop.length_mm, 2)}
                for loop in self.loops[:LISTED]
            ],
        }
        if self.graph is not None:
            told["graph"] = self.graph.as_dict(with_profile)
        return told


@dataclass(frozen=True, eq=False)
class TopologyReport:
    """Per-label topology, contacts that must exist, findings and the verdict."""

    geometry: Geometry
    labels: tuple[LabelTopology, ...]
    contacts: dict[str, int]
    """Number of separate contact patches for each pair that must touch; a healthy ostium is one patch."""
    broken_contacts: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    """The worst first."""

    @property
    def verdict(self) -> str:
        """ "pass" or "fail": fail if an expectation of the scheme is broken."""
        broken = self.broken_contacts or any(found.broken for found in self.labels)
        return "fail" if broken or any(finding.severity == "error" for finding in self.findings) else "pass"

    def lines(self) -> list[str]:
        """One line per thin label (all labels where none is thin), then what is broken."""
        thin = [found for found in self.labels if found.label.thin] or list(self.labels)
        broken = [fact for found in self.labels for fact in found.broken] + list(self.broken_contacts)
        return [found.line() for found in thin] + broken

    def of_label(self, value: int) -> LabelTopology:
        """What was found for a label that is present."""
        return next(found for found in self.labels if found.label.value == value)

    def repair(self, mask: LabelMap, finding: Finding) -> Fix:
        """The safe, undoable fix of one of the findings in ``mask``; StructDiffError where there is none."""
        return repair(mask, finding, self.of_label(finding.label).structure)

    def as_dict(self, with_profile: bool = False) -> dict[str, object]:
        """JSON form; ``with_profile`` adds every centreline's points and radii."""
        return {
            "geometry": self.geometry.as_dict(),
            "labels": {str(found.label.value): found.as_dict(self.geometry, with_profile) for found in self.labels},
            "contacts": self.contacts,
            "broken_contacts": list(self.broken_contacts),
            "findings": [finding.as_dict() for finding in self.findings],
            "verdict": self.verdict,
        }


def topology_report(mask: LabelMap, unknown: Sequence[int] = (), neck_mm: float = NECK_MM) -> TopologyReport:
    """Betti numbers, pieces, loops and vessel graphs of every label present, held against the scheme's expectations.

    ``unknown`` are labels that were added to the scheme only to be able to look at them.
    """
    structures = Structures.of(mask.voxels)
    graphs = _graphs(mask, structures)
    labels = tuple(_label_topology(mask, value, found, graphs.get(value)) for value, found in structures.of_value.items())
    contacts, between = contact_findings(mask.scheme, structures, mask.geometry)
    findings = [Finding("label not in the scheme", "error", v, f"label {v} is not in the scheme") for v in unknown] + between
    for found in labels:
        findings.extend(label_findings(found.label, found.structure, found.loops, mask.geometry))
        if found.graph is not None:
            findings.extend(vessel_findings(found.label, found.graph, neck_mm))
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    broken = tuple(f"{pair}: touch in {counted(n, 'place')}, expected 1" for pair, n in contacts.items() if n != 1)
    return TopologyReport(mask.geometry, labels, contacts, broken, tuple(findings))


def contact_patches(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> int:
    """Number of separate (26-connected) patches where ``one`` has a 26-neighbour in ``other``."""
    return contact(runs_of(one), runs_of(other)).patch_count if one.any() and other.any() else 0


def source_of(mask: LabelMap, value: int, structures: Structures) -> Source | None:
    """The structure that a thin label must touch and springs from, where it is present."""
    near = source_value(mask.scheme, value, structures.of_value)
    return None if near is None else Source(mask.scheme[near].name, structures.of_value[near].runs)


def _graphs(mask: LabelMap, structures: Structures) -> dict[int, CentrelineGraph]:
    thin = [value for value in mask.scheme.thin_values if value in structures.of_value]
    traced = {value: trace(structures.of_value[value].runs, mask.geometry, source_of(mask, value, structures)) for value in thin}
    return named(traced, mask, structures)


def _label_topology(mask: LabelMap, value: int, structure: Structure, graph: CentrelineGraph | None) -> LabelTopology:
    label, betti = mask.scheme[value], structure.betti
    expected = (label.expected.components, label.expected.loops, label.expected.cavities)
    broken = tuple(
        f"{label.name}: {counted(found, noun)}, expected {wanted}"
        for found, wanted, noun in zip((betti.b0, betti.b1, betti.b2), expected, ("piece", "loop", "cavity"))
        if wanted is not None and found != wanted
    )
    volume = structure.runs.voxels * mask.geometry.voxel_volume_mm3
    return LabelTopology(label, betti, volume, broken, structure, tuple(loops_of(structure, mask.geometry.spacing)), graph)


def _told(pieces: Pieces, numbers: NDArray[np.int64], geometry: Geometry) -> list[dict[str, object]]:
    return [
        {
            "volume_mm3": round(float(pieces.voxels[n]) * geometry.voxel_volume_mm3, 4),
            "centre_ras_mm": geometry.to_world(pieces.centre[n]).round(3).tolist(),
        }
        for n in numbers
    ]
