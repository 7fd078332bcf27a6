"""RegionCode: what a label looks like in the whole template, in numbers any label set has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from StructDiffCore.domain import LabelScheme

from .painted_prior import DEFAULT_SOFTNESS_MM
from .partial_volume import unblurred_hu
from .pseudo_labels import PSEUDO_BASE

BAND_SIGMAS_MM = (0.8, 1.6, 3.2)
"""Texture bands: finer than the first, between first and second, between second and third."""
FEWEST_INTERIOR = 40
"""With fewer eroded voxels than this a label is treated as thin."""
ENOUGH_DEEP = 500
"""With this many voxels two layers inside, the outer layer is not needed."""
NULL_HU = 45.0
"""What a label is painted with of which nothing is known: soft tissue."""


@dataclass(frozen=True)
class RegionCode:
    """Robust statistics of one label; ``vector`` is what the network reads."""

    median_hu: float = NULL_HU
    p10_hu: float = NULL_HU
    p90_hu: float = NULL_HU
    band_fine_hu: float = 0.0
    """Robust standard deviation of the texture finer than 0.8 mm: noise amplitude."""
    band_middle_hu: float = 0.0
    band_coarse_hu: float = 0.0
    autocorrelation_in_plane: float = 0.0
    """Of the texture about its 3.2 mm mean, at a lag of about 1 mm along i and j."""
    autocorrelation_axial: float = 0.0
    volume_mm3: float = 0.0
    thickness_mm: float = 0.0
    """Volume over surface; a quarter of a tube's diameter."""
    thin: bool = False
    pseudo: bool = False
    """An intensity class of unlabelled tissue."""
    inverted: bool = False
    """The median was inverted for partial volume."""
    borrowed: bool = False
    """Taken from another label of the group or a correspondence."""
    known: bool = False
    """False for the null code."""

    @property
    def vector(self) -> NDArray[np.float32]:
        """(CODE_LENGTH,): the entries in order, scaled to about unit spread; all zero for the null code."""
        if not self.known:
            return np.zeros(CODE_LENGTH, np.float32)
        hu = [v / 500 for v in (self.median_hu, self.p10_hu, self.p90_hu)]
        bands = [np.log(max(v, 1.0) / 10) for v in (self.band_fine_hu, self.band_middle_hu, self.band_coarse_hu)]
        shape = [np.log10(max(self.volume_mm3, 1.0)) / 2 - 2, np.log(max(self.thickness_mm, 0.05))]
        flags = [self.thin, self.pseudo, self.inverted, self.borrowed, self.known]
        entries = [*hu, *bands, self.autocorrelation_in_plane, self.autocorrelation_axial, *shape, *flags]
        return np.clip(np.asarray(entries, np.float32), -4, 4)


CODE_LENGTH = len(fields(RegionCode))
NULL_CODE = RegionCode()


def region_codes(
    image: NDArray[np.float32],
    labels: NDArray[np.integer],
    spacing_mm: ArrayLike,
    thin_values: Iterable[int] = (),
    psf_sigma_mm: float = DEFAULT_SOFTNESS_MM,
) -> dict[int, RegionCode]:
    """Codes of all labels of a template: ``image`` (i, j, k) in HU, ``labels`` (i, j, k) with pseudo-labels where unlabelled.

    Thick labels are read in their interior (one voxel eroded), thin and tiny ones inverted for partial volume with
    ``psf_sigma_mm``. Value 0, if it occurs, is left out of the result.
    """
    spacing = np.asarray(spacing_mm, float)
    values, compact = np.unique(labels, return_inverse=True)
    compact = compact.reshape(labels.shape).astype(np.uint8 if len(values) < 256 else np.uint16)
    regions = _Regions(image, compact, len(values), spacing)
    thin = {int(v) for v in thin_values}
    raw = {int(v): regions.code(rank) for rank, v in enumerate(values)}
    codes = {v: replace(c, thin=v in thin, pseudo=v >= PSEUDO_BASE) for v, c in raw.items()}
    medians = {v: c.median_hu for v, c in codes.items()}
    for rank, value in enumerate(values.tolist()):
        if value != 0 and value < PSEUDO_BASE and (value in thin or regions.interior_count[rank] < FEWEST_INTERIOR):
            hu = unblurred_hu(image, labels, value, medians, spacing, psf_sigma_mm)
            codes[value] = _inverted(codes[value], hu, regions.noise_hu)
    codes.pop(0, None)
    return codes


