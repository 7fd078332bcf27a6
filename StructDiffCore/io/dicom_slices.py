"""One DICOM slice as far as its header tells, and the order of the slices of a series."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import StructDiffError, Triple

TAGS = [
    "Modality",
    "ImageType",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SliceThickness",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "RescaleSlope",
    "RescaleIntercept",
    "BitsAllocated",
    "PixelData",
]
PARALLEL = 1e-3
"""Largest sine of the angle between the stack of slices and their normal: 0.06 degrees."""
SPACING_TOLERANCE_MM = 0.02
SPACING_TOLERANCE = 0.02
"""Slice distances may differ by this share of their median, or by SPACING_TOLERANCE_MM (positions are rounded in many files)."""


@dataclass(frozen=True, eq=False)
class Slice:
    """The geometry of one CT slice; positions in LPS+ mm."""

    path: Path
    modality: str
    scout: bool
    series_uid: str
    series_number: int | None
    thickness: str
    rows: int
    columns: int
    pixel_spacing: tuple[float, float]
    """Between rows, between columns (mm)."""
    position: Triple
    orientation: tuple[float, ...]
    rescaled: bool
    """Whether rescale slope and intercept are stated."""

    @property
    def row(self) -> NDArray[np.float64]:
        """Direction in which the column index grows."""
        return np.asarray(self.orientation[:3])

    @property
    def column(self) -> NDArray[np.float64]:
        """Direction in which the row index grows."""
        return np.asarray(self.orientation[3:])

    @property
    def normal(self) -> NDArray[np.float64]:
        return np.cross(self.row, self.column)


def read_slice(path: Path) -> Slice | None:
    """The header of a DICOM image; None if the file is no DICOM image. Refuses a CT header that lacks what a volume needs."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        header = pydicom.dcmread(path, defer_size=256, specific_tags=TAGS)
    except (InvalidDicomError, EOFError):
        return None
    except OSError as error:
        raise StructDiffError(f"{path} cannot be read ({error.strerror or error})", "check its permissions") from None
    if "Rows" not in header or "PixelData" not in header:
        return None
    if str(header.get("Modality", "")) != "CT":
        return _other_modality(path, header)
    try:
        return _ct_slice(path, header)
    except (AttributeError, TypeError, ValueError) as error:
        raise StructDiffError(f"{path} lacks what a CT slice needs ({error})", "export the series again") from None


def _other_modality(path: Path, header: Any) -> Slice:
    modality = str(header.get("Modality", ""))
    return Slice(path, modality, False, "", None, "", 0, 0, (1.0, 1.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0), False)


def _ct_slice(path: Path, header: Any) -> Slice:
    scout = "LOCALIZER" in list(header.get("ImageType", []))
    if int(header.get("NumberOfFrames", 1) or 1) > 1:
        raise StructDiffError(f"{path} holds many frames in one file", "convert it to NIfTI or to single slices first")
    _refuse_cut(path, header)
    between_rows, between_columns = (float(s) for s in header.PixelSpacing)
    x, y, z = (float(p) for p in header.ImagePositionPatient)
    orientation = tuple(float(v) for v in header.ImageOrientationPatient)
    if len(orientation) != 6:
        raise ValueError("ImageOrientationPatient has not six numbers")
    number = header.get("SeriesNumber")
    return Slice(
        path,
        "CT",
        scout,
        str(header.get("SeriesInstanceUID", "")),
        None if number in (None, "") else int(number),
        str(header.get("SliceThickness", "?")),
        int(header.Rows),
        int(header.Columns),
        (between_rows, between_columns),
        (x, y, z),
        orientation,
        "RescaleSlope" in header and "RescaleIntercept" in header,
    )


def _refuse_cut(path: Path, header: Any) -> None:
    """Uncompressed pixels must all be there (compressed ones are checked when they are decoded)."""
    syntax = getattr(header.file_meta, "TransferSyntaxUID", None) if hasattr(header, "file_meta") else None
    if syntax is None or syntax.is_compressed:
        return
    needed = int(header.Rows) * int(header.Columns) * int(header.get("BitsAllocated", 16)) // 8
    if len(header.PixelData) < needed:
        raise StructDiffError(f"{path} is cut: {len(header.PixelData)} of {needed} bytes of pixels are there", "copy it again")


def sorted_series(slices: list[Slice], folder: Path) -> list[Slice]:
    """The slices along their normal; refuses a series that is no regular, untilted stack."""
    if len(slices) < 2:
        raise StructDiffError(f"{folder} holds one slice", "give the folder of a whole series")
    _refuse_mixed(slices, folder)
    ordered = sorted(slices, key=lambda s: float(np.dot(s.position, slices[0].normal)))
    positions = np.array([s.position for s in ordered])
    _refuse_irregular(positions @ ordered[0].normal, folder)
    _refuse_tilt(positions, ordered[0].normal, folder)
    return ordered


def _refuse_mixed(slices: list[Slice], folder: Path) -> None:
    first = slices[0]
    for s in slices:
        same = (s.rows, s.columns) == (first.rows, first.columns) and np.allclose(s.pixel_spacing, first.pixel_spacing, atol=1e-4)
        if not same or not np.allclose(s.orientation, first.orientation, atol=1e-3):
            raise StructDiffError(
                f"{s.path.name} in {folder} has another size or orientation than {first.path.name}",
                "keep one series in the folder",
            )
        if not s.rescaled:
            raise StructDiffError(f"{s.path} states no rescale slope and intercept, so no HU", "export the series again")


def _refuse_irregular(along: NDArray[np.float64], folder: Path) -> None:
    """``along``: sorted positions (mm) of the slices on their normal."""
    gaps = np.diff(along)
    usual = float(np.median(gaps))
    allowed = max(SPACING_TOLERANCE_MM, SPACING_TOLERANCE * usual)
    if gaps.min() < min(SPACING_TOLERANCE_MM, 0.5 * usual) or usual <= 0:
        n = int(np.argmin(gaps))
        raise StructDiffError(
            f"two slices of {folder} lie at one place ({along[n]:.2f} mm): several phases or a double export", "keep one phase"
        )
    worst = int(np.argmax(np.abs(gaps - usual)))
    if gaps[worst] > 1.5 * usual:
        raise StructDiffError(
            f"slices are missing in {folder}: {gaps[worst]:.2f} mm after slice {worst + 1}, else {usual:.2f} mm",
            "export the whole series again",
        )
    if abs(gaps[worst] - usual) > allowed:
        raise StructDiffError(
            f"the slice spacing in {folder} is irregular ({gaps.min():.2f} to {gaps.max():.2f} mm)",
            "resample the series to a regular spacing first",
        )


def _refuse_tilt(positions: NDArray[np.float64], normal: NDArray[np.float64], folder: Path) -> None:
    stack = positions[-1] - positions[0]
    sideways = float(np.linalg.norm(stack - normal * (stack @ normal)) / np.linalg.norm(stack))
    if sideways > PARALLEL:
        raise StructDiffError(
            f"the gantry was tilted by {np.degrees(np.arcsin(min(1.0, sideways))):.1f} degrees in {folder}",
            "resample the series to an untilted grid first (for example with dcm2niix)",
        )
