"""Which device runs the network: what is there, what works, what the name asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from StructDiffCore.config.devices import checked_device_name
from StructDiffCore.domain import StructDiffError

from .torch_check import require_torch

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class DeviceCheck:
    """A device that torch names, and whether a small 3D convolution on it gives the CPU's answer."""

    name: str
    words: str
    """Model and memory."""
    works: bool
    note: str = ""


def chosen_device(name: str) -> torch.device:
    """The torch device behind auto, cpu, cuda, cuda:N or mps; refuses one that is not there (category ``device``).

    The first use of torch in every verb that needs it: one that is missing or half-installed is refused here.
    """
    checked_device_name(name)
    require_torch()
    import torch

    there = available_names()
    if name == "auto":
        return torch.device(there[0])
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in there:
        raise StructDiffError(f"device '{name}' is not there (found: {', '.join(there)})", f"choose {there[0]} or auto", "device")
    return torch.device(wanted)


def available_names() -> list[str]:
    """Devices that torch sees, the fastest first; cpu is always the last."""
    import torch

    cuda = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [*cuda, *mps, "cpu"]


def checked_devices() -> list[DeviceCheck]:
    """Every device torch sees, tried with a small convolution."""
    return [_tried(name) for name in available_names()]


def bf16_convolutions_wrong() -> bool:
    """Whether the installed cuDNN is one of those whose bf16 Conv3d must not be used."""
    import torch

    from StructDiffCore.synthesis.precision import WRONG_BF16_CUDNN

    return torch.cuda.is_available() and (torch.backends.cudnn.version() or 0) in WRONG_BF16_CUDNN


def _tried(name: str) -> DeviceCheck:
    try:
        deviation = _convolution_deviation(name)
    except Exception as error:  # a broken driver raises anything: doctor tells instead of dying
        return DeviceCheck(name, _words(name), works=False, note=" ".join(str(error).split())[:160])
    note = "bf16 3D convolutions are wrong with this cuDNN (9.8 to 9.12): fp32 only" if _refuses_bf16(name) else ""
    return DeviceCheck(name, _words(name), works=deviation < 1e-2, note=note)


def _convolution_deviation(name: str) -> float:
    """Largest difference between a 3D convolution there and on the CPU, relative to the CPU's largest value."""
    import torch

    generator = torch.Generator().manual_seed(0)
    image = torch.randn((1, 4, 12, 12, 12), generator=generator)
    kernel = torch.randn((8, 4, 3, 3, 3), generator=generator)
    truth = torch.nn.functional.conv3d(image, kernel)
    answer = torch.nn.functional.conv3d(image.to(name), kernel.to(name)).cpu()
    return float((answer - truth).abs().max() / truth.abs().max())


def _refuses_bf16(name: str) -> bool:
    return name.startswith("cuda") and bf16_convolutions_wrong()


def _words(name: str) -> str:
    if not name.startswith("cuda"):
        return name
    import torch

    properties = torch.cuda.get_device_properties(name)
    return f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