def code_for(
    label: int, codes: Mapping[int, RegionCode], scheme: LabelScheme | None, correspondence: Mapping[int, int] | None = None
) -> tuple[RegionCode, str]:
    """Code of a target label and where it came from: "template", "correspondence:7", "group:6" or "null".

    ``correspondence`` says which template label each target label looks like; without one, equal values mean the same. A label
    the template lacks takes the code of its group: of a label it touches (coronary <- aorta), else of the largest.
    """
    source = _source(label, correspondence)
    if source in codes:
        if source == label:
            return codes[source], "template"
        return replace(codes[source], borrowed=True), f"correspondence:{source}"
    relative = _relative(label, codes, scheme, correspondence) if scheme else None
    if relative is None:
        return NULL_CODE, "null"
    return replace(codes[relative], borrowed=True), f"group:{relative}"


def _source(label: int, correspondence: Mapping[int, int] | None) -> int:
    """The template label that ``label`` looks like; -1 for none."""
    return label if correspondence is None else correspondence.get(label, -1)


def _relative(
    label: int, codes: Mapping[int, RegionCode], scheme: LabelScheme, correspondence: Mapping[int, int] | None
) -> int | None:
    """The template label of the same group whose look to borrow."""
    if label not in scheme.values or not scheme[label].group:
        return None
    group = [other.value for other in scheme.labels if other.group == scheme[label].group]
    group = [value for value in group if _source(value, correspondence) in codes]
    touching = [v for v in group if (v, label) in scheme.touching or (label, v) in scheme.touching]
    sources = [_source(value, correspondence) for value in touching or group]
    return max(sources, key=lambda source: codes[source].volume_mm3, default=None)


def _inverted(code: RegionCode, hu: float, noise_hu: float) -> RegionCode:
    spread = 1.2816 * noise_hu
    return replace(code, median_hu=hu, p10_hu=hu - spread, p90_hu=hu + spread, inverted=True)


