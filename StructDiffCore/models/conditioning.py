"""Conditioning: target labels and aligned template to the network's maps and codes, in training and synthesis alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from StructDiffCore.domain import LabelScheme
from StructDiffCore.measures.distance import distance_to, signed_distance
from StructDiffCore.measures.edges import edge_widths, point_spread_mm

from .coarse_labels import PART_BASE, Borders, part_labels
from .composite import Slots, composite_slots
from .painted_prior import DEFAULT_SOFTNESS_MM, paint_prior
from .pseudo_labels import pseudo_labels
from .region_code import RegionCode, region_codes
from .template_detail import shared_context, template_detail
from .vessel_surroundings import share_at, wall_share

REACH_MM = 8.0
"""Distances are clipped to this."""
WIDEST_SOFTNESS_MM = 1.5
"""A point spread read wider than this comes from masks that are off, not from a scanner."""

Index = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class ConditionMaps:
    """What the generator knows about a piece of the target; all maps are float32 (i, j, k)."""

    prior_hu: NDArray[np.float32]
    """The painted prior P in HU."""
    edge_distance_mm: NDArray[np.float32]
    """Unsigned distance to the nearest border between target labels, at most 8 mm."""
    thin_distance_mm: NDArray[np.float32]
    """Signed distance to the target's thin labels, negative inside, within +-8 mm."""
    template_hu: NDArray[np.float32]
    """The aligned template image in HU; P where it is not known."""
    template_prior_hu: NDArray[np.float32]
    """The template's own painted prior: template - template prior shows how a mask looks as an image. P where not known."""
    template_known: NDArray[np.float32]
    """1 where the aligned template has an image, else 0."""
    slots: NDArray[np.int16]
    """(i, j, k): row of ``codes`` that holds each voxel's region code."""
    codes: NDArray[np.float32]
    """(S, CODE_LENGTH)."""

    @property
    def shape(self) -> Index:
        return self.slots.shape

    def crop(self, start: Index, shape: Index) -> ConditionMaps:
        """The piece from voxel ``start``; beyond the border the outermost voxel repeats."""
        maps = {f.name: _piece(getattr(self, f.name), start, shape) for f in fields(self) if f.name != "codes"}
        return ConditionMaps(**maps, codes=self.codes)


