"""The template brought to the target: registration on shared labels, resampling, and an honest report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import LabelMap, StructDiffError, Template, Volume

from .alignment_report import AlignmentReport, alignment_report
from .correspondence import correspondence_between
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
    """Bring a template to a target mask on any grid, orientation and spacing, by rigid then affine motion.

    ``correspondence``: target label -> template label, see ``correspondence_between``.
    Raises StructDiffError if no label is shared or the aligned labels overlap less than ``min_overlap`` (Dice).
    """
    began = time.perf_counter()
    matched = correspondence_between(target, template.pair.mask, correspondence)
    matrix = _registered(template.pair.mask, target, matched)
    covered = covered_by(template.pair.geometry, target.geometry, matrix)
    labels = resample_labels(template.pair.mask, target.geometry, to_source=matrix)
    report = alignment_report(template.pair.mask, target, labels, covered, matched, matrix)
    _refuse_poor(report, min_overlap)
    image = resample_volume(template.pair.image, target.geometry, AIR_HU, to_source=matrix)
    usable = covered & (labels.voxels == 0)
    filled = Volume(filled_beyond(image.voxels, covered, usable, target.geometry), target.geometry)
    return AlignedTemplate(filled, labels, covered, replace(report, seconds=time.perf_counter() - began))


def _registered(mask: LabelMap, target: LabelMap, matched: Mapping[int, int]) -> NDArray[np.float64]:
    groups = {source: tuple(v for v, s in matched.items() if s == source) for source in sorted(set(matched.values()))}
    ours = label_field(target, groups)
    theirs = label_field(mask, {source: (source,) for source in groups})
    weights = {g: THIN_WEIGHT if _is_thin(ours, g) else 1.0 for g in groups}
    return register(ours, theirs, weights)[1]


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
