"""The MetaImage (.mha) header, because ITK turns negative spacings into flips and half-reads damaged voxels in silence."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from StructDiffCore.domain import StructDiffError

TYPE_BYTES = {"CHAR": 1, "UCHAR": 1, "SHORT": 2, "USHORT": 2, "INT": 4, "UINT": 4, "LONG": 4, "ULONG": 4, "FLOAT": 4}
TYPE_BYTES |= {"LONG_LONG": 8, "ULONG_LONG": 8, "DOUBLE": 8}
HEADER_LIMIT = 1 << 16
_BLOCK = 1 << 20


def metaimage_bytes(path: Path) -> tuple[int, int]:
    """Bytes of voxels found (inflated) and needed; refuses bad spacings and voxels in another file.

    Raises EOFError or zlib.error where compressed voxels are cut or damaged.
    """
    with path.open("rb") as stream:
        fields, voxels_at = _fields(stream.read(HEADER_LIMIT))
        if fields["ElementDataFile"] != "LOCAL":
            raise StructDiffError("the voxels lie in another file", "convert it to one file (.nrrd, .nii.gz or .mha)")
        refuse_bad_spacing(fields.get("ElementSpacing", fields.get("ElementSize", "1")))
        needed = _needed_bytes(fields)
        stream.seek(voxels_at)
        compressed = fields.get("CompressedData", "False").lower() == "true"
        return (_inflated_bytes(stream.read()) if compressed else path.stat().st_size - voxels_at), needed


def refuse_bad_spacing(stated: str) -> None:
    """Refuse a header's spacings ("0.5 0.5 0.7") if one is <= 0, not finite or no number."""
    try:
        spacing = [float(s) for s in stated.split()]
    except ValueError:
        spacing = []
    if not spacing or not np.all(np.isfinite(spacing)) or min(spacing) <= 0:
        raise StructDiffError(f"the voxel spacing is {stated.strip()} mm, expected positive numbers", "repair the file's header")


def _fields(start: bytes) -> tuple[dict[str, str], int]:
    """The "Key = Value" lines of the header and the offset of the first voxel."""
    fields: dict[str, str] = {}
    at = 0
    for line in start.split(b"\n"):
        at += len(line) + 1
        key, equals, value = line.decode("latin-1").partition("=")
        if not equals:
            break
        fields[key.strip()] = value.strip()
        if key.strip() == "ElementDataFile":
            return fields, at
    raise StructDiffError("the file does not begin with a MetaImage header", "give a .mha file, or rename it to what it is")


def _needed_bytes(fields: dict[str, str]) -> int:
    try:
        sizes = [int(n) for n in fields["DimSize"].split()]
        width = TYPE_BYTES[fields["ElementType"].removeprefix("MET_").removesuffix("_ARRAY")]
        return int(np.prod(sizes, dtype=np.int64)) * width * int(fields.get("ElementNumberOfChannels", "1"))
    except (KeyError, ValueError):
        raise StructDiffError("the MetaImage header names no size or voxel type", "export the file again") from None


def _inflated_bytes(data: bytes) -> int:
    """Size of zlib or gzip data once inflated."""
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    found = 0
    for start in range(0, len(data), _BLOCK):
        found += len(inflater.decompress(data[start : start + _BLOCK]))
    if not inflater.eof:
        raise EOFError("compressed data end too early")
    return found
