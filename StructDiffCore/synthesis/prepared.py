"""Prepared: all that a synthesis needs and no seed changes, made once per target and template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry, LabelMap, Template
from StructDiffCore.measures.noise import NoiseModel, fit_noise
from StructDiffCore.models.coarse_labels import Borders, part_borders, part_labels
from StructDiffCore.models.conditioning import ConditionSource, condition_source, template_codes, template_point_spread_mm
from StructDiffCore.models.pseudo_labels import pseudo_labels
from StructDiffCore.models.region_code import RegionCode
from StructDiffCore.preprocess.alignment import AlignedTemplate, align_template
from StructDiffCore.preprocess.sanity import check_hu

from .acquisition_noise import axial_axis
from .ladder import refuse_what_cannot_fit
from .memory import MOST_VOXELS_READ


@dataclass(frozen=True, eq=False)
class TemplateLook:
    """How the whole template looks, read on its own grid."""

    codes: Mapping[int, RegionCode]
    """Region code per label, pseudo-label and part of a coarse label."""
    borders: Borders
    """HU between the parts of coarse labels."""
    noise: NoiseModel
    psf_sigma_mm: float
    """Point spread that explains the template's edges."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A target with its aligned template."""

    geometry: Geometry
    source: ConditionSource
    template_labels: NDArray[np.integer]
    """The aligned template's own labels (i, j, k)."""
    look: TemplateLook
    record: dict[str, Any]
    """JSON-able: template id, alignment, origins of the codes, noise, point spread."""

    @cached_property
    def detailed_source(self) -> ConditionSource:
        """The condition with the template's detail, made once for all samples."""
        return self.source.with_template_detail()


def prepare(target: LabelMap, template: Template, correspondence: Mapping[int, int] | None = None) -> Prepared:
    """Check, align, read the template's look and lay out the condition.

    ``correspondence`` maps a target label to the template label it looks like. Raises StructDiffError for images that are no CT,
    templates that cannot be aligned and volumes that cannot fit into memory.
    """
    check_hu(template.pair.image, "the template image")
    refuse_what_cannot_fit(target.geometry.shape, template.pair.mask.voxels.size)
    aligned = align_template(template, target, correspondence)
    look = read_look(template)
    source = lay_out(target, aligned, look)
    record = {
        "template": template.id,
        "alignment": aligned.report.as_dict(),
        "code_origins": {target.scheme[value].name: origin for value, origin in source.origins.items()},
        "coarse_labels": {template.pair.mask.scheme[v].name: [round(hu) for hu in b] for v, b in look.borders.items()},
        "psf_sigma_mm": round(look.psf_sigma_mm, 3),
        "noise": look.noise.as_dict(),
    }
    return Prepared(target.geometry, source, aligned.labels.voxels, look, record)


def read_look(template: Template) -> TemplateLook:
    """Point spread, codes and noise of a template, on its own grid; of a very large one, in the slab with most of its labels."""
    mask = template.pair.mask
    slab = densest_slab(mask.voxels, MOST_VOXELS_READ)
    image, labels = template.pair.image.voxels[..., slab], mask.voxels[..., slab]
    spacing = mask.geometry.spacing
    thin = mask.scheme.thin_values
    psf = template_point_spread_mm(image, labels, spacing, thin)
    borders = part_borders(image, labels, spacing, thin)
    codes = template_codes(image, labels, spacing, thin, psf, borders)
    regions = np.where(labels > 0, part_labels(image, labels, borders, spacing), pseudo_labels(image, labels, spacing))
    return TemplateLook(codes, borders, fit_noise(image, regions, spacing, axial_axis(mask.geometry)), psf)


def densest_slab(labels: NDArray[np.integer], most_voxels: int) -> slice:
    """The run of slices along k, of at most ``most_voxels``, that holds most labelled voxels."""
    slices = labels.shape[2]
    kept = min(slices, max(1, most_voxels * slices // labels.size))
    running = np.concatenate([[0], np.cumsum(np.count_nonzero(labels, axis=(0, 1)))])
    start = int(np.argmax(running[kept:] - running[: slices - kept + 1]))
    return slice(start, start + kept)


def lay_out(target: LabelMap, aligned: AlignedTemplate, look: TemplateLook) -> ConditionSource:
    """The condition of a whole target; each label looks like the template label it was aligned with."""
    matched = dict(aligned.report.correspondence)
    if target.scheme == aligned.labels.scheme:
        matched = {**{value: value for value in target.scheme.values}, **matched}
    return condition_source(
        target.voxels,
        aligned.image.voxels,
        aligned.labels.voxels,
        look.codes,
        target.geometry.spacing,
        scheme=target.scheme,
        correspondence=matched,
        covered=aligned.covered,
        borders=look.borders,
        softness_mm=look.psf_sigma_mm,
    )
