"""Crops of true renderings of digital hearts: what the independent judge learns from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from StructDiffCore.phantom.appearance import draw_appearance
from StructDiffCore.phantom.formation import render
from StructDiffCore.training.crops import crop_start
from StructDiffCore.training.pool import HeartPool
from StructDiffCore.training.seeds import numpy_generator

from .fit import Crop

CROPS_PER_RENDERING = 12
LEFT_TREE, RIGHT_TREE = 8, 9


def phantom_crops(pool: HeartPool, crop: int, seed: int, vessel_share: float = 0.8) -> Iterator[Crop]:
    """Endless crops (noisy HU, labels) of hearts in fresh looks of the training domain, both coronary trees as one label.

    Equal seeds give equal crops.
    """
    number = 0
    while True:
        rng = numpy_generator(seed, "judge", number)
        heart = pool[int(rng.integers(len(pool)))]
        appearance = draw_appearance(rng, "training")
        image = render(heart, appearance, rng).noisy.voxels
        labels = np.where(heart.mask.voxels == RIGHT_TREE, LEFT_TREE, heart.mask.voxels)
        thin = np.argwhere(labels == LEFT_TREE)
        for _ in range(CROPS_PER_RENDERING):
            start = crop_start(thin, rng.random() < vessel_share, labels.shape, crop, rng)
            box = tuple(slice(a, a + crop) for a in start)
            yield image[box], labels[box]
        number += 1
