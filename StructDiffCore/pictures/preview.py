"""A small grey picture of three planes, made in milliseconds: no figure, no font, no library but numpy."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry

from .orientation import Turn
from .slices import PLANES, Plane
from .style import VESSELS, Window

HEIGHT = 192
"""Pixels of the highest plane."""
GAP = 4
"""Black pixels between two planes."""
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

CutPlane = Callable[[int, int], NDArray[np.float32]]
"""(index axis, index) -> the plane across it in HU, the two other axes in their order."""


@dataclass(frozen=True)
class PreviewView:
    """Which planes are shown, on which grid."""

    geometry: Geometry
    focus: tuple[int, int, int]
    """Index (i, j, k) that the three planes go through."""

    def picture(self, cut: CutPlane, window: Window = VESSELS) -> bytes:
        """A PNG with axial, coronal and sagittal plane beside each other, square pixels, the patient's right on the left."""
        turn = Turn.of(self.geometry)
        spacing = turn.spacing(self.geometry)
        tallest_mm = max(spacing[plane.up] * self.geometry.shape[turn.order[plane.up]] for plane in PLANES)
        planes = []
        for plane in PLANES:
            axis = turn.order[plane.normal]
            upright = _upright(cut(axis, self.focus[axis]), plane, turn)
            planes.append(_in_pixels(upright, (spacing[plane.up], spacing[plane.across]), tallest_mm / HEIGHT))
        grey = np.clip((_beside(planes, window.low) - window.low) / (window.high - window.low), 0, 1)
        return png(np.rint(255 * grey).astype(np.uint8))


def _upright(raw: NDArray, plane: Plane, turn: Turn) -> NDArray:
    """(down, across) image of a plane that came with its index axes in their order."""
    across, up = turn.order[plane.across], turn.order[plane.up]
    image = raw.T if across < up else raw
    if not turn.flipped[plane.up]:
        image = image[::-1]
    return image[:, ::-1] if turn.flipped[plane.across] != plane.mirrored else image


def _in_pixels(image: NDArray, spacing_mm: tuple[float, float], pixel_mm: float) -> NDArray:
    """Nearest voxels at square pixels."""
    rows, columns = (
        np.minimum(((np.arange(max(1, round(n * mm / pixel_mm))) + 0.5) * pixel_mm / mm).astype(int), n - 1)
        for n, mm in zip(image.shape, spacing_mm)
    )
    return image[np.ix_(rows, columns)]


def _beside(planes: list[NDArray], background: float) -> NDArray:
    height = max(len(plane) for plane in planes)
    parts = [np.pad(p, ((0, height - len(p)), (0, GAP)), constant_values=background) for p in planes]
    return np.concatenate(parts, axis=1)[:, :-GAP]


def png(grey: NDArray[np.uint8]) -> bytes:
    """An 8-bit grey PNG of an array (rows, columns) (W3C PNG, third edition, section 11.2)."""
    rows, columns = grey.shape
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), grey], axis=1).tobytes()
    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 6)), (b"IEND", b""))
    return PNG_SIGNATURE + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