class _Regions:
    """All labels' voxels sorted once, so that each statistic is a slice."""

    def __init__(self, image: NDArray, compact: NDArray[np.unsignedinteger], count: int, spacing: NDArray) -> None:
        self.spacing = spacing
        interior = _interior(compact, count)
        order = np.argsort(compact, axis=None, kind="stable")
        self.order = order
        self.borders = np.searchsorted(compact.ravel()[order], np.arange(count + 1))
        self.inside = interior.ravel()[order]
        self.hu = image.ravel()[order]
        self.interior_count = [int(self.inside[self._span(rank)].sum()) for rank in range(count)]
        self.exposed = _exposed_faces_mm2(compact, count, spacing)
        self._texture(image, compact, interior)

    def _span(self, rank: int) -> slice:
        return slice(self.borders[rank], self.borders[rank + 1])

    def _chosen(self, sorted_values: NDArray, rank: int) -> NDArray:
        """The label's interior voxels, or all where it has hardly any."""
        span = self._span(rank)
        values = sorted_values[span]
        return values[self.inside[span]] if self.interior_count[rank] >= FEWEST_INTERIOR else values

    def _texture(self, image: NDArray, compact: NDArray[np.unsignedinteger], interior: NDArray[np.bool_]) -> None:
        """Bands and lagged products of what is left when each label's median is taken off; borders weigh nothing."""
        count = len(self.borders) - 1
        medians = np.array([np.median(self._chosen(self.hu, rank)) for rank in range(count)], np.float32)
        weight = interior.astype(np.float32)
        centred = (image - medians[compact]) * weight
        smooth = [_mean_within(centred, weight, sigma / self.spacing) for sigma in BAND_SIGMAS_MM]
        levels = [centred, *smooth]
        bands = [(fine - coarse) * weight for fine, coarse in pairwise(levels)]
        self.bands = [band.ravel()[self.order] for band in bands]
        texture = (centred - smooth[-1]) * weight
        self.squares = (texture * texture).ravel()[self.order]
        self.products = [_lagged(texture, axis, self.spacing[axis]).ravel()[self.order] for axis in range(3)]
        self.pairs = [_lagged(weight, axis, self.spacing[axis]).ravel()[self.order] for axis in range(3)]
        fine = self.bands[0][self.inside]
        self.noise_hu = _spread(fine) if len(fine) else 0.0

    def code(self, rank: int) -> RegionCode:
        hu = self._chosen(self.hu, rank)
        p10, median, p90 = np.percentile(hu, (10, 50, 90))
        volume = len(self.hu[self._span(rank)]) * float(np.prod(self.spacing))
        lone = self.interior_count[rank] < FEWEST_INTERIOR
        fine, middle, coarse = [0.0] * 3 if lone else [_spread(self._chosen(b, rank)) for b in self.bands]
        i, j, k = [0.0] * 3 if lone else [self._autocorrelation(rank, axis) for axis in range(3)]
        return RegionCode(
            float(median), float(p10), float(p90),
            self.noise_hu if lone else fine, middle, coarse, (i + j) / 2, k,
            volume, volume / max(float(self.exposed[rank]), 1e-6), known=True,
        )  # fmt: skip

    def _autocorrelation(self, rank: int, axis: int) -> float:
        span = self._span(rank)
        pairs = float(self.pairs[axis][span].sum())
        variance = float(self.squares[span].sum()) / max(self.interior_count[rank], 1)
        if pairs < FEWEST_INTERIOR or variance <= 0:
            return 0.0
        return float(np.clip(float(self.products[axis][span].sum()) / pairs / variance, -1, 1))


def _interior(compact: NDArray[np.unsignedinteger], count: int) -> NDArray[np.bool_]:
    """Voxels two layers inside their label, or one layer where that leaves a label too few: blur reaches that far."""
    inside, deep = (ndimage.minimum_filter(compact, size) == ndimage.maximum_filter(compact, size) for size in (3, 5))
    thick = np.bincount(compact[deep], minlength=count) >= ENOUGH_DEEP
    return np.where(thick[compact], deep, inside)


def _spread(values: NDArray) -> float:
    """Standard deviation by the median absolute deviation (values are centred already)."""
    return 1.4826 * float(np.median(np.abs(values)))


def _mean_within(centred: NDArray, weight: NDArray, sigma: NDArray) -> NDArray[np.float32]:
    total = ndimage.gaussian_filter(centred, sigma, truncate=2.0)
    return total / np.maximum(ndimage.gaussian_filter(weight, sigma, truncate=2.0), 1e-3)


def _lagged(values: NDArray[np.float32], axis: int, step_mm: float) -> NDArray[np.float32]:
    """Product of every voxel with the one about 1 mm further along ``axis``; 0 where that leaves the grid."""
    lag = min(max(1, round(1 / float(step_mm))), values.shape[axis] - 1)
    product = np.zeros_like(values)
    if lag:
        head = np.moveaxis(values, axis, 0)
        np.moveaxis(product, axis, 0)[:-lag] = head[:-lag] * head[lag:]
    return product


def _exposed_faces_mm2(compact: NDArray[np.unsignedinteger], count: int, spacing: NDArray) -> NDArray[np.float64]:
    """Area per label of the voxel faces where another label begins."""
    area = np.zeros(count)
    for axis in range(3):
        face = float(np.prod(spacing) / spacing[axis])
        moved = np.moveaxis(compact, axis, 0)
        changes = moved[1:] != moved[:-1]
        for side in (moved[1:], moved[:-1]):
            area += face * np.bincount(side[changes], minlength=count)
    return area
