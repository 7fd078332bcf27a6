"""Augmentation of pictures: contrast, brightness, blur, sharpness, resolution and noise, with MONAI's transforms."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

RECIPE = (
    "RandAdjustContrast (p 0.5), RandScaleIntensity and RandShiftIntensity (p 0.5), RandGaussianSmooth (p 0.3), "
    "RandGaussianSharpen (p 0.2), RandSimulateLowResolution (p 0.25), RandGaussianNoise (p 0.5)"
)
"""What nnU-Net and MONAI usually do to pictures, in HU."""


def picture_transforms() -> list[Any]:
    """The transforms of a picture under the key 'image', in order; they leave every voxel where it is.

    (MONAI's default takes every n-th voxel for a low resolution: that moves the picture by 0.5 to 0.9 voxels against its labels.)
    """
    from monai import transforms as monai

    narrow = (0.4, 1.0)
    return [
        monai.RandAdjustContrastd("image", prob=0.5, gamma=(0.7, 1.5), retain_stats=True),
        monai.RandScaleIntensityd("image", 0.25, prob=0.5),
        monai.RandShiftIntensityd("image", 60.0, prob=0.5),
        monai.RandGaussianSmoothd("image", narrow, narrow, narrow, prob=0.3),
        monai.RandGaussianSharpend("image", prob=0.2),
        monai.RandSimulateLowResolutiond("image", prob=0.25, zoom_range=(0.5, 1.0), downsample_mode="trilinear"),
        monai.RandGaussianNoised("image", prob=0.5, std=30.0),
    ]


def augmented_picture(image_hu: NDArray, seed: int) -> NDArray[np.float32]:
    """The picture (i, j, k) in HU, augmented; the same seed augments alike."""
    transform = _composed()
    transform.set_random_state(seed)
    made: Any = transform({"image": torch.from_numpy(np.asarray(image_hu, np.float32))[None]})
    return np.clip(np.asarray(made["image"][0]), -1024, 3071)


@lru_cache(maxsize=1)
def _composed() -> Any:
    from monai import transforms as monai

    return monai.Compose(picture_transforms())
