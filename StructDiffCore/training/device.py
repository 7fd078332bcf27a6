"""Where training runs: Lightning Fabric when installed (many devices), else one device with torch alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


class TrainingDevice(ABC):
    """The few things the training loop asks of the machine."""

    rank: int = 0
    world_size: int = 1
    device: torch.device

    @abstractmethod
    def set_up(self, module: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
        """Move both to the device; the module returned computes in the run's precision."""

    @abstractmethod
    def backward(self, loss: Tensor) -> None:
        """Gradients of the loss."""

    @abstractmethod
    def mean(self, value: Tensor) -> Tensor:
        """The mean of a number over all devices."""


class _InPrecision(nn.Module):
    """A module whose forward runs under autocast."""

    def __init__(self, module: nn.Module, device: torch.device, bf16: bool) -> None:
        super().__init__()
        self.module, self.device, self.bf16 = module, device, bf16

    def _precision(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16) if self.bf16 else nullcontext()

    def forward(self, *inputs: Any) -> Any:
        with self._precision():
            return self.module(*inputs)


@final
class FabricDevice(TrainingDevice):
    """Lightning Fabric under torchrun, SLURM or alone.

    The precision is ours, not Fabric's: its mixed precision rounds every input to bfloat16, the noise level too, and at low noise
    the rounding of a residual is as large as the noise to be told from it.
    """

    def __init__(self, precision: str, accelerator: str = "auto", devices: int = 1) -> None:
        from lightning_fabric import Fabric

        self.bf16 = precision == "bf16-mixed"
        self.fabric = Fabric(accelerator=accelerator, devices=devices)
        self.fabric.launch()
        self.rank, self.world_size, self.device = self.fabric.global_rank, self.fabric.world_size, self.fabric.device

    def set_up(self, module: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
        wrapped: Any = self.fabric.setup(_InPrecision(module, self.device, self.bf16), optimizer)
        return wrapped

    def backward(self, loss: Tensor) -> None:
        self.fabric.backward(loss)

    def mean(self, value: Tensor) -> Tensor:
        return value if self.world_size == 1 else self.fabric.all_reduce(value, reduce_op="mean")  # type: ignore[return-value]


@final
class BareDevice(TrainingDevice):
    """One device, torch alone."""

    def __init__(self, precision: str) -> None:
        self.bf16 = precision == "bf16-mixed"
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def set_up(self, module: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
        return _InPrecision(module.to(self.device), self.device, self.bf16), optimizer

    def backward(self, loss: Tensor) -> None:
        loss.backward()

    def mean(self, value: Tensor) -> Tensor:
        return value


def training_device(precision: str) -> TrainingDevice:
    """Fabric where it is installed, else the bare device."""
    try:
        import lightning_fabric  # noqa: F401
    except ImportError:
        return BareDevice(precision)
    return FabricDevice(precision)
