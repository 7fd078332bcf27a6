"""NIfTI files (.nii, .nii.gz) read from their own header.

ITK is not used for reading here: it turns a zero spacing into 1, makes a sheared matrix orthogonal, reads a cut file as zeros
and, beside "x.nii", reads the voxels of "x.nii.gz" from the former, all without a word (SimpleITK 2.5).
Field positions: nifti1.h and nifti2.h, https://nifti.nimh.nih.gov.
"""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry, StructDiffError

MILLIMETRE_CODES = (0, 2)
"""xyzt_units, spatial part: unknown or mm."""
DATA_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}


@dataclass(frozen=True)
class NiftiHeader:
    """The fields that place and scale the voxels."""

    sizes: tuple[int, ...]
    """Sizes of the used dimensions; trailing ones beyond the third dropped."""
    pixdim: tuple[float, ...]
    """Quaternion sign, then the voxel size along each dimension."""
    data_type: np.dtype
    offset: int
    scale: tuple[float, float]
    """Slope and intercept; slope 0 means none."""
    units: int
    qform: tuple[float, ...] | None
    """Quaternion b, c, d and the position of the first voxel (RAS+, mm); None where qform_code is 0."""
    sform: tuple[float, ...] | None
    """Three rows of the index-to-RAS+ matrix; None where sform_code is 0."""

    @property
    def bytes_needed(self) -> int:
        """Size of the uncompressed file."""
        return self.offset + int(np.prod(self.sizes, dtype=np.int64)) * self.data_type.itemsize


def read_nifti(path: Path) -> tuple[NDArray, Geometry]:
    """Scaled voxels (i, j, k) and their grid; integer types stay integers where the file states no scale.

    Raises StructDiffError if the file is no 3D NIfTI volume, cut, sheared, without orientation or with spacings <= 0;
    EOFError, gzip.BadGzipFile or zlib.error where compressed data are damaged.
    """
    with _opened(path) as stream:
        content = stream.read()
    header = parse_header(content[:540])
    refuse_bad_header(header)
    if len(content) < header.bytes_needed:
        raise StructDiffError(f"the file is cut: {len(content)} of {header.bytes_needed} bytes are there", "copy it again")
    flat = np.frombuffer(content, header.data_type, int(np.prod(header.sizes)), header.offset)
    voxels = flat.reshape(header.sizes, order="F").astype(header.data_type.newbyteorder("="), copy=False)
    slope, intercept = header.scale
    if slope not in (0.0, 1.0) or intercept != 0.0:
        voxels = voxels * (slope or 1.0) + intercept
    return voxels, Geometry.from_affine(voxels.shape, _matrix(header))  # type: ignore[arg-type]


def uncompressed_size(path: Path) -> tuple[int, int]:
    """Bytes found and needed of a NIfTI file, read in blocks."""
    with _opened(path) as stream:
        start = stream.read(540)
        found = len(start)
        while block := stream.read(1 << 20):
            found += len(block)
    return found, parse_header(start).bytes_needed


def _opened(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if path.name.lower().endswith(".gz") else path.open("rb")


def parse_header(raw: bytes) -> NiftiHeader:
    """The header in the first 540 bytes of an uncompressed file; refuses what is no single-file NIfTI."""
    for order in "<>":
        size = struct.unpack_from(order + "i", raw.ljust(4, b"\0"))[0]
        if size == 348 and len(raw) >= 348 and raw[344:347] == b"n+1":
            return _version_1(raw, order)
        if size == 540 and len(raw) >= 540 and raw[4:7] == b"n+2":
            return _version_2(raw, order)
    raise StructDiffError("the file does not begin with a NIfTI header", "give a NIfTI file, or rename it to what it is")


def _version_1(raw: bytes, order: str) -> NiftiHeader:
    def at(layout: str, offset: int) -> tuple:
        return struct.unpack_from(order + layout, raw, offset)

    return NiftiHeader(
        _sizes(at("8h", 40)),
        at("8f", 76),
        _data_type(at("h", 70)[0], order),
        int(at("f", 108)[0]),
        _scale(*at("2f", 112)),
        raw[123] & 7,
        at("6f", 256) if at("h", 252)[0] > 0 else None,
        at("12f", 280) if at("h", 254)[0] > 0 else None,
    )


def _version_2(raw: bytes, order: str) -> NiftiHeader:
    def at(layout: str, offset: int) -> tuple:
        return struct.unpack_from(order + layout, raw, offset)

    return NiftiHeader(
        _sizes(at("8q", 16)),
        at("8d", 104),
        _data_type(at("h", 12)[0], order),
        at("q", 168)[0],
        _scale(*at("2d", 176)),
        at("i", 500)[0] & 7,
        at("6d", 352) if at("i", 344)[0] > 0 else None,
        at("12d", 400) if at("i", 348)[0] > 0 else None,
    )


def _sizes(dim: tuple[int, ...]) -> tuple[int, ...]:
    sizes = list(dim[1 : dim[0] + 1])
    if not 1 <= dim[0] <= 7 or min(sizes) < 1:
        raise StructDiffError(f"the NIfTI header gives the sizes {list(dim)}", "the file is damaged: export it again")
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes.pop()
    return tuple(sizes)


def _data_type(code: int, order: str) -> np.dtype:
    if code not in DATA_TYPES:
        raise StructDiffError(f"the NIfTI voxels are of type {code} (colour or complex?)", "give one number per voxel")
    return np.dtype(order + DATA_TYPES[code])


def _scale(slope: float, intercept: float) -> tuple[float, float]:
    return (slope, intercept) if np.isfinite(slope) and np.isfinite(intercept) and slope != 0 else (0.0, 0.0)


def refuse_bad_header(header: NiftiHeader) -> None:
    """Refuse other than three dimensions, spacings <= 0 or not finite, and lengths that are not in mm."""
    if len(header.sizes) != 3 or min(header.sizes) < 2:
        words = " x ".join(str(n) for n in header.sizes)
        raise StructDiffError(
            f"the image is {words}, expected three dimensions of at least 2", "give one 3D volume (split a 4D series first)"
        )
    spacing = tuple(round(s, 6) for s in header.pixdim[1:4])
    if not np.all(np.isfinite(spacing)) or min(spacing) <= 0:
        raise StructDiffError(f"the voxel spacing is {spacing} mm, expected positive numbers", "repair the file's header")
    if header.units not in MILLIMETRE_CODES:
        raise StructDiffError(f"the header gives lengths in unit {header.units}, expected mm (2)", "write the file in mm")


def _matrix(header: NiftiHeader) -> NDArray[np.float64]:
    """4x4 index-to-RAS+ matrix: the sform if stated, else the qform."""
    if header.sform is not None:
        return np.vstack([np.reshape(header.sform, (3, 4)), (0, 0, 0, 1)])
    if header.qform is not None:
        return _qform_matrix(header.qform, header.pixdim)
    raise StructDiffError(
        "the NIfTI header states no orientation (sform and qform code 0)",
        "save it again from 3D Slicer",
    )


def _qform_matrix(qform: tuple[float, ...], pixdim: tuple[float, ...]) -> NDArray[np.float64]:
    """nifti1.h, method 2: rotation from a unit quaternion; pixdim[0] < 0 flips the third axis."""
    b, c, d = qform[:3]
    a = np.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * pixdim[1:4] * np.array([1, 1, -1 if pixdim[0] < 0 else 1])
    matrix[:3, 3] = qform[3:]
    return matrix
