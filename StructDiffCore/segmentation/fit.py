"""Fit a segmenter step by step: one loop for the judge and for confidence-aware learning."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from monai.losses import DiceLoss
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from StructDiffCore.domain import StructDiffError
from StructDiffCore.training.device import BareDevice, TrainingDevice

from .segmenter import Segmenter, windowed

Crop = tuple[NDArray[np.float32], NDArray[np.integer]]
"""Image in HU and labels, both (i, j, k) at the segmenter's spacing."""

THIN_WEIGHT = 5.0
"""Cross-entropy weight of thin labels: they fill a hundredth of the voxels."""
CLIP_NORM = 1.0
"""Largest norm of the gradient."""


@dataclass(frozen=True)
class FitStep:
    """One optimiser step."""

    index: int
    """Counts from 1."""
    total: int
    loss: float


class Objective(nn.Module):
    """Network and loss as one module, so that the device's precision (and DDP) wraps them together."""

    def __init__(self, network: nn.Module, loss: Callable[..., Tensor]) -> None:
        super().__init__()
        self.network = network
        self.loss = loss

    def forward(self, images: Tensor, *told: Tensor | float | None) -> Tensor:
        """Loss of windowed images [B, 1, I, J, K] against whatever the loss wants to be told."""
        return self.loss(self.network(images).float(), *told)


def fit_steps(
    objective: nn.Module,
    optimizer: Optimizer,
    batches: Iterable[Sequence[Tensor | float | None]],
    set_rate: Callable[[int], None],
    device: TrainingDevice,
    steps: int,
    start: int = 0,
) -> Iterator[FitStep]:
    """Optimiser steps ``start`` to ``steps``; ``objective`` and ``optimizer`` are what ``device.set_up`` returned.

    When a step is handed out, the weights are those after it. Ends early where the batches do. A loss or gradient that is not
    finite raises StructDiffError before the weights change.
    """
    objective.train()
    for index, batch in zip(range(start, steps), batches):
        set_rate(index)
        loss = objective(*(part.to(device.device) if isinstance(part, Tensor) else part for part in batch))
        seen = float(device.mean(loss.detach()))
        _refuse_not_finite(seen, "loss", index)
        optimizer.zero_grad()
        device.backward(loss)
        norm = nn.utils.clip_grad_norm_(objective.parameters(), CLIP_NORM)
        _refuse_not_finite(float(norm), "gradient", index)
        optimizer.step()
        yield FitStep(index + 1, steps, seen)


def fit(
    segmenter: Segmenter, crops: Iterable[Crop], steps: int, batch: int = 2, learning_rate: float = 2e-3
) -> Iterator[FitStep]:
    """Train in place with Dice + cross-entropy and AdamW under a one-cycle learning rate; hands out every step.

    Ends early where the crops do.
    """
    optimizer = torch.optim.AdamW(segmenter.network.parameters(), learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps, pct_start=0.1)
    device = BareDevice("bf16-mixed")
    objective, _ = device.set_up(Objective(segmenter.network, _dice_and_cross_entropy(segmenter)), optimizer)
    yield from fit_steps(
        objective,
        optimizer,
        _batches(segmenter, iter(crops), batch),
        lambda index: schedule.step() if index else None,
        device,
        steps,
    )


def class_weights(segmenter: Segmenter, thin_weight: float = THIN_WEIGHT) -> Tensor:
    """Cross-entropy weight of each class, background first."""
    return torch.tensor([1.0, *(thin_weight if segmenter.scheme[v].thin else 1.0 for v in segmenter.settings.label_values)])


def class_indices(labels: NDArray[np.integer], values: Sequence[int]) -> NDArray[np.uint8]:
    """Labels (i, j, k) as class numbers: 0 for background and for values that are not listed, else 1 + rank."""
    table = np.zeros(max(256, int(labels.max(initial=0)) + 1, *(v + 1 for v in values)), np.uint8)
    table[list(values)] = range(1, len(values) + 1)
    return table[labels]


def _dice_and_cross_entropy(segmenter: Segmenter) -> Callable[[Tensor, Tensor], Tensor]:
    dice = DiceLoss(softmax=True, to_onehot_y=True, include_background=False, batch=True)
    weight = class_weights(segmenter)

    def loss(scores: Tensor, classes: Tensor) -> Tensor:
        return dice(scores, classes) + nn.functional.cross_entropy(scores, classes[:, 0], weight.to(scores.device))

    return loss


def _batches(segmenter: Segmenter, crops: Iterator[Crop], batch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Windowed images and class indices, both (batch, 1, i, j, k)."""
    values = segmenter.settings.label_values
    while len(drawn := [pair for _, pair in zip(range(batch), crops)]) == batch:
        images = torch.stack([torch.from_numpy(np.array(image, np.float32)) for image, _ in drawn])[:, None]
        classes = np.stack([class_indices(labels, values) for _, labels in drawn])[:, None]
        yield windowed(images), torch.from_numpy(classes.astype(np.int64))


def _refuse_not_finite(value: float, what: str, index: int) -> None:
    if not math.isfinite(value):
        raise StructDiffError(f"the segmenter's {what} became {value} at step {index + 1}", "lower the learning rate", "internal")
