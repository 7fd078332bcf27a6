"""Regions of a real scan that stand in for a mask: intensity classes cut into cells, blobs over all, or its own labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

AIR_HU = -940.0
CLASSES = 6
MOST_LABELS = 12
FIRST_BLOB = MOST_LABELS + 1
COARSER = 4
"""Cells and blobs are laid out on a lattice this many times coarser."""


@dataclass(frozen=True)
class IntensityClasses:
    """Borders in HU between air, lung, fat, soft tissue, bright and dense, drawn per pair."""

    borders_hu: tuple[float, ...]
    smoothing_mm: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> IntensityClasses:
        spans = ((-600.0, -250.0), (-45.0, 0.0), (85.0, 160.0), (220.0, 400.0))
        return cls((AIR_HU, *(float(rng.uniform(*span)) for span in spans)), float(rng.uniform(0.4, 1.3)))

    def of(self, clean: NDArray[np.float32], spacing_mm: NDArray[np.float64]) -> NDArray[np.intp]:
        """Class (i, j, k), 0 to 5."""
        return np.digitize(ndimage.gaussian_filter(clean, self.smoothing_mm / spacing_mm, truncate=3.0), self.borders_hu)


def draw_class_table(rng: np.random.Generator) -> NDArray[np.int32]:
    """(CLASSES,): a label per class for two regions of one scan: every class labelled, neighbours merged now and then."""
    table = np.arange(1, CLASSES + 1, dtype=np.int32)
    for number in range(1, CLASSES):
        if rng.random() < 0.15:
            table[number] = table[number - 1]
    return table


def draw_regions(
    clean: NDArray[np.float32], own: NDArray[np.int32], spacing_mm: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int32]:
    """A mask (i, j, k) for a region: 0 unlabelled, values small. ``own`` are the scan's own labels, 0 where it has none."""
    if own.any() and rng.random() < 0.7:
        return _thinned_out(own, rng)
    classes = IntensityClasses.draw(rng).of(clean, spacing_mm)
    regions = _cells(classes, spacing_mm, rng)
    if rng.random() < 0.6:
        for number in range(int(rng.integers(1, 3))):
            blob = _blob(clean.shape, spacing_mm, rng) & (classes >= 2)
            regions[blob] = FIRST_BLOB + number
    return regions


def jittered(labels: NDArray[np.int32], most_voxels: float, spacing_mm: NDArray[np.float64], rng: np.random.Generator) -> NDArray:
    """Labels whose borders lie up to ``most_voxels`` off the half voxel that a mask can be exact to: whole voxels change sides
    where a smooth field (about a centimetre) passes half a voxel.
    """
    if most_voxels <= 0:
        return labels
    knots = [max(2, int(np.ceil(n * s / 12.0))) for n, s in zip(labels.shape, spacing_mm)]
    index = []
    for axis, n in enumerate(labels.shape):
        shift = ndimage.zoom(
            rng.uniform(-0.5 - most_voxels, 0.5 + most_voxels, knots).astype(np.float32),
            [n / k for n, k in zip(labels.shape, knots)],
            order=1,
            mode="nearest",
            grid_mode=True,
        )
        base = np.arange(n).reshape([-1 if axis == other else 1 for other in range(3)])
        index.append(np.clip(np.rint(base + shift), 0, n - 1).astype(np.intp))
    return labels[tuple(index)]


def _thinned_out(own: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.int32]:
    """Own labels, some dropped, some merged with another."""
    table = np.arange(int(own.max()) + 1, dtype=np.int32)
    values = np.unique(own[own > 0])
    table[values[rng.random(len(values)) < rng.uniform(0, 0.5)]] = 0
    if len(values) > 1 and rng.random() < 0.4:
        pair = rng.choice(values, 2, replace=False)
        table[pair[1]] = table[pair[0]]
    return table[own]


def _cells(classes: NDArray[np.intp], spacing_mm: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int32]:
    """Classes cut by the cells of random points; most cells keep a label of their class alone, some share one, some have none."""
    apart_mm, most = rng.uniform(25, 90), int(rng.integers(3, MOST_LABELS + 1))
    cells = _nearest_point(classes.shape, spacing_mm, apart_mm, rng)
    count = int(cells.max()) + 1
    table = np.broadcast_to(1 + np.arange(CLASSES)[:, None] % most, (CLASSES, count)).copy()
    mixed = rng.random(table.shape) < 0.25
    table[mixed] = rng.integers(1, most + 1, int(mixed.sum()))
    table[rng.random(table.shape) < rng.uniform(0.05, 0.7)] = 0
    return table[classes, cells].astype(np.int32)


def _nearest_point(
    shape: tuple[int, ...], spacing_mm: NDArray[np.float64], apart_mm: float, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Number of the nearest of some random points (i, j, k); borders are those of a wandering lattice."""
    size = np.asarray(shape) * spacing_mm
    points = rng.uniform(0, 1, (max(2, int(np.prod(size / apart_mm))), 3)) * size
    lattice = np.stack(np.meshgrid(*(np.arange(0, n, COARSER) for n in shape), indexing="ij"), -1) * spacing_mm
    away = ((lattice[..., None, :] - points) ** 2).sum(-1)
    return _finer(away.argmin(-1), shape)


def _blob(shape: tuple[int, ...], spacing_mm: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """A bumpy ball of 18 to 55 mm radius around a point of the region."""
    size = np.asarray(shape) * spacing_mm
    centre, radii = rng.uniform(0.2, 0.8, 3) * size, rng.uniform(18, 55) * rng.uniform(0.7, 1.3, 3)
    axes = [np.arange(0, n, COARSER) * s for n, s in zip(shape, spacing_mm)]
    lines = [((axis - c) / r) ** 2 for axis, c, r in zip(axes, centre, radii)]
    away = lines[0][:, None, None] + lines[1][None, :, None] + lines[2][None, None, :]
    bumps = ndimage.gaussian_filter(rng.normal(0, 1, away.shape), 8.0 / (COARSER * spacing_mm))
    inside = away + 0.25 * bumps / max(float(bumps.std()), 1e-6) < 1
    return _finer(inside.astype(np.intp), shape) > 0


def _finer(lattice: NDArray[np.intp], shape: tuple[int, ...]) -> NDArray[np.intp]:
    for axis in range(3):
        lattice = np.repeat(lattice, COARSER, axis)
    return lattice[tuple(slice(n) for n in shape)]
