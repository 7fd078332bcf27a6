"""Volumes, masks, pairs and templates from and to files (NRRD, .seg.nrrd, NIfTI, MHA, DICOM folders)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from StructDiffCore.domain import ConfidenceMap, Geometry, ImageMaskPair, LabelMap, LabelScheme, StructDiffError, Template, Volume

from .atomic import written
from .dicom import read_dicom_series
from .integrity import ending_of, naming, refuse_damaged, refuse_missing
from .itk_images import geometry_of, image_of, reason_of, voxels_of
from .nifti import read_nifti
from .same_grid import on_grid
from .segmentations import describe_segments, flattened, segments_of

ALMOST_INTEGER = 1e-3
"""Labels stored with a scale factor come back this near to whole numbers."""
MOST_LABELS = 1000
"""No anatomy has more structures; an image given as a mask has."""
INT16 = np.iinfo(np.int16)


def read_volume(path: str | Path) -> Volume:
    """A CT volume in HU (float32) from a file or a DICOM series folder."""
    path = Path(path)
    if path.is_dir():
        return read_dicom_series(path)
    with naming(path):
        content = _read_content(path)
        if content.voxels.ndim != 3:
            raise StructDiffError(f"the image has {content.voxels.shape[3]} values per voxel", "give a CT volume")
        return Volume(content.voxels, content.geometry)


def read_label_map(path: str | Path, scheme: LabelScheme | None = None) -> LabelMap:
    """A mask from a file; an empty one is refused.

    Without a scheme, one is made of the names (.seg.nrrd) or the values in the file.
    """
    path = Path(path)
    if path.is_dir():
        raise StructDiffError(f"{path} is a folder", "give a mask file (.nrrd, .seg.nrrd, .nii.gz, .mha)")
    with naming(path):
        content = _read_content(path)
        voxels, named = _labels(content)
        if not np.any(voxels):
            raise StructDiffError("the mask is empty (no label above 0)", "give a mask with at least one labelled structure")
        return LabelMap(voxels, content.geometry, scheme or named or _scheme_of_values(voxels))


def read_pair(image: str | Path, mask: str | Path, scheme: LabelScheme | None = None, resample: bool = False) -> ImageMaskPair:
    """An image and its mask on one grid.

    A mask on a part of the image's grid (Slicer crops segmentations) is completed with background; one on another grid is
    refused, or brought to the image's grid by nearest neighbour if ``resample``.
    """
    volume, labels = read_volume(image), read_label_map(mask, scheme)
    with naming(Path(mask)):
        return ImageMaskPair(volume, on_grid(labels, volume.geometry, resample))


def read_template(image: str | Path, mask: str | Path, scheme: LabelScheme | None = None, resample: bool = False) -> Template:
    """The image-mask pair that guides a synthesis; its id is a digest of voxels and grid, free of names."""
    pair = read_pair(image, mask, scheme, resample)
    return Template(pair, template_id(pair))


def template_id(pair: ImageMaskPair) -> str:
    """16 hexadecimal digits: SHA-256 of HU, labels and grid, the same in whatever file format they came."""
    digest = hashlib.sha256()
    digest.update(np.rint(pair.image.voxels).astype(np.int32).tobytes())
    digest.update(pair.mask.voxels.astype(np.uint16).tobytes())
    digest.update((np.round(pair.geometry.affine, 3) + 0.0).tobytes())
    return digest.hexdigest()[:16]


def mask_id(mask: LabelMap) -> str:
    """16 hexadecimal digits: SHA-256 of labels and grid, the same in whatever file format they came."""
    digest = hashlib.sha256(mask.voxels.astype(np.uint16).tobytes())
    digest.update((np.round(mask.geometry.affine, 3) + 0.0).tobytes())
    return digest.hexdigest()[:16]


def write_volume(volume: Volume, path: str | Path) -> None:
    """Write HU as true int16, rounded and clipped to its range, on the volume's exact grid; atomic."""
    rounded = np.clip(np.rint(volume.voxels), INT16.min, INT16.max).astype(np.int16)
    _write_image(image_of(rounded, volume.geometry), path)


def write_label_map(label_map: LabelMap, path: str | Path) -> None:
    """Write a mask; .seg.nrrd carries names, colours and SNOMED CT codes; atomic."""
    image = image_of(label_map.voxels, label_map.geometry)
    if ending_of(Path(path)) == ".seg.nrrd":
        describe_segments(image, label_map)
    _write_image(image, path)


def write_float_volume(volume: Volume, path: str | Path) -> None:
    """Write float32 voxels that are no HU (variance, distance); atomic."""
    _write_image(image_of(volume.voxels, volume.geometry), path)


def write_confidence(confidence: ConfidenceMap, path: str | Path) -> None:
    """Write a confidence map as float32 in [0, 1]; atomic."""
    _write_image(image_of(confidence.voxels, confidence.geometry), path)


@dataclass(frozen=True, eq=False)
class _Content:
    """What a file holds: voxels (i, j, k) or (i, j, k, component), their grid and its text fields."""

    voxels: NDArray
    geometry: Geometry
    fields: Mapping[str, str]


def _read_content(path: Path) -> _Content:
    refuse_missing(path)
    if ending_of(path) in (".nii", ".nii.gz"):
        return _Content(*read_nifti(path), {})
    refuse_damaged(path)
    image = _read_with_itk(path)
    return _Content(voxels_of(image), geometry_of(image), {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()})


def _read_with_itk(path: Path) -> sitk.Image:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        size = reader.GetSize()
        if len(size) == 3 and min(size) >= 2:
            return reader.Execute()
    except RuntimeError as error:
        raise StructDiffError(f"the file cannot be read as an image ({reason_of(error)})", "export it again") from None
    raise StructDiffError(
        f"the image is {' x '.join(str(n) for n in size)}, expected three dimensions of at least 2",
        "give one 3D volume (split a 4D series first)",
    )


def _labels(content: _Content) -> tuple[NDArray, LabelScheme | None]:
    voxels, segments = content.voxels, segments_of(content.fields)
    if segments:
        return flattened(voxels, segments)
    if voxels.ndim != 3:
        raise StructDiffError(f"the mask has {voxels.shape[3]} values per voxel", "give one label per voxel")
    if voxels.dtype.kind == "f" and np.isfinite(voxels).all() and np.abs(voxels - np.rint(voxels)).max() < ALMOST_INTEGER:
        return np.rint(voxels), None
    return voxels, None


def _scheme_of_values(voxels: NDArray) -> LabelScheme:
    values = np.unique(voxels)
    if values[0] < 0 or len(values) > MOST_LABELS:
        raise StructDiffError(
            f"the mask holds {len(values)} different values from {values[0]:.5g} to {values[-1]:.5g}",
            "give a label map, not an image",
        )
    return LabelScheme.from_values(values)


def _write_image(image: sitk.Image, path: str | Path) -> None:
    ending_of(Path(path))
    with written(path) as temporary:
        try:
            sitk.WriteImage(image, str(temporary), useCompression=True)
            refuse_damaged(temporary)
        except (RuntimeError, StructDiffError) as error:
            reason = error.fact if isinstance(error, StructDiffError) else reason_of(error)
            reason = reason.replace(str(temporary), "it")
            raise StructDiffError(f"{path} could not be written ({reason})", "is the disk full?") from None
