"""A thumbnail of an image-mask pair: three planes through the middle of the mask, with the mask's outline, as numpy colours."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import ImageMaskPair

PIXELS = 112
"""Edge of each of the three planes."""
WINDOW_HU = (-250.0, 650.0)
PLANES = (((-1, 0, 0), (0, -1, 0)), ((-1, 0, 0), (0, 0, -1)), ((0, -1, 0), (0, 0, -1)))
"""World directions (RAS+) of columns and rows: axial, coronal, sagittal, as radiologists hold them."""


def thumbnail(pair: ImageMaskPair) -> NDArray[np.uint8]:
    """Colours (PIXELS, 3 PIXELS, 3): axial, coronal, sagittal, nearest voxels, black outside the field of view."""
    corners = pair.geometry.to_world([[n * (s - 1) for n, s in zip(c, pair.geometry.shape)] for c in product((0, 1), repeat=3)])
    pitch_mm = float(np.ptp(corners, axis=0).max()) / (PIXELS - 1)
    centre = 0.5 * (corners.min(axis=0) + corners.max(axis=0))
    focus = _middle_of_mask(pair)
    planes = []
    for across, down in PLANES:
        inside_plane = np.abs(across) + np.abs(down)
        middle = np.where(inside_plane > 0, centre, focus)
        planes.append(_plane(pair, middle, np.asarray(across) * pitch_mm, np.asarray(down) * pitch_mm))
    return np.concatenate(planes, axis=1)


def _middle_of_mask(pair: ImageMaskPair) -> NDArray[np.float64]:
    found = np.argwhere(pair.mask.voxels[::2, ::2, ::2] > 0) * 2
    index = found.mean(axis=0) if len(found) else (np.asarray(pair.geometry.shape) - 1) / 2
    return pair.geometry.to_world(index)


def _plane(pair: ImageMaskPair, middle: NDArray, across: NDArray, down: NDArray) -> NDArray[np.uint8]:
    steps = np.arange(PIXELS) - (PIXELS - 1) / 2
    world = middle + steps[None, :, None] * across + steps[:, None, None] * down
    index = np.rint(pair.geometry.to_index(world)).astype(np.int64)
    inside = np.all((index >= 0) & (index < pair.geometry.shape), axis=-1)
    i, j, k = (np.where(inside, index[..., axis], 0) for axis in range(3))
    low, high = WINDOW_HU
    grey = np.where(inside, np.clip((pair.image.voxels[i, j, k] - low) / (high - low), 0, 1), 0)
    picture = np.repeat((255 * grey).astype(np.uint8)[..., None], 3, axis=2)
    return _outlined(picture, np.where(inside, pair.mask.voxels[i, j, k], 0), pair)


def _outlined(picture: NDArray[np.uint8], labels: NDArray[np.integer], pair: ImageMaskPair) -> NDArray[np.uint8]:
    """Label pixels with another label to the right or below take the label's colour."""
    edge = np.zeros(labels.shape, bool)
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edge[:-1] |= labels[:-1] != labels[1:]
    for value in np.unique(labels[edge & (labels > 0)]):
        picture[edge & (labels == value)] = pair.mask.scheme[int(value)].colour
    return picture
