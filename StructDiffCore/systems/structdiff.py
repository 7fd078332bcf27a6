"""StructDiff (arXiv 2503.09560): template-guided diffusion of the residual over a painted prior [R, METHODS section 1]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import torch
from torch import Tensor

from StructDiffCore.config.resources import resources_folder
from StructDiffCore.diffusion.denoiser import EDMDenoiser
from StructDiffCore.domain import StructDiffError
from StructDiffCore.models.condition_encoder import Features
from StructDiffCore.models.condition_tensors import condition_tensors
from StructDiffCore.models.conditioning import ConditionMaps
from StructDiffCore.models.network import StructDiffNetwork
from StructDiffCore.models.network_settings import NetworkSettings

from .weights_file import read_weights, write_weights

SYSTEM = "structdiff"
SHIPPED_WEIGHTS = "structdiff-cardiac.safetensors"


@dataclass(frozen=True)
class StructDiffSettings:
    """What a set of weights was trained as; stored in the file's header."""

    network: NetworkSettings = field(default_factory=NetworkSettings)
    """The network's form."""
    residual_scale_hu: float = 100.0
    """HU of one unit of the diffused residual r = (image - prior) / scale; chosen so that r has about unit spread."""
    noise: str = "modelled"
    """What the network makes: 'modelled' the noise-free image (noise is added afterwards), 'diffusion' the noisy image."""

    def __post_init__(self) -> None:
        if self.noise not in ("modelled", "diffusion"):
            raise StructDiffError(f"the noise setting is '{self.noise}'", "choose 'modelled' or 'diffusion'")

    @classmethod
    def from_dict(cls, content: dict[str, object]) -> StructDiffSettings:
        """Settings from their JSON form; fields this version does not know are refused."""
        network = content.get("network", {})
        try:
            return cls(**{**content, "network": NetworkSettings(**network)})  # type: ignore[arg-type]
        except TypeError as error:
            known = sorted(f.name for f in fields(cls))
            raise StructDiffError(f"the weights' settings do not fit this version ({error})", f"known are {known}") from None


class StructDiff:
    """Settings, network and the constants that turn HU into the diffused residual and back."""

    def __init__(self, settings: StructDiffSettings | None = None, network: StructDiffNetwork | None = None) -> None:
        self.settings = settings or StructDiffSettings()
        self.network = network or StructDiffNetwork(self.settings.network)
        self.sha256 = ""
        """SHA-256 of the file the weights came from; empty for fresh weights."""

    @property
    def multiple(self) -> int:
        """A tile's sizes must be multiples of this number of voxels."""
        return self.settings.network.multiple

    def to(self, device: torch.device | str, dtype: torch.dtype = torch.float32) -> StructDiff:
        """Move the network for inference: ``torch.bfloat16`` is twice as fast where the processor knows it."""
        self.network.to(device=device, dtype=dtype).eval()
        return self

    @torch.no_grad()
    def encode(self, conditions: Sequence[ConditionMaps]) -> Features:
        """Features of tiles of one shape, shared by all their sampling steps."""
        device = next(self.network.parameters()).device
        return self.network.encode(condition_tensors(conditions).to(device))

    def denoiser(self, features: Features) -> EDMDenoiser:
        """The denoiser of the residual [B, 1, I, J, K] under these features."""

        def network_call(noisy: Tensor, c_noise: Tensor) -> Tensor:
            return self.network(noisy, c_noise, features).to(noisy.dtype)

        return EDMDenoiser(network_call, sigma_data=1.0)

    def to_residual(self, image_hu: Tensor, prior_hu: Tensor) -> Tensor:
        return (image_hu - prior_hu) / self.settings.residual_scale_hu

    def to_hu(self, residual: Tensor, prior_hu: Tensor) -> Tensor:
        return prior_hu + self.settings.residual_scale_hu * residual

    def save_weights(self, path: Path) -> str:
        """Write half-precision safetensors with the settings in the header; returns the SHA-256."""
        return write_weights(Path(path), SYSTEM, self.network.state_dict(), asdict(self.settings))

    @classmethod
    def load_weights(cls, path: Path) -> StructDiff:
        """Read weights; refuses pickles, other systems' files, damaged and changed ones (StructDiffError)."""
        file = read_weights(Path(path), SYSTEM)
        system = cls(StructDiffSettings.from_dict(dict(file.settings)))
        try:
            system.network.load_state_dict({name: tensor.float() for name, tensor in file.tensors.items()})
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise StructDiffError(
                f"{path} does not fit the network its header describes ({reason})", "train or download it again"
            ) from None
        system.sha256 = file.sha256
        return system


def default_structdiff() -> StructDiff:
    """StructDiff with the shipped weights."""
    return StructDiff.load_weights(resources_folder() / "Models" / SHIPPED_WEIGHTS)
