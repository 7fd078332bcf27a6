"""Volume, LabelMap, ImageMaskPair, Template, ConfidenceMap: voxels that never part from their grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .errors import StructDiffError
from .geometry import Geometry
from .label_scheme import LabelScheme


def _read_only(voxels: NDArray) -> NDArray:
    view = np.ascontiguousarray(voxels).view()
    view.flags.writeable = False
    return view


def _refuse_other_shape(what: str, voxels: NDArray, geometry: Geometry) -> None:
    if voxels.ndim != 3:
        raise StructDiffError(
            f"the {what} has {voxels.ndim} dimensions, expected 3", "give one 3D volume (split a 4D series first)"
        )
    if voxels.shape != geometry.shape:
        raise StructDiffError(f"the {what} has shape {voxels.shape}, its grid {geometry.shape}", "give both for one grid")


@dataclass(frozen=True, eq=False)
class Volume:
    """A CT volume: float32 voxels (i, j, k) in HU on a grid."""

    voxels: NDArray[np.float32]
    geometry: Geometry

    def __post_init__(self) -> None:
        voxels = np.asarray(self.voxels, dtype=np.float32)
        _refuse_other_shape("image", voxels, self.geometry)
        if not np.isfinite(voxels).all():
            bad = int((~np.isfinite(voxels)).sum())
            raise StructDiffError(f"the image holds {bad} NaN or infinite voxels", "repair the image (fill them with -1024 HU)")
        object.__setattr__(self, "voxels", _read_only(voxels))


@dataclass(frozen=True, eq=False)
class LabelMap:
    """Integer labels (i, j, k) on a grid, each value known to the scheme; 0 is background."""

    voxels: NDArray[np.integer]
    geometry: Geometry
    scheme: LabelScheme

    def __post_init__(self) -> None:
        voxels = np.asarray(self.voxels)
        _refuse_other_shape("mask", voxels, self.geometry)
        voxels = _as_labels(voxels)
        unknown = self.scheme.unknown(np.unique(voxels))
        if unknown:
            raise StructDiffError(
                f"the mask holds labels {unknown[:8]} that the scheme '{self.scheme.name}' does not know",
                "give the scheme these labels belong to, or none to take them as they are",
            )
        object.__setattr__(self, "voxels", _read_only(voxels))

    @cached_property
    def present(self) -> tuple[int, ...]:
        """The values found in the map, background apart."""
        return tuple(int(v) for v in np.unique(self.voxels) if v != 0)


def _as_labels(voxels: NDArray) -> NDArray[np.integer]:
    """Labels as uint8 (uint16 above 255); refuses fractions, negatives and huge values."""
    if voxels.dtype.kind == "b":
        return voxels.astype(np.uint8)
    if voxels.dtype.kind == "f":
        if not np.isfinite(voxels).all():
            raise StructDiffError("the mask holds NaN or infinite voxels", "give an integer label map")
        if not np.array_equal(voxels, np.rint(voxels)):
            raise StructDiffError(
                "the mask holds fractions between labels", "give an integer label map (resample with nearest neighbour)"
            )
    low, high = (int(voxels.min()), int(voxels.max())) if voxels.size else (0, 0)
    if low < 0 or high > 65535:
        raise StructDiffError(
            f"the mask holds values from {low} to {high}, expected 0 to 65535", "give a label map, not an image"
        )
    return voxels.astype(np.uint8 if high <= 255 else np.uint16)


@dataclass(frozen=True, eq=False)
class ConfidenceMap:
    """Per-voxel confidence in [0, 1] on a grid; 1 = trust fully."""

    voxels: NDArray[np.float32]
    geometry: Geometry

    def __post_init__(self) -> None:
        voxels = np.asarray(self.voxels, dtype=np.float32)
        _refuse_other_shape("confidence map", voxels, self.geometry)
        if not np.isfinite(voxels).all() or voxels.min() < 0 or voxels.max() > 1:
            raise StructDiffError("the confidence map leaves [0, 1] or holds NaN", "give confidences between 0 and 1")
        object.__setattr__(self, "voxels", _read_only(voxels))


@dataclass(frozen=True, eq=False)
class ImageMaskPair:
    """An image and its mask on one grid; refused at birth otherwise."""

    image: Volume
    mask: LabelMap

    def __post_init__(self) -> None:
        if not self.image.geometry.same_as(self.mask.geometry, tolerance_mm=0.01):
            raise StructDiffError(
                f"image and mask lie on different grids (shapes {self.image.geometry.shape} and {self.mask.geometry.shape})",
                "give both on one grid, or pass --resample",
            )

    @property
    def geometry(self) -> Geometry:
        return self.image.geometry


@dataclass(frozen=True, eq=False)
class Template:
    """The real image-mask pair that guides a synthesis, with its id."""

    pair: ImageMaskPair
    id: str
