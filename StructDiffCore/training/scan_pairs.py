"""Training pairs from real scans: the target is a denoised region, the template a deformed copy of it or another region."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from StructDiffCore.domain import Geometry
from StructDiffCore.models.coarse_labels import part_borders
from StructDiffCore.models.conditioning import build_condition, template_codes, template_point_spread_mm

from .crops import TrainingCrop, crop_start, thin_weights
from .misalignment import Misalignment
from .scan_regions import IntensityClasses, draw_class_table, draw_regions, jittered
from .scans import Box, Scan, ScanPool
from .settings import PairSettings, Phase

REGION_MM = 140.0
"""Edge of a region: what a template shows."""
MOST_VOXELS = 104
"""Edge of a region at fine voxels: more would keep the network waiting."""
MARGIN_MM = 10.0
"""Around a region, for the deformation to reach into."""
KNOTS_APART_MM = 28.0
LOUDNESS_MM = 9.0
TRIES = 8
MOSTLY_AIR = 0.6
ANOTHER_REGION = 0.25
"""Share of pairs whose template is another region of the scan."""
Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Region:
    """A box of a scan with a margin all around; float32 (i, j, k)."""

    clean: NDArray[np.float32]
    own: NDArray[np.int32]
    amplitude: NDArray[np.float32]
    """Local spread of the scan's noise, HU."""
    margin: Shape

    @property
    def inner(self) -> Box:
        i, j, k = (slice(m, n - m) for m, n in zip(self.margin, self.clean.shape))
        return i, j, k


@dataclass(frozen=True, eq=False)
class Half:
    """A template or a target: image in HU and mask."""

    image: NDArray[np.float32]
    labels: NDArray[np.int32]


