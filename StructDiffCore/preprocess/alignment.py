"""The template brought to the target: registration on shared labels, resampling, and an honest report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry, LabelMap, StructDiffError, Template, Volume
from StructDiffCore.io.itk_images import resampled

from .alignment_report import AlignmentReport, alignment_report, overall_overlap
from .correspondence import correspondence_between
from .deformable import Displacement, residual_displacement
from .field_of_view import covered_by, filled_beyond
from .grids import AIR_HU, resample_labels, resample_volume
from .label_field import LabelField, label_field
from .registration import register

MIN_OVERLAP = 0.35
"""Least share (Dice, all shared labels together) at which a template still shows what lies where."""
PLAUSIBLE_SCALES = (0.5, 2.0)
"""Hearts differ less; more stretching means that the labels do not determine the motion."""
MIN_COVERED = 0.2
"""Least share of the target's shared labels inside the template's field of view."""
THIN_WEIGHT = 0.3
"""Vessel courses differ between people: they steer where nothing thicker does."""
THIN_RADIUS_MM = 4.0


@dataclass(frozen=True, eq=False)
class AlignedTemplate:
    """The template on the target's grid."""

    image: Volume
    """HU; beyond the template's field of view the nearest unlabelled tissue, coarse and smooth."""
    labels: LabelMap
    """The template's own label values; background beyond its field of view."""
    covered: NDArray[np.bool_]
    """Where the template has voxels (i, j, k)."""
    report: AlignmentReport


def align_template(
    template: Template,
    target: LabelMap,
    correspondence: Mapping[int, int] | None = None,
    min_overlap: float = MIN_OVERLAP,
) -> AlignedTemplate:
    """Bring a template to a target mask on any grid, orientation and spacing: rigid, then affine, then a smooth displacement.

    ``correspondence``: target label -> template label, see ``correspondence_between``.
    Raises StructDiffError if no label is shared or the aligned labels overlap less than ``min_overlap`` (Dice).
    """
    began = time.perf_counter()
    matched = correspondence_between(target, template.pair.mask, correspondence)
    fields = _Fields.of(template.pair.mask, target, matched)
    matrix = register(fields.target, fields.template, fields.weights)[1]
    affine = _resampled(template, target.geometry, matrix, None)
    report = alignment_report(template.pair.mask, target, affine.labels, affine.covered, matched, matrix)
    _refuse_poor(report, min_overlap)
    found, displacement = _deformed(template, target, fields, affine, report)
    usable = found.covered & (found.labels.voxels == 0)
    filled = Volume(filled_beyond(found.image.voxels, found.covered, usable, target.geometry), target.geometry)
    overlap = overall_overlap(target, found.labels, found.covered, matched)
    report = report.deformed(overlap, displacement, time.perf_counter() - began)
    return AlignedTemplate(filled, found.labels, found.covered, report)


@dataclass(frozen=True, eq=False)
class _Fields:
    """The shared labels of both masks as distance maps, and how much each counts."""

    target: LabelField
    template: LabelField
    weights: Mapping[int, float]

    @classmethod
    def of(cls, mask: LabelMap, target: LabelMap, matched: Mapping[int, int]) -> _Fields:
        groups = {source: tuple(v for v, s in matched.items() if s == source) for source in sorted(set(matched.values()))}
        ours = label_field(target, groups)
        theirs = label_field(mask, {source: (source,) for source in groups})
        return cls(ours, theirs, {g: THIN_WEIGHT if _is_thin(ours, g) else 1.0 for g in groups})

    @property
    def thick(self) -> list[int]:
        return [group for group in self.weights if not _is_thin(self.target, group)]


@dataclass(frozen=True, eq=False)
class _Resampled:
    """The template on the target's grid, not yet filled beyond its field of view."""

    image: Volume
    labels: LabelMap
    covered: NDArray[np.bool_]


def _deformed(
    template: Template, target: LabelMap, fields: _Fields, affine: _Resampled, report: AlignmentReport
) -> tuple[_Resampled, Displacement | None]:
    """The template under affine motion and displacement, or as it was where a displacement does not bring more overlap."""
    if not fields.thick:
        return affine, None
    matrix = np.asarray(report.matrix)
    displacement = residual_displacement(fields.target, fields.template, matrix, fields.thick)
    found = _resampled(template, target.geometry, matrix, displacement)
    better = overall_overlap(target, found.labels, found.covered, report.correspondence) > report.overall_overlap
    return (found, displacement) if better else (affine, None)


def _resampled(template: Template, grid: Geometry, matrix: NDArray[np.float64], displacement: Displacement | None) -> _Resampled:
    displaced = None if displacement is None else (displacement.mm, displacement.grid)
    pair = template.pair
    if displacement is None:
        covered = covered_by(pair.geometry, grid, matrix)
    else:
        whole = np.ones(pair.geometry.shape, np.uint8)
        covered = resampled(whole, pair.geometry, grid, sitk.sitkNearestNeighbor, 0, matrix, displaced) > 0
    image = resample_volume(pair.image, grid, AIR_HU, to_source=matrix, displaced=displaced)
    labels = resample_labels(pair.mask, grid, to_source=matrix, displaced=displaced)
    return _Resampled(image, labels, covered)


def _is_thin(field: LabelField, group: int) -> bool:
    return bool(-field.distances[group].min() < THIN_RADIUS_MM)


def _refuse_poor(report: AlignmentReport, min_overlap: float) -> None:
    if report.covered_labels < MIN_COVERED:
        raise StructDiffError(
            f"only {100 * report.covered_labels:.0f} % of the target's shared labels lie in the template's field of view "
            f"(at least {100 * MIN_COVERED:.0f} % needed)",
            "give a template that shows the target's structures",
        )
    if not PLAUSIBLE_SCALES[0] <= report.scales[2] <= report.scales[0] <= PLAUSIBLE_SCALES[1]:
        raise StructDiffError(
            f"target and template cannot be aligned: it would be scaled by {report.scales[2]:.2f} to {report.scales[0]:.2f}",
            "give a template of the same anatomy with more labels in common",
        )
    if report.overall_overlap < min_overlap:
        raise StructDiffError(
            f"target and template cannot be aligned: their shared labels overlap by Dice {report.overall_overlap:.2f}, "
            f"at least {min_overlap:.2f} needed",
            "give a template of the same anatomy, or say which labels correspond (--correspondence 9=3)",
        )
