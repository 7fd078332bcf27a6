"""A DICOM CT series folder as a volume in HU: refuses what is no CT, tilted, incomplete or ambiguous."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from StructDiffCore.domain import StructDiffError, Volume

from .dicom_slices import Slice, read_slice, sorted_series
from .itk_images import geometry_from_lps, reason_of, voxels_of

AIR_HU = -1024.0
"""What lies outside the scanner's field of view; padding values below it are set to it."""


def read_dicom_series(folder: str | Path, series: int | None = None) -> Volume:
    """The CT series in a folder (subfolders not searched); ``series`` is the Series Number where there are several.

    Raises StructDiffError if there is none or more than one, another modality, a gantry tilt, a missing or doubled slice,
    irregular spacing, or no rescale slope and intercept.
    """
    folder = Path(folder)
    slices = sorted_series(_chosen(_slices_by_series(folder), folder, series), folder)
    first = slices[0]
    voxels = _hu(slices, folder)
    step = np.subtract(slices[-1].position, first.position) / (len(slices) - 1)
    spacing = (first.pixel_spacing[1], first.pixel_spacing[0], float(np.linalg.norm(step)))
    direction = np.column_stack([first.row, first.column, first.normal])
    return Volume(voxels, geometry_from_lps(voxels.shape, spacing, first.position, direction))


def _slices_by_series(folder: Path) -> dict[str, list[Slice]]:
    """CT slices by Series Instance UID; scout views and objects that are no images left out."""
    if not folder.is_dir():
        raise StructDiffError(f"{folder} does not exist", "check the path")
    found = [s for path in sorted(folder.iterdir()) if path.is_file() and (s := read_slice(path)) is not None]
    if not found:
        raise StructDiffError(f"{folder} holds no DICOM image", "give the folder of a CT series")
    ct = [s for s in found if s.modality == "CT" and not s.scout]
    if not ct:
        modalities = ", ".join(sorted({s.modality or "unknown" for s in found}))
        raise StructDiffError(f"{folder} holds no CT series (modality {modalities})", "give the folder of a CT series")
    series: dict[str, list[Slice]] = {}
    for s in ct:
        series.setdefault(s.series_uid, []).append(s)
    return series


def _chosen(series: dict[str, list[Slice]], folder: Path, number: int | None) -> list[Slice]:
    candidates = [slices for slices in series.values() if number is None or slices[0].series_number == number]
    if len(candidates) == 1:
        return candidates[0]
    listed = "; ".join(
        f"number {s[0].series_number}: {len(s)} slices of {s[0].thickness} mm, {s[0].columns}x{s[0].rows}"
        for s in series.values()
    )
    if not candidates:
        raise StructDiffError(f"{folder} holds no CT series number {number} ({listed})", "choose one of these")
    raise StructDiffError(f"{folder} holds {len(series)} CT series ({listed})", "put the wanted one into a folder of its own")


def _hu(slices: list[Slice], folder: Path) -> NDArray[np.float32]:
    """Voxels (i, j, k) in HU; the reader applies each slice's rescale slope and intercept."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(s.path) for s in slices])
    reader.SetOutputPixelType(sitk.sitkFloat32)
    try:
        voxels = voxels_of(reader.Execute())
    except RuntimeError as error:
        raise StructDiffError(f"the slices in {folder} cannot be read ({reason_of(error)})", "copy it again") from None
    return np.maximum(voxels, np.float32(AIR_HU))
