"""Fit a segmenter: Dice + cross-entropy on crops, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from monai.losses import DiceLoss
from numpy.typing import NDArray

from StructDiffCore.domain import StructDiffError

from .segmenter import Segmenter, windowed

Crop = tuple[NDArray[np.float32], NDArray[np.integer]]
"""Image in HU and labels, both (i, j, k) at the segmenter's spacing."""

THIN_WEIGHT = 5.0
"""Cross-entropy weight of thin labels: they fill a hundredth of the voxels."""


@dataclass(frozen=True)
class FitStep:
    """One optimiser step."""

    index: int
    total: int
    loss: float


def fit(
    segmenter: Segmenter, crops: Iterable[Crop], steps: int, batch: int = 2, learning_rate: float = 2e-3
) -> Iterator[FitStep]:
    """Train in place with AdamW under a one-cycle learning rate; hands out every step.

    Ends early where the crops do.
    """
    network = segmenter.network.train()
    optimizer = torch.optim.AdamW(network.parameters(), learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps, pct_start=0.1)
    weight = torch.tensor([1.0, *(THIN_WEIGHT if segmenter.scheme[v].thin else 1.0 for v in segmenter.settings.label_values)])
    cross_entropy = torch.nn.CrossEntropyLoss(weight)
    dice = DiceLoss(softmax=True, to_onehot_y=True, include_background=False, batch=True)
    stream = iter(crops)
    for index in range(steps):
        crop = [pair for _, pair in zip(range(batch), stream)]
        if len(crop) < batch:
            return
        images, classes = _tensors(segmenter, crop)
        with torch.autocast("cpu", torch.bfloat16):
            scores = network(images)
        loss = dice(scores.float(), classes) + cross_entropy(scores.float(), classes[:, 0])
        if not torch.isfinite(loss):
            raise StructDiffError(
                f"the segmenter's loss became {loss.item()} at step {index + 1}", "lower the learning rate", "internal"
            )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        yield FitStep(index + 1, steps, loss.item())


def _tensors(segmenter: Segmenter, crops: list[Crop]) -> tuple[torch.Tensor, torch.Tensor]:
    """Windowed images and class indices, both (batch, 1, i, j, k)."""
    images = torch.stack([torch.from_numpy(np.array(image, np.float32)) for image, _ in crops])[:, None]
    classes = np.zeros((len(crops), 1, *crops[0][1].shape), np.int64)
    for rank, value in enumerate(segmenter.settings.label_values, start=1):
        for slot, (_, labels) in enumerate(crops):
            classes[slot, 0][labels == value] = rank
    return windowed(images), torch.from_numpy(classes)
