"""Findings: what a person should look at in a mask, where it is, how bad it is and whether a safe fix is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import LabelMap, StructDiffError

from .fixes import Fix, FixKind, bridge_gap, cut_loop, drop_speck, fill_cavity
from .structures import Structure

FindingKind = Literal[
    "fragment",
    "loop",
    "cavity",
    "thin neck",
    "gap",
    "leak blob",
    "crossing trees",
    "missing contact",
    "double contact",
    "diagonal contact",
    "border",
    "label not in the scheme",
]
Severity = Literal["error", "warning", "note"]
"""error: against the scheme's expectation, the verdict is fail; warning: probably wrong; note: good to know."""
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True, eq=False)
class Finding:
    """One place worth a look."""

    kind: FindingKind
    severity: Severity
    label: int
    message: str
    """For people, one line."""
    position_mm: NDArray[np.float64] | None = None
    """(3,) RAS+ mm; None for what concerns a whole label."""
    size: float | None = None
    unit: str = "mm"
    """Of ``size``: mm, mm3 or places."""
    fix: FixKind | None = None
    """The kind of edit that may repair it; ``repair`` makes it or says why not."""
    detail: dict[str, Any] = field(default_factory=dict)
    """What ``repair`` needs: piece or cavity number, end points, direction."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "label": self.label,
            "message": self.message,
            "position_ras_mm": None if self.position_mm is None else np.round(self.position_mm, 3).tolist(),
            "size": None if self.size is None else round(float(self.size), 4),
            "unit": self.unit,
            "fix": self.fix,
        }


def repair(mask: LabelMap, finding: Finding, structure: Structure) -> Fix:
    """The safe fix of a finding; StructDiffError where there is none that changes only what it says."""
    detail, value = finding.detail, finding.label
    fix: Fix | None = None
    if finding.fix == "fill cavity":
        fix = fill_cavity(mask, value, structure.cavity(detail["number"]))
    elif finding.fix == "drop speck":
        fix = drop_speck(mask, value, structure.piece(detail["number"]))
    elif finding.fix == "bridge gap":
        fix = bridge_gap(mask, value, detail["start_mm"], detail["stop_mm"], detail["radius_mm"])
    elif finding.fix == "cut loop":
        fix = cut_loop(mask, value, detail["voxel"], detail["along"], detail["depth_mm"])
    if fix is None:
        raise StructDiffError(f"no safe fix for: {finding.message}", "edit the mask by hand there")
    return fix
