"""The training loop: hands out its steps; the caller decides what to do with each."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from StructDiffCore.domain import StructDiffError

from .crops import TrainingBatch
from .device import TrainingDevice
from .ema import MovingAverage
from .objective import draw_noise
from .settings import TrainSettings


@dataclass(frozen=True)
class Step:
    """What one optimiser step reports."""

    number: int
    """Counts from 0."""
    loss: float
    gradient_norm: float
    seconds: float
    """Duration of the whole step, waiting for data included."""
    waited: float
    """Seconds spent waiting for data."""


def training_steps(
    objective: nn.Module,
    network: nn.Module,
    optimizer: Optimizer,
    average: MovingAverage,
    batches: Iterator[TrainingBatch],
    settings: TrainSettings,
    device: TrainingDevice,
    start: int = 0,
) -> Iterator[Step]:
    """Train from step ``start`` to the end; when Step n is handed out, weights and average are those after step n.

    ``objective`` is what ``device.set_up`` returned, ``network`` the bare network inside it. A loss that is not finite raises
    StructDiffError before the weights change.
    """
    for number in range(start, settings.total_steps):
        began = time.perf_counter()
        batch = next(batches)
        waited = time.perf_counter() - began
        loss = _loss(objective, batch, settings, device, number)
        seen = float(device.mean(loss.detach()))
        _refuse_not_finite(seen, number, "loss")
        norm = _update(objective, optimizer, loss, settings, device, number)
        average.update(network)
        yield Step(number, seen, norm, time.perf_counter() - began, waited)


def learning_rate_at(step: int, settings: TrainSettings) -> float:
    """Linear warm-up, then a cosine down to a hundredth of the peak at the last step."""
    warm = min(1.0, (step + 1) / max(1, settings.warm_up_steps))
    progress = step / max(1, settings.total_steps - 1)
    return settings.learning_rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def make_optimizer(network: nn.Module, settings: TrainSettings) -> torch.optim.AdamW:
    """AdamW; biases and norms are not decayed."""
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.99))


def _loss(objective: nn.Module, batch: TrainingBatch, settings: TrainSettings, device: TrainingDevice, number: int) -> Tensor:
    first_sample = device.rank * len(batch.residual)
    sigma_range = (settings.sigma_min, settings.sigma_max)
    sigma_law = (settings.sigma_median, settings.sigma_spread)
    noise, sigma = draw_noise(batch.residual.shape, settings.seed, number, first_sample, sigma_range, sigma_law)
    condition = batch.condition
    inputs = (condition.maps, condition.occupancy, condition.codes, batch.residual, batch.weight, noise, sigma)
    robust = settings.phases[settings.phase_at(number)[0]].robust
    return objective(*(tensor.to(device.device) for tensor in inputs), robust).mean()


def _update(
    objective: nn.Module, optimizer: Optimizer, loss: Tensor, settings: TrainSettings, device: TrainingDevice, number: int
) -> float:
    """One optimiser step; returns the gradient's norm before clipping."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate_at(number, settings)
    optimizer.zero_grad(set_to_none=True)
    device.backward(loss)
    norm = float(nn.utils.clip_grad_norm_(objective.parameters(), settings.clip_norm))
    _refuse_not_finite(norm, number, "gradient")
    optimizer.step()
    return norm


def _refuse_not_finite(value: float, number: int, what: str) -> None:
    if not math.isfinite(value):
        raise StructDiffError(
            f"the {what} became {value} at step {number}",
            "lower the learning rate or look at the data; the last checkpoint is kept",
            "internal",
        )
