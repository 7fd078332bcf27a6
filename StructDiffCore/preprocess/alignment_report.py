"""AlignmentReport: how a template was brought to its target and how well they agree."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry, LabelMap
from StructDiffCore.io.itk_images import resampled

from .deformable import Displacement
from .field_of_view import covered_by

MOST_VOXELS = 20_000_000
"""Larger grids are compared on every second or third voxel of each axis."""


@dataclass(frozen=True)
class AlignmentReport:
    """How the template was brought to the target and how well they agree."""

    correspondence: Mapping[int, int]
    """Target label -> template label."""
    matrix: tuple[tuple[float, ...], ...]
    """4x4, target world to template world (RAS+, mm)."""
    overlap_before: Mapping[int, float]
    """Template label -> Dice on the target grid, inside the template's field of view, before alignment."""
    overlap_after: Mapping[int, float]
    """The same after the affine motion."""
    overall_overlap: float
    """Dice of all shared labels together, after the affine motion."""
    covered_labels: float
    """Share of the target's shared labels inside the template's field of view."""
    covered_grid: float
    """Share of the target grid inside the template's field of view."""
    rotation_deg: float
    shift_mm: float
    """How far the centre of the target grid is moved."""
    scales: tuple[float, float, float]
    """Singular values of the linear part, largest first."""
    seconds: float
    overlap_deformed: float = 0.0
    """Dice of all shared labels together, after the displacement that follows the affine motion."""
    deformation_mm: tuple[float, float] = (0.0, 0.0)
    """Typical (median where anything moves) and largest length of that displacement; zeros where it brought nothing."""

    def deformed(self, overlap: float, displacement: Displacement | None, seconds: float) -> AlignmentReport:
        """The report of the whole alignment."""
        moved = (displacement.typical_mm, displacement.largest_mm) if displacement else (0.0, 0.0)
        return replace(self, overlap_deformed=overlap, deformation_mm=moved, seconds=seconds)

    def as_dict(self) -> dict[str, object]:
        """JSON form for the manifest."""
        return {
            "correspondence": {str(k): v for k, v in self.correspondence.items()},
            "target_to_template_ras_mm": [list(row) for row in self.matrix],
            "dice_before": {str(k): round(v, 4) for k, v in self.overlap_before.items()},
            "dice_after": {str(k): round(v, 4) for k, v in self.overlap_after.items()},
            "dice_overall": round(self.overall_overlap, 4),
            "dice_deformed": round(self.overlap_deformed, 4),
            "deformation_mm": [round(mm, 2) for mm in self.deformation_mm],
            "covered_labels": round(self.covered_labels, 4),
            "covered_grid": round(self.covered_grid, 4),
            "rotation_deg": round(self.rotation_deg, 3),
            "shift_mm": round(self.shift_mm, 3),
            "scales": [round(s, 4) for s in self.scales],
            "seconds": round(self.seconds, 2),
        }

    @property
    def line(self) -> str:
        """One line for people."""
        per_label = ", ".join(
            f"{label}: {self.overlap_before.get(label, 0.0):.2f} -> {after:.2f}" for label, after in self.overlap_after.items()
        )
        return (
            f"template aligned in {self.seconds:.1f} s: Dice {self.overall_overlap:.2f} over shared labels ({per_label}), "
            f"{self.overlap_deformed:.2f} after displacing tissue by {self.deformation_mm[0]:.1f} mm "
            f"(at most {self.deformation_mm[1]:.1f}), "
            f"{100 * self.covered_labels:.0f} % of them and {100 * self.covered_grid:.0f} % of the grid covered"
        )


def alignment_report(
    mask: LabelMap,
    target: LabelMap,
    aligned: LabelMap,
    covered: NDArray[np.bool_],
    matched: Mapping[int, int],
    matrix: NDArray[np.float64],
) -> AlignmentReport:
    """Compare a template's ``mask``, before and after it was ``aligned`` to the target's grid, with the target."""
    thinned, grid = _thinned(target.geometry)
    wanted = _in_template_values(target.voxels[thinned], matched)
    covered = covered[thinned]
    shared = sorted(set(matched.values()))
    unmoved = resampled(mask.voxels, mask.geometry, grid, sitk.sitkNearestNeighbor, 0)
    after, overall = _dice(wanted, aligned.voxels[thinned], covered, shared)
    rotation, scales = _rotation_and_scales(matrix[:3, :3])
    centre = target.geometry.to_world((np.asarray(target.geometry.shape) - 1) / 2)
    return AlignmentReport(
        correspondence=dict(matched),
        matrix=tuple(tuple(float(v) for v in row) for row in matrix),
        overlap_before=_dice(wanted, unmoved, covered_by(mask.geometry, grid, np.eye(4)), shared)[0],
        overlap_after=after,
        overall_overlap=overall,
        covered_labels=float(covered[wanted > 0].mean()),
        covered_grid=float(covered.mean()),
        rotation_deg=rotation,
        shift_mm=float(np.linalg.norm(matrix[:3, :3] @ centre + matrix[:3, 3] - centre)),
        scales=scales,
        seconds=0.0,
    )


def overall_overlap(target: LabelMap, aligned: LabelMap, covered: NDArray[np.bool_], matched: Mapping[int, int]) -> float:
    """Dice of all shared labels together, over the covered voxels of the target's grid."""
    thinned, _ = _thinned(target.geometry)
    wanted = _in_template_values(target.voxels[thinned], matched)
    return _dice(wanted, aligned.voxels[thinned], covered[thinned], sorted(set(matched.values())))[1]


def _thinned(grid: Geometry) -> tuple[tuple[slice, slice, slice], Geometry]:
    """Every n-th voxel of a very large grid, and the grid of these."""
    n = max(1, math.ceil((math.prod(grid.shape) / MOST_VOXELS) ** (1 / 3) - 0.01))
    i, j, k = (-(-size // n) for size in grid.shape)
    x, y, z = (n * s for s in grid.spacing)
    return (slice(None, None, n),) * 3, Geometry((i, j, k), (x, y, z), grid.origin, grid.direction)


def _in_template_values(voxels: NDArray[np.integer], matched: Mapping[int, int]) -> NDArray[np.uint16]:
    """Each matched target label replaced by its template label, the others by 0."""
    table = np.zeros(max(int(voxels.max()), *matched) + 1, np.uint16)
    for value, source in matched.items():
        table[value] = source
    return table[voxels]


def _dice(wanted: NDArray, found: NDArray, covered: NDArray[np.bool_], shared: list[int]) -> tuple[dict[int, float], float]:
    """Dice per label and of all labels together, over the covered voxels."""
    size = max(*shared, int(wanted.max()), int(found.max())) + 1
    inside_wanted, inside_found = wanted[covered], found[covered]
    ours, theirs = np.bincount(inside_wanted, minlength=size), np.bincount(inside_found, minlength=size)
    both = np.bincount(inside_wanted[inside_wanted == inside_found], minlength=size)
    per_label = {v: float(2 * both[v] / max(1, ours[v] + theirs[v])) for v in shared}
    total = int((ours[shared] + theirs[shared]).sum())
    return per_label, float(2 * both[shared].sum() / max(1, total))


def _rotation_and_scales(linear: NDArray[np.float64]) -> tuple[float, tuple[float, float, float]]:
    """Angle (degrees) of the nearest rotation, and the singular values, largest first."""
    left, sizes, right = np.linalg.svd(linear)
    cosine = (np.trace(left @ right) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))), (float(sizes[0]), float(sizes[1]), float(sizes[2]))
