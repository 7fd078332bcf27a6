"""The line under the segment editor, "LCA: 1 piece, 0 loops, 13 ends": fast enough to be asked for after every stroke."""

from __future__ import annotations

from collections.abc import Container

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.config.compiled import HAS_NUMBA
from StructDiffCore.domain import Geometry, LabelScheme

from .plain_betti import box_of, plain_betti

SHORT_NAMES = {"left coronary tree": "LCA", "right coronary tree": "RCA"}
MARGIN = 2
"""Voxels of the surroundings that decide where a vessel meets its source."""


def line_of(labels: NDArray[np.integer], value: int, geometry: Geometry, scheme: LabelScheme, name: str = "") -> str:
    """Pieces, loops and, of a thin label, ends (of a thick one, cavities) of the label ``value`` in words.

    ``labels`` (i, j, k) in any memory order lie on ``geometry``; a crop with 2 voxels of the label's surroundings does as well.
    The counts are those of ``topology_report``. Without numba the ends are not counted and the line says so.
    Raises StructDiffError for a value the scheme does not know.
    """
    label = scheme[value]
    called = name or SHORT_NAMES.get(label.name, label.name)
    structure = labels == value
    if not structure.any():
        return f"{called}: empty"
    if not HAS_NUMBA:
        return counts_line(called, plain_betti(structure), None, label.thin) + ("; ends need numba" if label.thin else "")
    box = box_of(structure, MARGIN)
    corner = (box[0].start, box[1].start, box[2].start)
    shape = (box[0].stop - corner[0], box[1].stop - corner[1], box[2].stop - corner[2])
    return _counted_line(called, np.ascontiguousarray(labels[box]), value, geometry.cropped(corner, shape), scheme)


def counts_line(name: str, betti: tuple[int, int, int], ends: int | None, thin: bool) -> str:
    """ "name: 1 piece, 0 loops, 13 ends"; cavities are told of thick labels and where there are some."""
    counts = [(betti[0], "piece"), (betti[1], "loop")]
    if ends is not None:
        counts.append((ends, "end"))
    if betti[2] or not thin:
        counts.append((betti[2], "cavity"))
    return f"{name}: " + ", ".join(counted(number, noun) for number, noun in counts)


def counted(number: int, noun: str) -> str:
    """ "1 piece", "2 cavities"."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number} {noun if number == 1 else plural}"


def _counted_line(name: str, crop: NDArray[np.integer], value: int, geometry: Geometry, scheme: LabelScheme) -> str:
    from .runs import LabelRuns
    from .structures import Structure
    from .tracing import Source, end_count

    runs = LabelRuns.of(crop)
    found = Structure.of(runs.of_value(value))
    betti = (found.betti.b0, found.betti.b1, found.betti.b2)
    if not scheme[value].thin:
        return counts_line(name, betti, None, thin=False)
    near = source_value(scheme, value, runs.values)
    source = None if near is None else Source(scheme[near].name, runs.of_value(near))
    return counts_line(name, betti, end_count(found.runs, geometry, source), thin=True)


def source_value(scheme: LabelScheme, value: int, present: Container[int]) -> int | None:
    """The structure that a thin label must touch and springs from, where it is present."""
    for pair in scheme.touching:
        if value in pair:
            other = pair[0] if pair[1] == value else pair[1]
            if other in present and not scheme[other].thin:
                return other
    return None
