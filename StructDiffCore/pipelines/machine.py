"""Machine: the device that would run, the memory that is free, and how fast the shipped network is on it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from StructDiffCore.config.presets import DEFAULT_MODEL

if TYPE_CHECKING:
    import torch

    from StructDiffCore.models.conditioning import ConditionMaps
    from StructDiffCore.systems.structdiff import StructDiff

TILE = 96
"""Edge of the tile that is timed, in voxels."""
REPEATS = 3
HOST_S = 0.055
"""What the host's reference work takes where the constants of the estimate were measured (one core of an AMD EPYC)."""


def machine_of(device: torch.device, devices: list[dict[str, Any]]) -> dict[str, Any]:
    """JSON-able: ``device`` that runs, ``devices``, ``free_bytes`` where the network runs, ``rate`` (None without weights)."""
    from StructDiffCore.domain import StructDiffError

    from .models import load_system

    try:
        rate = measured_rate(load_system(DEFAULT_MODEL), device)
    except (StructDiffError, RuntimeError, MemoryError):
        rate = None
    return {
        "device": str(device),
        "devices": devices,
        "free_bytes": free_bytes(str(device)),
        "cpu_threads": os.cpu_count(),
        "rate": rate,
    }


def free_bytes(device: str) -> int:
    """Free memory of a device: the graphics card's own, or the machine's."""
    import torch

    from StructDiffCore.synthesis.ladder import available_bytes

    return int(torch.cuda.mem_get_info(device)[0]) if device.startswith("cuda") else available_bytes()


def measured_rate(system: StructDiff, device: torch.device) -> dict[str, Any]:
    """Seconds per million voxels of one network call and one encoding on ``device`` (median of three), and what features take."""
    import torch

    from StructDiffCore.diffusion.levels import Level
    from StructDiffCore.synthesis.feature_cache import bytes_of
    from StructDiffCore.synthesis.precision import inference_dtype

    precision = inference_dtype("auto", device)
    runner = system.to(device, precision)
    encode_s, features = _timed(lambda: runner.encode([_empty_condition()]), device)
    noisy = torch.zeros((1, 1, TILE, TILE, TILE), device=device)
    with torch.no_grad():
        call_s, _ = _timed(lambda: runner.denoiser(features)(noisy, Level(1.0, 1.0)), device)
    voxels = TILE**3
    return {
        "device": str(device),
        "precision": str(precision).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "call_s_per_mvoxel": round(call_s / voxels * 1e6, 4),
        "encode_s_per_mvoxel": round(encode_s / voxels * 1e6, 4),
        "feature_bytes_per_voxel": round(bytes_of(features) / voxels, 2),
        "host_slowness": round(host_slowness(), 2),
        "weights_sha256": system.sha256,
    }


def host_slowness() -> float:
    """How much longer than ``HOST_S`` a blur of two million voxels takes here: the pace of what is no network."""
    import numpy as np
    import torch
    from scipy import ndimage

    image = np.zeros((128, 128, 128), np.float32)
    seconds, _ = _timed(lambda: ndimage.gaussian_filter(image, 2.0), torch.device("cpu"))
    return seconds / HOST_S


def _timed(work: Any, device: torch.device) -> tuple[float, Any]:
    """Median seconds of some calls after one to warm up, and the last result."""
    import torch

    durations = []
    for _ in range(REPEATS + 1):
        begin = time.perf_counter()
        result = work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        durations.append(time.perf_counter() - begin)
    return sorted(durations[1:])[REPEATS // 2], result


def _empty_condition() -> ConditionMaps:
    """A condition of the tile's size with as many slots as a heart in its chest has."""
    import numpy as np

    from StructDiffCore.models.conditioning import ConditionMaps
    from StructDiffCore.models.region_code import CODE_LENGTH

    slots = 16
    empty = np.zeros((TILE, TILE, TILE), np.float32)
    filled = np.broadcast_to((np.arange(TILE) * slots // TILE)[:, None, None], empty.shape).astype(np.int16)
    return ConditionMaps(empty, empty, empty, empty, empty, empty, filled, np.zeros((slots, CODE_LENGTH), np.float32))
