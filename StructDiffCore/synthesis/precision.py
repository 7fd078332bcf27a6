"""Which arithmetic the network runs in on a device."""

from __future__ import annotations

import time
from functools import lru_cache

import torch

CLEARLY_FASTER = 1.3
WRONG_BF16_CUDNN = range(90800, 91300)
"""cuDNN 9.8 to 9.12 return silently wrong bf16 3D convolutions."""


def inference_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The dtype behind float32, bfloat16 or auto (bfloat16 where a small convolution runs clearly faster in it)."""
    if precision == "float32" or (device.type == "cuda" and _bf16_convolutions_wrong()) or device.type == "mps":
        return torch.float32
    if precision == "bfloat16" or _bf16_is_faster(str(device)):
        return torch.bfloat16
    return torch.float32


def _bf16_convolutions_wrong() -> bool:
    return (torch.backends.cudnn.version() or 0) in WRONG_BF16_CUDNN


@lru_cache
def _bf16_is_faster(device: str) -> bool:
    return _convolution_seconds(device, torch.float32) > CLEARLY_FASTER * _convolution_seconds(device, torch.bfloat16)


@torch.no_grad()
def _convolution_seconds(device: str, dtype: torch.dtype) -> float:
    """Best of three 64-channel convolutions on 24^3 voxels."""
    image = torch.zeros((1, 64, 24, 24, 24), device=device, dtype=dtype).contiguous(memory_format=torch.channels_last_3d)
    convolution = torch.nn.Conv3d(64, 64, 3, padding=1, device=device, dtype=dtype)
    seconds = []
    for _ in range(4):
        begin = time.perf_counter()
        convolution(image)
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - begin)
    return min(seconds[1:])