@dataclass(frozen=True, eq=False)
class ConditionSource:
    """A whole target and its aligned template, from which the maps of any piece are made when asked for."""

    target_labels: NDArray[np.integer]
    """(i, j, k), 0 = unlabelled."""
    thin_values: tuple[int, ...]
    slots: Slots
    """Composite label maps of target and template, medians and codes."""
    template_image: NDArray[np.float32]
    """(i, j, k) in HU, aligned with the target."""
    known: NDArray[np.bool_]
    """Where the template has an image."""
    spacing_mm: NDArray[np.float64]
    softness_mm: float
    detail_hu: NDArray[np.float32] | None = None
    """(i, j, k): what the painted prior has on top of its paint, None for nothing."""

    @property
    def shape(self) -> Index:
        return self.target_labels.shape

    @property
    def origins(self) -> dict[int, str]:
        """Where each target label's code came from, for the manifest."""
        return dict(self.slots.origins)

    def crop(self, start: Index, shape: Index) -> ConditionMaps:
        """Maps of the piece from voxel ``start`` (which may leave the volume: the outermost voxel repeats)."""
        if tuple(start) == (0, 0, 0) and tuple(shape) == self.shape:
            return self._maps()
        margin = np.ceil(REACH_MM / self.spacing_mm).astype(int) + 1
        outer_start = _triple(np.asarray(start) - margin)
        outer_shape = _triple(np.asarray(shape) + 2 * margin)
        outer = ConditionSource(
            _piece(self.target_labels, outer_start, outer_shape),
            self.thin_values,
            self.slots.moved(lambda a: _piece(a, outer_start, outer_shape)),
            _piece(self.template_image, outer_start, outer_shape),
            _piece(self.known, outer_start, outer_shape),
            self.spacing_mm,
            self.softness_mm,
            None if self.detail_hu is None else _piece(self.detail_hu, outer_start, outer_shape),
        )
        return outer._maps().crop(_triple(margin), shape)

    def _maps(self) -> ConditionMaps:
        thin_distance, known = _thin_distance(self.target_labels, self.thin_values, self.spacing_mm), self.known
        prior = self._target_prior(thin_distance, self.softness_mm)
        return ConditionMaps(
            prior_hu=prior,
            edge_distance_mm=_edge_distance(self.target_labels, self.spacing_mm),
            thin_distance_mm=thin_distance,
            template_hu=np.where(known, self.template_image, prior).astype(np.float32),
            template_prior_hu=np.where(known, self._template_prior(), prior) if known.any() else prior,
            template_known=known.astype(np.float32),
            slots=self.slots.target,
            codes=self.slots.codes,
        )

    def prior(self, softness_mm: ArrayLike | None = None) -> NDArray[np.float32]:
        """The painted prior P (i, j, k) of the whole target, in HU, with another point spread where one is given."""
        thin_distance = _thin_distance(self.target_labels, self.thin_values, self.spacing_mm)
        return self._target_prior(thin_distance, self.softness_mm if softness_mm is None else softness_mm)

    def with_template_detail(self) -> ConditionSource:
        """The same with the template's detail of unlabelled tissue on top of the target's prior."""
        context = shared_context(self.slots, self.spacing_mm) & self.known
        misfit = np.where(self.known, self.template_image - self._template_prior(), 0).astype(np.float32)
        return replace(self, detail_hu=template_detail(misfit, context, self.spacing_mm))

    def _target_prior(self, thin_distance_mm: NDArray[np.float32], softness_mm: ArrayLike) -> NDArray[np.float32]:
        painted = self._painted(self.slots.target, share_at(thin_distance_mm, self.spacing_mm), softness_mm)
        return painted if self.detail_hu is None else painted + self.detail_hu

    def _template_prior(self) -> NDArray[np.float32]:
        lumen = np.isin(self.slots.template, self.slots.thin)
        return self._painted(self.slots.template, wall_share(lumen, self.spacing_mm), self.softness_mm)

    def _painted(self, slots: NDArray[np.int16], wall: NDArray[np.float32], softness: ArrayLike) -> NDArray[np.float32]:
        medians = dict(enumerate(self.slots.medians))
        return paint_prior(slots, medians, self.spacing_mm, softness, self.slots.thin, wall, self.slots.wall_hu)


def template_point_spread_mm(
    image: NDArray[np.float32], labels: NDArray[np.integer], spacing_mm: ArrayLike, thin_values: Iterable[int] = ()
) -> float:
    """Standard deviation of the point spread that explains a template's edges: image (i, j, k) in HU, labels (i, j, k)."""
    thick = sorted(set(np.flatnonzero(np.bincount(labels.ravel())).tolist()) - {0} - set(thin_values))
    return min(point_spread_mm(edge_widths(image, labels, spacing_mm, thick).values()), WIDEST_SOFTNESS_MM)


def template_codes(
    image: NDArray[np.float32],
    labels: NDArray[np.integer],
    spacing_mm: ArrayLike,
    thin_values: Iterable[int] = (),
    psf_sigma_mm: float = DEFAULT_SOFTNESS_MM,
    borders: Borders | None = None,
) -> dict[int, RegionCode]:
    """Codes of a whole template, its unlabelled tissue split into pseudo-labels: image (i, j, k) in HU, labels (i, j, k).

    With ``borders`` (``part_borders``) the parts of coarse labels have codes too, beside their labels'.
    """
    composite = np.where(labels > 0, labels.astype(np.int32), pseudo_labels(image, labels, spacing_mm))
    codes = region_codes(image, composite, spacing_mm, thin_values, psf_sigma_mm)
    if borders:
        parts = part_labels(image, labels, borders, spacing_mm)
        finer = region_codes(image, np.where(parts > 0, parts, composite), spacing_mm, thin_values, psf_sigma_mm)
        codes |= {value: code for value, code in finer.items() if value >= PART_BASE}
    return codes


