"""PNG files from arrays with the standard library alone, for places where no picture package may be loaded.

Format: ISO/IEC 15948:2004, 8-bit truecolour, no filter.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TRUECOLOUR = 2


def png_bytes(rgb: NDArray[np.uint8]) -> bytes:
    """A PNG of uint8 colours (rows, columns, 3)."""
    rows, columns, _ = rgb.shape
    header = struct.pack(">IIBBBBB", columns, rows, 8, TRUECOLOUR, 0, 0, 0)
    lines = np.zeros((rows, 1 + 3 * columns), np.uint8)
    lines[:, 1:] = rgb.reshape(rows, -1)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
