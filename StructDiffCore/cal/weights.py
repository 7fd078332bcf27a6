"""Voxel weights of confidence-aware learning: w = 1 - rho (1 - confidence), and their mean normalised per class [R]."""

from __future__ import annotations

import torch
from torch import Tensor


def ramp(step: int, steps: int) -> float:
    """rho at a step of stage 1: from 0 at the start linearly to 1 after a third of the steps."""
    return min(1.0, 3.0 * step / max(1, steps))


def trust_of(confidence: Tensor, rho: float) -> Tensor:
    """w = 1 - rho (1 - confidence), in [0, 1], without a gradient; exactly 1 where the confidence is 1."""
    return (1.0 - rho * (1.0 - confidence.float())).detach().clamp(0.0, 1.0)


def normalised(trust: Tensor, classes: Tensor, count: int) -> Tensor:
    """Weights of the losses' sums: ``trust`` over its mean in the voxel's class; both are [B, I, J, K], every sample by itself.

    A class that is uncertain all over keeps its part in the loss. The mean is taken with the trust itself as the weight,
    sum(w^2) / sum(w), so that a voxel of trust 0 does not count: its label, which may be anything, moves nothing. The weights of
    a class sum to its effective number of voxels (Kish 1965). Trust 1 everywhere gives exactly 1, a class of trust 0 exactly 0.
    """
    offsets = count * torch.arange(len(classes), device=classes.device)[:, None, None, None]
    slots = (classes + offsets).flatten()
    values = trust.double().flatten()
    sums = torch.zeros(len(classes) * count, dtype=torch.float64, device=trust.device)
    total = sums.index_add(0, slots, values)
    squares = sums.index_add(0, slots, values**2)
    factor = torch.where(squares > 0, total / squares.clamp_min(torch.finfo(torch.float64).tiny), 0.0)
    return (values * factor[slots]).reshape(trust.shape).to(trust.dtype)
