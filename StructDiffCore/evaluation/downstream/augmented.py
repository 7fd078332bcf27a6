"""Strong augmentation of a real pair with MONAI's transforms: geometry, contrast, noise, blur and resolution."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from StructDiffCore.cal.augmentation import RECIPE as PICTURE_RECIPE
from StructDiffCore.cal.augmentation import picture_transforms
from StructDiffCore.domain import ImageMaskPair, LabelMap, Volume

RECIPE = f"RandAffine (15 degrees, 15 % scale, 8 voxels), Rand3DElastic (p 0.5), {PICTURE_RECIPE}"
"""nnU-Net's and MONAI's usual strong set, without flips (hearts have sides)."""


def augmented(pair: ImageMaskPair, seed: int) -> ImageMaskPair:
    """One augmented copy; the same seed gives the same copy."""
    transform = _transforms()
    transform.set_random_state(seed)
    image, mask = (torch.from_numpy(np.array(a, np.float32))[None] for a in (pair.image.voxels, pair.mask.voxels))
    made: Any = transform({"image": image, "mask": mask})
    hu, labels = (np.asarray(made[key][0]) for key in ("image", "mask"))
    scheme, grid = pair.mask.scheme, pair.geometry
    return ImageMaskPair(Volume(np.clip(hu, -1024, 3071), grid), LabelMap(np.rint(labels).astype(np.uint8), grid, scheme))


def _transforms() -> Any:
    from monai import transforms as monai

    both: dict[str, Any] = {"keys": ("image", "mask"), "mode": ("bilinear", "nearest"), "padding_mode": "border"}
    turn, grow, shift = (0.26,) * 3, (0.15,) * 3, (8.0,) * 3
    return monai.Compose(
        [
            monai.RandAffined(prob=1.0, rotate_range=turn, scale_range=grow, translate_range=shift, **both),
            monai.Rand3DElasticd(prob=0.5, sigma_range=(5, 8), magnitude_range=(40, 120), **both),
            *picture_transforms(),
        ]
    )
