"""Memory: volumes that cannot fit are refused before the start, and the rungs to climb down when memory runs out."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil
import torch

from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.domain import StructDiffError

from .memory import memory_needed

SMALLEST_TILE = 32
ALLOCATOR_WORDS = ("not enough memory", "out of memory", "can't allocate memory", "defaultcpuallocator")

Result = TypeVar("Result")


def refuse_what_cannot_fit(shape: Sequence[int], template_voxels: int, available: int | None = None) -> None:
    """Raise StructDiffError (bad input) if not even the smallest tile without a cache fits into the machine's free memory."""
    smallest = SynthesisSettings(tile=SMALLEST_TILE, overlap=16, feature_cache_mib=0, ssv="off")
    needed = memory_needed(shape, template_voxels, smallest, "bfloat16").total
    free = available_bytes() if available is None else available
    if needed > free:
        raise StructDiffError(
            f"a volume of {shape[0]}x{shape[1]}x{shape[2]} voxels needs about {needed / 2**30:.1f} GiB of memory, "
            f"{free / 2**30:.1f} GiB are free",
            "crop the mask to the heart or resample it to a larger spacing",
        )


def available_bytes() -> int:
    """Free memory: the machine's, or what a container's limit leaves."""
    free = int(psutil.virtual_memory().available)
    limit, used = (_cgroup_number(name) for name in ("memory.max", "memory.current"))
    return free if limit is None or used is None else max(0, min(free, limit - used))


def _cgroup_number(name: str) -> int | None:
    try:
        return int((Path("/sys/fs/cgroup") / name).read_text())
    except (OSError, ValueError):
        return None


@dataclass(frozen=True)
class Rung:
    """One way to run."""

    device: torch.device
    dtype: torch.dtype
    tile: int

    def __str__(self) -> str:
        return f"{self.device}, {str(self.dtype).removeprefix('torch.')}, tile {self.tile}"


def ladder(device: torch.device, dtype: torch.dtype, tile: int) -> list[Rung]:
    """From what was asked for down to what needs least: bf16, then smaller tiles, then the CPU."""
    rungs = [Rung(device, dtype, tile)]
    lean = torch.float32 if device.type == "mps" else torch.bfloat16
    if dtype != lean:
        rungs.append(Rung(device, lean, tile))
    smaller = [size for size in (96, 64, 48, SMALLEST_TILE) if size < tile]
    rungs += [Rung(device, lean, size) for size in smaller]
    if device.type != "cpu":
        rungs.append(Rung(torch.device("cpu"), torch.float32, min(tile, 64)))
    return rungs


def climb_down(
    attempt: Callable[[Rung], Result], rungs: Sequence[Rung], report: Callable[[str], None]
) -> tuple[Result, list[str]]:
    """The first rung's result that memory allows, and the steps taken to get there; each step is reported.

    Raises StructDiffError (out_of_memory) below the last rung; other errors pass through.
    """
    steps: list[str] = []
    for rung, following in zip(rungs, [*rungs[1:], None]):
        try:
            return attempt(rung), steps
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        _give_memory_back(rung.device)
        if following is not None:
            steps.append(f"out of memory with {rung}: going on with {following}")
            report(steps[-1])
    raise StructDiffError(
        f"out of memory even with {rungs[-1]}", "close other programs or crop the mask to the heart", "out_of_memory"
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Python's, CUDA's and torch's CPU allocator's ways to say it."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in ALLOCATOR_WORDS)


def _give_memory_back(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
