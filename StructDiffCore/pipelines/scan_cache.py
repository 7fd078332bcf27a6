"""Cache real scans for training, split into anatomy and noise.

python -m StructDiffCore.pipelines.scan_cache IMAGE [--mask MASK] --name NAME --spacings 1 1.5 --to RUN/scans
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from StructDiffCore.domain import LabelMap, StructDiffError, Volume
from StructDiffCore.io.files import read_label_map, read_volume
from StructDiffCore.measures.noise_split import Split, split_noise
from StructDiffCore.models.pseudo_labels import pseudo_labels
from StructDiffCore.preprocess.grids import to_orientation
from StructDiffCore.preprocess.sanity import check_hu
from StructDiffCore.training.scans import ScanCard, write_scan


def cache_scan(
    image: Volume, mask: LabelMap | None, name: str, spacings_mm: list[float], folder: Path, aside_mm: float = 0.0
) -> list[Path]:
    """Split a scan into anatomy and noise on its own grid, then store both at each voxel size; returns the folders.

    The noise is taken off at native spacing, where its statistics are plain. Both parts are then sampled by cubic splines without
    averaging, as most data sets are; from 3 mm slices this makes texture and noise smooth along the patient, in the template
    as in the target, which the region codes tell the network. ``aside_mm`` at the upper end is kept for validation.
    """
    check_hu(image, name)
    upright = to_orientation(image, "RAS")
    labels = np.zeros(upright.geometry.shape, np.uint16) if mask is None else to_orientation(mask, "RAS").voxels
    if labels.shape != upright.geometry.shape:
        raise StructDiffError(f"{name}: image {upright.geometry.shape}, mask {labels.shape}", "give a mask of this image")
    spacing = upright.geometry.spacing
    regions = pseudo_labels(upright.voxels, np.zeros(labels.shape, np.uint8), spacing)
    split = split_noise(upright.voxels, regions - regions.min() + 1, spacing)
    thin = () if mask is None else mask.scheme.thin_values
    return [_store(split, labels, name, spacing, step, folder, aside_mm, tuple(thin)) for step in spacings_mm]


def split_quality(split: Split) -> dict[str, float]:
    """How noise-like the part taken off is: its spread in flat and steep tissue, and what it shares with the anatomy's detail."""
    clean, noise = split.clean, split.noise
    slope = np.sqrt(sum(g**2 for g in np.gradient(clean)))
    tissue = (clean > -300) & (np.abs(noise) > 1e-3)
    low, high = np.quantile(slope[tissue], (0.4, 0.9))
    detail = clean - ndimage.gaussian_filter(clean, 1.5)
    return {
        "expected HU": float(np.median(split.amplitude[tissue])),
        "taken off, flat HU": float(noise[tissue & (slope < low)].std()),
        "taken off, steep HU": float(noise[tissue & (slope > high)].std()),
        "correlation with detail": float(np.corrcoef(noise[tissue], detail[tissue])[0, 1]),
    }


def _store(
    split: Split,
    labels: NDArray[np.integer],
    name: str,
    spacing: tuple[float, float, float],
    step: float,
    folder: Path,
    aside_mm: float,
    thin: tuple[int, ...],
) -> Path:
    zoom = [s / step for s in spacing]
    clean, noise = (ndimage.zoom(a, zoom, order=3, mode="nearest", grid_mode=True) for a in (split.clean, split.noise))
    fitted = ndimage.zoom(labels, zoom, order=0, mode="nearest", grid_mode=True)
    last = clean.shape[2] - int(aside_mm / step)
    card = ScanCard(f"{name}@{step:g}", (step, step, step), (0, last), thin, split_quality(split))
    return write_scan(folder, card, (np.clip(clean, -1024, 3071), noise, fitted))


def main(argv: list[str] | None = None) -> int:
    """Command line; 2 on bad input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("--mask", type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--spacings", type=float, nargs="+", default=[1.5])
    parser.add_argument("--aside-mm", type=float, default=0.0, help="kept at the upper end for validation")
    parser.add_argument("--to", type=Path, required=True)
    arguments = parser.parse_args(argv)
    try:
        mask = read_label_map(arguments.mask) if arguments.mask else None
        image = read_volume(arguments.image)
        for path in cache_scan(image, mask, arguments.name, arguments.spacings, arguments.to, arguments.aside_mm):
            print(path)
    except StructDiffError as error:
        print(f"scan cache: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
