"""A mask against a reference: overlap, surfaces, topology and branches, label by label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from StructDiffCore.domain import LabelMap, StructDiffError, Triple
from StructDiffCore.topology.betti import betti_numbers
from StructDiffCore.topology.report import TopologyReport, topology_report
from StructDiffCore.topology.thinning import centreline

from .betti_errors import betti_error, betti_matching_error
from .branches import BranchRecall, branch_recall, recall_summary
from .loop_matching import unmatched_loops
from .overlap import dice
from .surface import surface_distance

LOOP_CROP_VOXELS = 8_000
"""Masks up to this many voxels together have their loops matched; for larger ones match crops."""


@dataclass(frozen=True, eq=False)
class LabelComparison:
    """One label of both masks."""

    name: str
    dice: float
    hd95_mm: float
    assd_mm: float
    betti_error: tuple[int, int, int]
    matching_error: tuple[int, int | None, int]
    """Betti matching error per dimension; loops are None where the masks are too large to match them."""
    cldice: float | None = None
    """Thin labels: with topology-safe skeletons."""
    branches: tuple[BranchRecall, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON form; infinite distances become null."""
        told: dict[str, Any] = {
            "name": self.name,
            "dice": round(self.dice, 6),
            "hd95_mm": _finite(self.hd95_mm),
            "assd_mm": _finite(self.assd_mm),
            "betti_error": list(self.betti_error),
            "betti_matching_error": list(self.matching_error),
        }
        if self.cldice is not None:
            told["cldice"] = round(self.cldice, 6)
        if self.branches is not None:
            told["branch_recall"] = recall_summary(self.branches)
        return told


def compare_masks(
    mask: LabelMap, reference: LabelMap, reports: tuple[TopologyReport, TopologyReport] | None = None
) -> dict[int, LabelComparison]:
    """Every label found in either mask; both must lie on one grid. ``reports`` saves tracing again."""
    if not mask.geometry.same_as(reference.geometry, tolerance_mm=0.01):
        raise StructDiffError(
            f"mask and reference lie on different grids (shapes {mask.geometry.shape} and {reference.geometry.shape})",
            "resample one onto the other's grid first",
        )
    one, other = reports or (topology_report(mask), topology_report(reference))
    values = sorted({*mask.present, *reference.present})
    return {value: _compared(value, mask, reference, one, other) for value in values}


def homotopic_cldice(prediction: NDArray[np.bool_], truth: NDArray[np.bool_], spacing: Triple) -> float:
    """clDice (Shit 2021) with skeletons that keep the topology; 1 where both are empty, 0 where just one is."""
    if not prediction.any() or not truth.any():
        return float(prediction.any() == truth.any())
    precision = float(truth[centreline(prediction, spacing)].mean())
    sensitivity = float(prediction[centreline(truth, spacing)].mean())
    return 2 * precision * sensitivity / max(precision + sensitivity, 1e-12)


def _compared(value: int, mask: LabelMap, reference: LabelMap, one: TopologyReport, other: TopologyReport) -> LabelComparison:
    box = _box((mask.voxels == value) | (reference.voxels == value))
    found, wanted = mask.voxels[box] == value, reference.voxels[box] == value
    surface, betti = surface_distance(found, wanted, mask.geometry.spacing), betti_error(found, wanted)
    matching = betti_matching_error(found, wanted)
    label = reference.scheme[value]
    thin = label.thin
    return LabelComparison(
        label.name,
        dice(found, wanted),
        surface.hd95_mm,
        surface.assd_mm,
        (betti.b0, betti.b1, betti.b2),
        (matching.b0, _loops_unmatched(found, wanted), matching.b2),
        homotopic_cldice(found, wanted, mask.geometry.spacing) if thin else None,
        _branches(value, one, other) if thin else None,
    )


def _loops_unmatched(found: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> int | None:
    """None where both masks have loops and are too large to match them."""
    both_loop = betti_numbers(found).b1 > 0 and betti_numbers(wanted).b1 > 0
    if both_loop and int((found | wanted).sum()) > LOOP_CROP_VOXELS:
        return None
    return unmatched_loops(found, wanted)


def _branches(value: int, one: TopologyReport, other: TopologyReport) -> tuple[BranchRecall, ...]:
    graphs = [next((f.graph for f in report.labels if f.label.value == value), None) for report in (one, other)]
    found, wanted = graphs
    if wanted is None:
        return ()
    tolerance = max(one.geometry.spacing)
    if found is None:
        return tuple(BranchRecall(s.name, s.length_mm, s.mean_radius_mm, 0.0, None) for s in wanted.segments)
    return tuple(branch_recall(wanted, found, tolerance))


def _box(either: NDArray[np.bool_]) -> tuple[slice, ...]:
    return tuple(find_objects(either.view(np.uint8))[0])


def _finite(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
