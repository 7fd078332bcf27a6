"""Exponential moving average of the weights, with a warm-up of its decay."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class MovingAverage:
    """average <- d average + (1 - d) weights, d = min(decay, (1 + n) / (10 + n)) at update n."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.weights = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take the network's present weights in."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for name, tensor in network.state_dict().items():
            self.weights[name].lerp_(tensor.to(self.weights[name].dtype), 1 - decay)

    def restore(self, weights: Mapping[str, Tensor], updates: int) -> None:
        """Continue from a checkpoint."""
        self.updates = updates
        for name, tensor in weights.items():
            self.weights[name].copy_(tensor)
