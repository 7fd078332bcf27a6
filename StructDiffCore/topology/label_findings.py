"""Findings in one label: fragments, loops, cavities, diagonal contacts, the volume's border."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry, Label

from .contacts import gap
from .findings import Finding, FindingKind, Severity
from .loops import Loop
from .structures import Structure

LISTED = 20
"""Findings of one kind told one by one per label; the rest in one line."""
SPECK_SHARE = 0.01
"""A fragment below this share of the largest piece may be dropped."""


def label_findings(label: Label, structure: Structure, loops: Sequence[Loop], geometry: Geometry) -> Iterator[Finding]:
    """Everything found in one label by counting."""
    yield from _fragments(label, structure, geometry)
    yield from _cavities(label, structure, geometry)
    yield from _loops(label, structure, loops, geometry)
    yield from _diagonal(label, structure)
    yield from _border(label, structure, geometry)


def _severity(found: int, expected: int | None) -> Severity:
    return "note" if expected is None else ("error" if found != expected else "note")


def _fragments(label: Label, structure: Structure, geometry: Geometry) -> Iterator[Finding]:
    pieces, order = structure.pieces, structure.pieces.by_size
    severity = _severity(len(pieces), label.expected.components)
    for number in order[1 : 1 + LISTED]:
        volume = float(pieces.voxels[number]) * geometry.voxel_volume_mm3
        speck = pieces.voxels[number] <= max(2, SPECK_SHARE * pieces.voxels[order[0]])
        yield Finding(
            "fragment",
            severity,
            label.value,
            f"{label.name}: a separate piece of {volume:.3g} mm3" + _apart(label, structure, int(number), geometry),
            geometry.to_world(pieces.centre[number]),
            volume,
            "mm3",
            "drop speck" if speck else None,
            {"number": int(number)},
        )
    yield from _and_more("fragment", severity, label, len(order) - 1, "separate pieces")


def _apart(label: Label, structure: Structure, number: int, geometry: Geometry) -> str:
    """How far a piece of a vessel lies from the largest one."""
    if not label.thin:
        return ""
    largest = structure.piece(int(structure.pieces.by_size[0]))
    return f", {gap(largest, structure.piece(number), geometry.spacing).length_mm:.2f} mm from the largest"


def _cavities(label: Label, structure: Structure, geometry: Geometry) -> Iterator[Finding]:
    severity = _severity(structure.betti.b2, label.expected.cavities)
    order = structure.cavities_by_size
    for number in order[:LISTED]:
        volume = float(structure.background.voxels[number]) * geometry.voxel_volume_mm3
        position = geometry.to_world(structure.background.centre[number])
        message = f"{label.name}: an enclosed cavity of {volume:.3g} mm3"
        yield Finding("cavity", severity, label.value, message, position, volume, "mm3", "fill cavity", {"number": int(number)})
    yield from _and_more("cavity", severity, label, len(order), "cavities")


def _loops(label: Label, structure: Structure, loops: Sequence[Loop], geometry: Geometry) -> Iterator[Finding]:
    severity = _severity(structure.betti.b1, label.expected.loops)
    for loop in sorted(loops, key=lambda one: -one.length_mm)[:LISTED]:
        yield Finding(
            "loop",
            severity,
            label.value,
            f"{label.name}: a loop of {loop.length_mm:.1f} mm, thinnest here",
            geometry.to_world(loop.thinnest),
            loop.length_mm,
            "mm",
            "cut loop",
            {"voxel": loop.thinnest, "along": _direction(loop, geometry), "depth_mm": loop.depth_mm},
        )
    yield from _and_more("loop", severity, label, structure.betti.b1, "loops", listed=min(len(loops), LISTED))


def _direction(loop: Loop, geometry: Geometry) -> NDArray[np.float64]:
    """Unit vector along the loop at its thinnest voxel, in the grid's axes."""
    offset = (loop.voxels - loop.thinnest) * np.asarray(geometry.spacing)
    near = offset[np.linalg.norm(offset, axis=1) <= 3.5 * max(geometry.spacing)]
    return np.asarray(np.linalg.svd(near - near.mean(axis=0))[2][0])


def _diagonal(label: Label, structure: Structure) -> Iterator[Finding]:
    by_faces, betti = structure.by_faces, structure.betti
    if (by_faces.b0, by_faces.b2) != (betti.b0, betti.b2):
        message = f"{label.name}: by faces alone {by_faces.b0} pieces, {by_faces.b1} loops, {by_faces.b2} cavities (fragile)"
        yield Finding("diagonal contact", "note", label.value, message)


def _border(label: Label, structure: Structure, geometry: Geometry) -> Iterator[Finding]:
    box = structure.runs.box()
    if any(side.start == 0 or side.stop == size for side, size in zip(box, geometry.shape)):
        message = f"{label.name}: touches the border of the volume"
        yield Finding("border", "warning" if label.thin else "note", label.value, message)


def _and_more(
    kind: FindingKind, severity: Severity, label: Label, count: int, noun: str, listed: int = LISTED
) -> Iterator[Finding]:
    if count > listed:
        yield Finding(kind, severity, label.value, f"{label.name}: {count - listed} more {noun}", None, count - listed, "places")