@dataclass(frozen=True)
class ScanPairStream:
    """Pairs of regions of real scans; chance comes from the generator given alone."""

    pool: ScanPool
    settings: PairSettings
    held_aside: bool = False
    """Draw from the slices that training never shows (validation)."""

    def crops(self, phase: Phase, rng: np.random.Generator) -> Iterator[TrainingCrop]:
        """As many crops as a pair of hearts gives, from two pairs of regions."""
        for _ in range(2):
            scan = self.pool[int(rng.integers(len(self.pool)))]
            target, template = self._halves(scan, rng)
            yield from self._crops(scan, template, target, phase, rng)

    def _halves(self, scan: Scan, rng: np.random.Generator) -> tuple[Half, Half]:
        spacing = np.asarray(scan.card.spacing_mm)
        flips = [slice(None, None, int(rng.choice((-1, 1)))) for _ in range(3)]
        tone = ToneCurve.draw(rng)
        region = self._region(scan, tone, flips, rng)
        if rng.random() < ANOTHER_REGION:
            other = self._region(scan, tone, flips, rng)
            classes, table = IntensityClasses.draw(rng), draw_class_table(rng)
            masks = [table[classes.of(r.clean, spacing)][r.inner] for r in (region, other)]
            target, shown = (Half(r.clean[r.inner], m) for r, m in zip((region, other), masks))
            amplitude = other.amplitude[other.inner]
        else:
            mask = draw_regions(region.clean, region.own, spacing, rng)
            target, shown = Half(region.clean[region.inner], mask[region.inner]), deformed(region, mask, spacing, rng)
            amplitude = region.amplitude[region.inner]
        spread = self.settings.label_jitter
        target, shown = (Half(h.image, jittered(h.labels, spread, spacing, rng)) for h in (target, shown))
        return target, Half(shown.image + self._foreign_noise(scan, amplitude, flips, rng), shown.labels)

    def _region(self, scan: Scan, tone: ToneCurve, flips: list[slice], rng: np.random.Generator) -> Region:
        """A box with a margin, somewhere that is not mostly air."""
        margin = _margin(scan)
        for _ in range(TRIES):
            box = self._box(scan, margin, rng)
            clean = scan.read("clean", box)
            if np.mean(clean < -950) < MOSTLY_AIR:
                break
        noise = scan.read("noise", box)
        flipped = tuple(flips)
        return Region(tone(clean)[flipped], scan.labels(box)[flipped], _loudness(noise, scan.card.spacing_mm)[flipped], margin)

    def _box(self, scan: Scan, margin: tuple[int, ...], rng: np.random.Generator) -> Box:
        first, last = scan.card.train_slices
        low, high = np.zeros(3, int), np.asarray(scan.shape)
        if self.held_aside:
            low[2], high[2] = (last, scan.shape[2]) if scan.shape[2] - last > first else (0, first)
        else:
            low[2], high[2] = first, last
        wanted = [min(MOST_VOXELS, int(REGION_MM / s)) + 2 * m for s, m in zip(scan.card.spacing_mm, margin)]
        size = np.minimum(wanted, high - low)
        start = low + (rng.random(3) * (high - low - size + 1)).astype(int)
        i, j, k = (slice(int(a), int(a + n)) for a, n in zip(start, size))
        return i, j, k

    def _foreign_noise(
        self, scan: Scan, amplitude: NDArray[np.float32], flips: list[slice], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """The scan's own noise from another place, brought to the amplitude of this one: the target's noise never shows."""
        gain = np.float32(np.exp(rng.uniform(np.log(0.35), np.log(1.3))))
        while True:
            box = self._box(scan, _margin(scan), rng)
            noise = scan.read("noise", box)
            if np.mean(np.abs(noise) < 0.5) < MOSTLY_AIR or rng.random() < 0.1:
                break
        noise = noise[tuple(flips)][tuple(slice(n) for n in amplitude.shape)]
        padding = [(0, n - m) for n, m in zip(amplitude.shape, noise.shape)]
        noise = np.pad(noise, padding, mode="wrap") if any(p[1] for p in padding) else noise
        unit = noise / np.maximum(_loudness(noise, scan.card.spacing_mm), 2.0)
        return (gain * np.clip(unit, -4, 4) * amplitude).astype(np.float32)

    def _crops(self, scan: Scan, template: Half, target: Half, phase: Phase, rng: np.random.Generator) -> Iterator[TrainingCrop]:
        spacing, thin_values = scan.card.spacing_mm, scan.card.thin_values
        borders = part_borders(template.image, template.labels, spacing, thin_values)
        psf = template_point_spread_mm(template.image, template.labels, spacing, thin_values)
        codes = template_codes(template.image, template.labels, spacing, thin_values, psf, borders)
        geometry = Geometry(target.image.shape, spacing)
        aligned = Misalignment.draw(geometry, self.settings.misalignment_mm / 2, rng).apply(template.image, template.labels)
        condition = build_condition(
            target.labels,
            aligned.image,
            aligned.labels,
            codes,
            spacing,
            thin_values=thin_values,
            covered=aligned.covered,
            borders=borders,
            softness_mm=psf,
        )
        thin = np.isin(target.labels, thin_values)
        weight, thin_voxels = thin_weights(thin, self.settings.thin_weight), np.argwhere(thin)
        shape = (phase.crop,) * 3
        for _ in range(phase.crops_per_direction):
            on_vessel = rng.random() < self.settings.vessel_share
            start = crop_start(thin_voxels, on_vessel, target.image.shape, phase.crop, rng)
            box = tuple(slice(s, s + n) for s, n in zip(start, shape))
            crop = TrainingCrop(condition.crop(start, shape), target.image[box].copy(), weight[box] / weight[box].mean())
            yield crop.without_template() if rng.random() < self.settings.template_dropped else crop


@dataclass(frozen=True)
class ToneCurve:
    """A monotone change of HU shared by a pair: another contrast level, another fat, another lung."""

    lift_hu: float
    fat_hu: float
    lung_hu: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> ToneCurve:
        lifted = rng.random() < 0.5
        return cls(float(rng.uniform(0, 150)) * lifted, float(rng.uniform(-15, 15)), float(rng.uniform(-60, 60)))

    def __call__(self, hu: NDArray[np.float32]) -> NDArray[np.float32]:
        knots = np.array([-1100.0, -1000.0, -850.0, -500.0, -100.0, 0.0, 45.0, 85.0, 125.0, 165.0, 3200.0])
        raised = self.lift_hu * np.array([0, 0, 0, 0, 0, 0, 0, 0.4, 0.8, 1, 1])
        tinted = raised + self.lung_hu * np.array([0, 0, 1, 0.5, 0, 0, 0, 0, 0, 0, 0])
        tinted += self.fat_hu * np.array([0, 0, 0, 0.3, 1, 0.5, 0, 0, 0, 0, 0])
        return (hu + np.interp(hu, knots, tinted)).astype(np.float32)


def deformed(region: Region, mask: NDArray[np.int32], spacing: NDArray[np.float64], rng: np.random.Generator) -> Half:
    """The inner part of a region in another shape: displaced by some millimetres, smoothly; no noise."""
    spread_mm = float(rng.uniform(1.0, 4.0))
    where = np.stack(np.meshgrid(*(np.arange(s.start, s.stop) for s in region.inner), indexing="ij")).astype(np.float32)
    shape = where.shape[1:]
    counts = [max(3, int(np.ceil(n * s / KNOTS_APART_MM)) + 1) for n, s in zip(shape, spacing)]
    for axis in range(3):
        knots = np.clip(rng.normal(0, spread_mm, counts), -MARGIN_MM, MARGIN_MM) / spacing[axis]
        zoom = [n / c for n, c in zip(shape, counts)]
        where[axis] += ndimage.zoom(knots.astype(np.float32), zoom, order=3, mode="nearest", grid_mode=True)
    image = ndimage.map_coordinates(region.clean, where, order=3, mode="nearest")
    return Half(image, ndimage.map_coordinates(mask, where, order=0, mode="nearest"))


def _margin(scan: Scan) -> Shape:
    i, j, k = (int(np.ceil(MARGIN_MM / s)) for s in scan.card.spacing_mm)
    return i, j, k


def _loudness(noise: NDArray[np.float32], spacing_mm: tuple[float, ...]) -> NDArray[np.float32]:
    """Local spread (i, j, k) over about ``LOUDNESS_MM``."""
    size = [max(1, round(LOUDNESS_MM / s)) for s in spacing_mm]
    return np.sqrt(np.maximum(ndimage.uniform_filter(noise**2, size), 0))
