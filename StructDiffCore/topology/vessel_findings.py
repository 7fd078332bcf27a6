"""Findings along a vessel graph: thin necks, gaps between ends that point at each other, leak blobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Label

from .centreline_graph import CentrelineGraph, Segment
from .findings import Finding

Floats = NDArray[np.float64]

LONGEST_GAP_MM = 15.0
FACING = 0.5
"""Cosine of the largest angle (60 degrees) between an end's direction and the way to the other end."""
HEADING_MM = 5.0
BLOB_TIMES = 2.5
"""A place this many times thicker than its vessel's median is a leak."""
NECK_SHARE = 0.5
"""A neck is narrower than this share of the vessel on both sides of it."""


def vessel_findings(label: Label, graph: CentrelineGraph, neck_mm: float) -> Iterator[Finding]:
    """Findings of one traced label; necks are places with a radius below ``neck_mm``."""
    yield from _necks(label, graph.segments, neck_mm)
    yield from _blobs(label, graph)
    yield from _gaps(label, graph)


def _necks(label: Label, segments: Sequence[Segment], neck_mm: float) -> Iterator[Finding]:
    for segment in segments:
        radii = segment.radii_mm
        thinnest = int(radii.argmin())
        sides = (radii[: thinnest + 1].max(), radii[thinnest:].max())
        if radii[thinnest] < neck_mm and radii[thinnest] < NECK_SHARE * min(sides):
            message = f"{label.name}: a neck of {radii[thinnest]:.2f} mm radius in a vessel of {np.median(radii):.2f} mm"
            yield Finding("thin neck", "warning", label.value, message, segment.points_mm[thinnest], float(radii[thinnest]))


def _blobs(label: Label, graph: CentrelineGraph) -> Iterator[Finding]:
    for segment in graph.segments:
        usual, thickest = float(np.median(segment.radii_mm)), int(segment.radii_mm.argmax())
        radius = float(segment.radii_mm[thickest])
        inner = 0 < thickest < len(segment.radii_mm) - 1
        if inner and usual > 0 and radius > BLOB_TIMES * usual and radius - usual > 1.0:
            message = f"{label.name}: {radius:.2f} mm radius in a vessel of {usual:.2f} mm, perhaps a leak"
            yield Finding("leak blob", "warning", label.value, message, segment.points_mm[thickest], radius)


def _gaps(label: Label, graph: CentrelineGraph) -> Iterator[Finding]:
    ends = [(node, *_outward(graph, node)) for node in graph.ends]
    for (a, here, out_a, radius_a), (b, there, out_b, radius_b) in combinations(ends, 2):
        if graph.nodes[a].piece == graph.nodes[b].piece or graph.root in (a, b):
            continue
        way = there - here
        length = float(np.linalg.norm(way))
        facing = length > 0 and way @ out_a / length >= FACING and -way @ out_b / length >= FACING
        if facing and length <= LONGEST_GAP_MM:
            message = f"{label.name}: a gap of {length:.1f} mm between two ends that point at each other"
            detail = {"start_mm": here, "stop_mm": there, "radius_mm": min(radius_a, radius_b)}
            yield Finding("gap", "error", label.value, message, 0.5 * (here + there), length, "mm", "bridge gap", detail)


def _outward(graph: CentrelineGraph, node: int) -> tuple[Floats, Floats, float]:
    """Position, unit direction out of the vessel, and radius near an end."""
    segment = next(s for s in graph.segments if node in (s.start, s.stop))
    step = -1 if segment.stop == node else 1
    points, radii = segment.points_mm[::step], segment.radii_mm[::step]
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    near = max(1, int(np.searchsorted(along, HEADING_MM, side="right")) - 1)
    out = points[0] - points[near]
    return points[0], out / max(float(np.linalg.norm(out)), 1e-9), float(np.median(radii[: near + 1]))
