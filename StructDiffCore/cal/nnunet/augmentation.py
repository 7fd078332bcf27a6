"""Doubt through nnU-Net's augmentation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .doubt import confidence_of


class DoubtBesideLabels:
    """nnU-Net's augmentation for a segmentation whose last channel is doubt: comes out as [labels, confidence], float32.

    At the coarser outputs of deep supervision the confidence is that of the voxel whose label nnU-Net takes.
    """

    def __init__(self, transforms: Callable[..., dict[str, Any]]) -> None:
        self.transforms = transforms

    def __call__(self, image: Tensor, segmentation: Tensor) -> dict[str, Any]:
        """Image [C, ...] and segmentation [2, ...] -> the same, or as many segmentations as there are outputs."""
        doubt = segmentation[-1:].float().clamp_min(0)
        done = self.transforms(image=image, segmentation=segmentation[:-1], regression_target=doubt)
        confidence = confidence_of(done.pop("regression_target"))
        labels = done["segmentation"]
        several = isinstance(labels, list)
        joined = [_joined(one, confidence) for one in (labels if several else [labels])]
        return {**done, "segmentation": joined if several else joined[0]}

    def __repr__(self) -> str:
        return f"DoubtBesideLabels({self.transforms!r})"


def _joined(labels: Tensor, confidence: Tensor) -> Tensor:
    if labels.shape[1:] != confidence.shape[1:]:
        confidence = functional.interpolate(confidence[None], labels.shape[1:], mode="nearest-exact")[0]
    return torch.cat([labels.float(), confidence])
