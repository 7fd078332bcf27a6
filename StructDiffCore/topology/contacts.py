"""Contacts: where two labels touch, in how many patches, and how far apart they are where they do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from scipy.spatial import cKDTree

from StructDiffCore.domain import Triple

from .components import Pieces, pieces_of
from .depth import depth_mm
from .runs import Box, Runs, runs_of

TOUCH = np.ones((3, 3, 3), bool)


@dataclass(frozen=True, eq=False)
class Contact:
    """Voxels of ``other`` with a 26-neighbour in ``one``, in separate (26-connected) patches."""

    voxels: NDArray[np.int64]
    """(n, 3) indices in the volume."""
    patches: Pieces | None
    """None where the two do not touch."""

    @property
    def patch_count(self) -> int:
        return 0 if self.patches is None else len(self.patches)


@dataclass(frozen=True, eq=False)
class Gap:
    """The shortest way between two labels that do not touch, between voxel centres."""

    length_mm: float
    start: NDArray[np.int64]
    """(3,) voxel of the one."""
    stop: NDArray[np.int64]
    """(3,) voxel of the other."""


def contact(one: Runs, other: Runs) -> Contact:
    """Where ``other`` touches ``one``."""
    box = _common_box(one.box(), other.box())
    if box is None:
        return Contact(np.empty((0, 3), np.int64), None)
    touching = binary_dilation(one.painted(box), TOUCH) & other.painted(box)
    if not touching.any():
        return Contact(np.empty((0, 3), np.int64), None)
    corner = np.array([side.start for side in box])
    return Contact(np.argwhere(touching) + corner, pieces_of(runs_of(touching), fully_connected=True).moved(corner))


def opening(meeting: Contact, one: Runs, other: Runs, spacing: Triple) -> NDArray[np.int64]:
    """The contact voxel (3,) in the middle of the widest passage: deepest within both labels taken together."""
    reach = 24
    low, high = meeting.voxels.min(axis=0) - reach, meeting.voxels.max(axis=0) + reach + 1
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high))
    union = one.painted(box) | other.painted(box)  # type: ignore[arg-type]  # three slices
    depth = depth_mm(union.view(np.uint8), meeting.voxels - low, spacing)
    return meeting.voxels[int(depth.argmax())]


def gap(one: Runs, other: Runs, spacing: Triple) -> Gap:
    """Shortest distance between two labels (both not empty)."""
    a, b = border_voxels(one), border_voxels(other)
    distance, nearest = cKDTree(b * np.asarray(spacing)).query(a * np.asarray(spacing))
    best = int(distance.argmin())
    return Gap(float(distance[best]), a[best], b[int(nearest[best])])


def border_voxels(runs: Runs) -> NDArray[np.int64]:
    """Voxels (n, 3) of a structure with a 6-neighbour outside."""
    box = runs.box()
    grown = tuple(slice(side.start - 1, side.stop + 1) for side in box)
    solid = runs.painted(grown)  # type: ignore[arg-type]  # three slices
    inner = solid[1:-1, 1:-1, 1:-1].copy()
    for axis in range(3):
        for shift in (slice(None, -2), slice(2, None)):
            window: list[slice] = [slice(1, -1)] * 3
            window[axis] = shift
            inner &= solid[tuple(window)]
    border = solid[1:-1, 1:-1, 1:-1] & ~inner
    return np.argwhere(border) + np.array([side.start for side in box])


def _common_box(one: Box, other: Box) -> Box | None:
    """Where both boxes, the one grown by a voxel, overlap; grown by one more for the neighbours."""
    sides = [slice(max(a.start - 1, b.start) - 1, min(a.stop + 1, b.stop) + 1) for a, b in zip(one, other)]
    if any(side.stop - side.start <= 2 for side in sides):
        return None
    return sides[0], sides[1], sides[2]
