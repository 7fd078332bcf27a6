"""Augmentation of pictures: the labels must still fit."""

import numpy as np
import pytest
import torch

from StructDiffCore.cal.augmentation import augmented_picture, picture_transforms

EDGE = 48
MIDDLE = (20.0, 24.0, 27.0)


def blob() -> np.ndarray:
    away = sum((at - middle) ** 2 for at, middle in zip(np.mgrid[:EDGE, :EDGE, :EDGE], MIDDLE))
    return (1000 * np.exp(-away / (2 * 2.5**2))).astype(np.float32)


def middle_of(picture: np.ndarray) -> np.ndarray:
    """Centroid (i, j, k) of what is brighter than 40 % of the brightest."""
    bright = np.clip(picture - 0.4 * picture.max(), 0, None)
    return np.array([(bright * at).sum() / bright.sum() for at in np.mgrid[:EDGE, :EDGE, :EDGE]])


def test_an_augmented_structure_stays_where_its_label_is():
    moved = [np.abs(middle_of(augmented_picture(blob(), seed)) - MIDDLE).max() for seed in range(40)]
    assert max(moved) < 0.15
    changes = [np.abs(augmented_picture(blob(), seed) - blob()).mean() for seed in range(8)]
    assert sum(change > 0.1 for change in changes) >= 6


@pytest.mark.parametrize("zoom", [0.5, 0.6, 0.75, 0.9])
def test_a_low_resolution_does_not_move_the_picture(zoom):
    (coarse,) = [one for one in picture_transforms() if "LowResolution" in type(one).__name__]
    settings = coarse.sim_lowres_tfm
    made = type(settings)(1.0, settings.downsample_mode, settings.upsample_mode, (zoom, zoom))(torch.from_numpy(blob())[None])
    assert np.abs(middle_of(np.asarray(made[0])) - MIDDLE).max() < 0.05