def condition_source(
    target_labels: NDArray[np.integer],
    template_image: NDArray[np.float32],
    template_labels: NDArray[np.integer],
    codes: Mapping[int, RegionCode],
    spacing_mm: ArrayLike,
    *,
    scheme: LabelScheme | None = None,
    thin_values: Iterable[int] | None = None,
    target_values: Iterable[int] | None = None,
    correspondence: Mapping[int, int] | None = None,
    covered: NDArray[np.bool_] | None = None,
    template_pseudo: NDArray[np.integer] | None = None,
    borders: Borders | None = None,
    softness_mm: float = DEFAULT_SOFTNESS_MM,
    drop_template: bool = False,
) -> ConditionSource:
    """All arrays are (i, j, k) on the target's grid of ``spacing_mm``; ``codes`` are the whole template's (``template_codes``).

    ``thin_values`` default to the scheme's; ``target_values`` are the labels the *whole* target uses (default: those in
    ``target_labels``): a template label outside them is carried over as context, one inside them makes way.
    ``correspondence``: target label -> template label it looks like (default: the one of equal value). ``covered`` is where
    the aligned template has an image. ``template_pseudo`` spares the pseudo-labels where they are known already.
    ``borders`` splits the template's coarse labels, and with them the target's that look like them (``part_borders``).
    ``drop_template`` hides the template's image maps (its codes and tissue layout stay).
    """
    spacing = np.asarray(spacing_mm, float)
    known = np.ones(target_labels.shape, bool) if covered is None else np.asarray(covered, bool)
    pseudo = pseudo_labels(template_image, template_labels, spacing, covered) if template_pseudo is None else template_pseudo
    parts = part_labels(template_image, template_labels, borders, spacing) if borders else None
    thin = tuple(thin_values) if thin_values is not None else (scheme.thin_values if scheme else ())
    slots = composite_slots(
        target_labels,
        template_labels,
        pseudo,
        codes,
        scheme,
        thin_values=thin,
        target_values=target_values,
        correspondence=correspondence,
        parts=parts,
        spacing_mm=spacing,
    )
    if drop_template:
        known = np.zeros_like(known)
    return ConditionSource(target_labels, thin, slots, template_image, known, spacing, softness_mm)


def build_condition(
    target_labels: NDArray[np.integer],
    template_image: NDArray[np.float32],
    template_labels: NDArray[np.integer],
    codes: Mapping[int, RegionCode],
    spacing_mm: ArrayLike,
    **options: object,
) -> ConditionMaps:
    """Maps of all voxels given: ``condition_source`` (same arguments) asked for the whole. Give crops a margin of 8 mm."""
    source = condition_source(target_labels, template_image, template_labels, codes, spacing_mm, **options)  # type: ignore[arg-type]
    return source.crop((0, 0, 0), source.shape)


def _edge_distance(labels: NDArray[np.integer], spacing: NDArray[np.float64]) -> NDArray[np.float32]:
    borders = _border_voxels(labels)
    if not borders.any():
        return np.full(labels.shape, REACH_MM, np.float32)
    return np.minimum(distance_to(borders, spacing) + np.float32(0.5 * spacing.mean()), np.float32(REACH_MM))


def _border_voxels(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Voxels with a face neighbour of another label."""
    borders = np.zeros(labels.shape, bool)
    for axis in range(3):
        moved, marked = np.moveaxis(labels, axis, 0), np.moveaxis(borders, axis, 0)
        changes = moved[1:] != moved[:-1]
        marked[1:] |= changes
        marked[:-1] |= changes
    return borders


def _thin_distance(labels: NDArray[np.integer], values: tuple[int, ...], spacing: NDArray[np.float64]) -> NDArray[np.float32]:
    thin = np.isin(labels, values)
    if not thin.any():
        return np.full(labels.shape, REACH_MM, np.float32)
    return np.clip(signed_distance(thin, spacing), -REACH_MM, REACH_MM)


def _triple(numbers: NDArray[np.int64]) -> Index:
    i, j, k = (int(n) for n in numbers)
    return i, j, k


def _piece(array: NDArray, start: Index, shape: Index) -> NDArray:
    """Sub-array from ``start``; indices beyond the border repeat the outermost voxel."""
    inside = all(s >= 0 and s + n <= size for s, n, size in zip(start, shape, array.shape))
    if inside:
        return np.ascontiguousarray(array[tuple(slice(s, s + n) for s, n in zip(start, shape))])
    index = [np.clip(np.arange(s, s + n), 0, size - 1) for s, n, size in zip(start, shape, array.shape)]
    return array[np.ix_(*index)]
