"""StructDiffNetwork: condition encoder and U-Net together; the encoder runs once per tile, the U-Net at every step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .condition_encoder import ConditionEncoder, Features
from .condition_tensors import ConditionTensors
from .network_settings import NetworkSettings
from .unet import UNet


class StructDiffNetwork(nn.Module):
    """The generator network [R, METHODS section 1]. It knows no noise schedule."""

    def __init__(self, settings: NetworkSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or NetworkSettings()
        self.encoder = ConditionEncoder(self.settings)
        self.unet = UNet(self.settings)
        self.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def encode(self, condition: ConditionTensors) -> Features:
        """Features that every sampling step of a tile shares."""
        _refuse_other_sizes(condition.maps, self.settings.multiple)
        return self.encoder(condition)

    def forward(self, noisy: Tensor, c_noise: Tensor, features: Features) -> Tensor:
        """[B, 1, I, J, K] scaled noisy residual and [B] noise conditioning -> F [B, 1, I, J, K]."""
        return self.unet(noisy, c_noise, features)

    @property
    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())


def _refuse_other_sizes(maps: Tensor, multiple: int) -> None:
    if any(size % multiple for size in maps.shape[2:]):
        raise ValueError(f"the tile has shape {tuple(maps.shape[2:])}, expected multiples of {multiple}")
