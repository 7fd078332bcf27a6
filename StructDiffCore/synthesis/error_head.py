"""The error head: expected squared error per voxel, read off the generator's own features; trained where the truth is known.

It stands beside SSV under the same interface. Its weights belong to one generator's: features of another mean something else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from StructDiffCore.config.resources import resources_folder
from StructDiffCore.diffusion.denoiser import Denoiser
from StructDiffCore.diffusion.sampling import SamplingStep
from StructDiffCore.domain import StructDiffError
from StructDiffCore.models.condition_encoder import Features
from StructDiffCore.models.condition_tensors import HU_SCALE, MAP_NAMES, RESIDUAL_SCALE_HU
from StructDiffCore.models.space_to_depth import depth_to_space
from StructDiffCore.systems.weights_file import read_weights, write_weights

from .measured_at import MeasuredAt
from .ssv import Spread

SYSTEM = "error-head"
SHIPPED_HEAD = "error-head-cardiac.safetensors"
WIDTH = 16
LOG_RANGE = (-14.0, 3.5)
"""Log of the variance in squared units of the residual: from 0.1 HU to 575 HU, where each unit is 100 HU."""


class ErrorHead(nn.Module):
    """First level of the condition features (half grid), condition maps and clean estimate -> log of the squared error.

    Beside what is shown it sees how rough that is within 3x3x3 voxels: the best that can be said for nothing is a good start.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spread = nn.Conv3d(channels, 8 * WIDTH, 1)
        self.look = nn.Conv3d(2 * (2 + len(MAP_NAMES)), WIDTH, 3, padding=1)
        self.weigh = nn.Conv3d(WIDTH, WIDTH, 3, padding=1)
        self.answer = nn.Conv3d(WIDTH, 1, 1)
        nn.init.zeros_(self.answer.weight)
        nn.init.constant_(cast(Tensor, self.answer.bias), -4.0)

    def forward(self, level: Tensor, maps: Tensor, clean: Tensor) -> Tensor:
        """[B, C, I/2, ...], [B, 6, I, ...] and [B, 1, I, J, K] -> [B, 1, I, J, K]; no gradient reaches the generator."""
        image = maps[:, :1] + clean * (RESIDUAL_SCALE_HU / HU_SCALE)
        shown = torch.cat([clean, image, maps], 1).detach().float()
        fine = self.look(torch.cat([shown, local_deviation(shown)], 1))
        coarse = depth_to_space(self.spread(level.detach().float()))
        return bounded(self.answer(F.silu(self.weigh(F.silu(coarse + fine)))))


def bounded(log_variance: Tensor) -> Tensor:
    """Within LOG_RANGE by a soft bound: where a hard one holds, nothing is learnt any more."""
    low, high = LOG_RANGE
    middle, half = (low + high) / 2, (high - low) / 2
    return middle + half * torch.tanh((log_variance - middle) / half)


def local_deviation(shown: Tensor) -> Tensor:
    """Standard deviation of every channel within 3x3x3 voxels, of those that lie inside; [B, C, I, J, K]."""
    mean, square = (F.avg_pool3d(a, 3, 1, 1, count_include_pad=False) for a in (shown, shown.square()))
    return (square - mean.square()).clamp_min(1e-6).sqrt()


def likelihood_loss(log_variance: Tensor, error: Tensor) -> Tensor:
    """Mean negative log-likelihood of a normal error (Kendall and Gal 2017, eq. 5), without its constant."""
    return 0.5 * (log_variance + error.square() * torch.exp(-log_variance)).mean()


class Blends(Protocol):
    """A denoiser of whole volumes that hands out the features of its tiles."""

    def blended(self, answer: Callable[[Any, Tensor], Tensor], volume: Tensor) -> Tensor: ...


class HeadSpread(Spread):
    """The head's expected squared error of the finished sample."""

    name = "head"

    def __init__(self, head: ErrorHead, sha256: str) -> None:
        self.head = head
        self.sha256 = sha256
        self._last: Tensor | None = None

    def watch(self, step: SamplingStep) -> None:
        self._last = step.clean

    def variance(self, denoiser: Denoiser, start: Tensor) -> Tensor | None:
        if self._last is None:
            return None

        def answer(features: Features, piece: Tensor) -> Tensor:
            return torch.exp(self.head(features.levels[0], features.detail, piece))

        return cast(Blends, denoiser).blended(answer, self._last)

    def as_dict(self) -> dict[str, Any]:
        return {"method": self.name, "head_sha256": self.sha256}


@dataclass(frozen=True, eq=False)
class TrainedHead:
    """A head with the samples whose errors it learnt."""

    head: ErrorHead
    trained_at: MeasuredAt
    sha256: str = ""

    @property
    def generator_sha256(self) -> str:
        """Of the weights whose features it reads."""
        return self.trained_at.weights_sha256

    def spread(self) -> HeadSpread:
        """A fresh spread for one sample."""
        return HeadSpread(self.head, self.sha256)

    def save(self, path: Path) -> str:
        """Half-precision safetensors with ``trained_at`` in the header; returns the file's SHA-256."""
        settings = {"channels": self.head.spread.in_channels, "trained_at": self.trained_at.as_dict()}
        return write_weights(path, SYSTEM, self.head.state_dict(), settings)

    @classmethod
    def load(cls, path: Path) -> TrainedHead:
        """Read a head; refuses pickles, strangers and damaged files (StructDiffError)."""
        file = read_weights(path, SYSTEM)
        try:
            head = ErrorHead(int(str(file.settings["channels"])))
            head.load_state_dict({name: tensor.float() for name, tensor in file.tensors.items()})
            trained_at = MeasuredAt.from_dict(cast(dict[str, Any], file.settings["trained_at"]))
        except (KeyError, TypeError, ValueError, RuntimeError):
            raise StructDiffError(f"{path} holds no error head of this version", "train it again") from None
        return cls(head.eval(), trained_at, file.sha256)


def shipped_head(generator_sha256: str) -> TrainedHead | None:
    """The shipped head where it belongs to these generator weights, else None."""
    path = resources_folder() / "Models" / SHIPPED_HEAD
    if not path.is_file():
        return None
    found = TrainedHead.load(path)
    return found if found.generator_sha256 == generator_sha256 else None
