"""What a synthesis will take, told before it runs: seconds and memory from sizes, settings and a rate that doctor measured.

No torch here: a window may ask at every change of its fields.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.config.synthesis_request import samples_asked, synthesis_settings
from StructDiffCore.config.user_cache import cache_folder
from StructDiffCore.synthesis.memory import PROGRAM_BYTES, MemoryEstimate, memory_needed
from StructDiffCore.synthesis.ssv_calls import extra_calls
from StructDiffCore.synthesis.tiles import plan_tiles

MACHINE_FILE = "machine.json"
RATE_NUMBERS = {"call_s_per_mvoxel", "encode_s_per_mvoxel", "feature_bytes_per_voxel", "host_slowness", "precision"}
"""What a rate must tell."""
MEGA = 1e6
START_S = 4.0
"""Program, weights and the template's alignment, whatever the sizes. These seconds are those of a host of slowness 1."""
PREPARE_S_PER_MVOXEL = 0.9
"""Reading, region codes and noise, per million voxels of target and template together."""
CONDITION_S_PER_MVOXEL = 0.2
"""Condition maps of a tile."""
SAMPLE_S, SAMPLE_S_PER_MVOXEL = 2.5, 1.2
"""Noise, files and pictures of one sample."""


@dataclass(frozen=True)
class RunEstimate:
    """What one job takes."""

    seconds: float | None
    """None where no rate was measured on this machine."""
    memory_bytes: int
    """At the peak, program included."""
    fits: bool | None
    """Whether that much is free; None where it is not known how much is."""

    def __str__(self) -> str:
        memory = f"{self.memory_bytes / 2**30:.1f} GiB"
        return memory if self.seconds is None else f"about {in_words(self.seconds)}, {memory}"


def estimate_run(
    shape: Sequence[int],
    template_shape: Sequence[int],
    preset: str | None = None,
    settings: Mapping[str, Any] | None = None,
    machine: Mapping[str, Any] | None = None,
) -> RunEstimate:
    """Of a target of ``shape`` voxels and a template of ``template_shape``; ``settings`` as a job's, they win over ``preset``.

    ``machine`` is what doctor tells (``stored_machine()`` finds the last). Raises StructDiffError for settings out of range.
    """
    given = {**({"preset": preset} if preset else {}), **(settings or {})}
    asked, samples = synthesis_settings(given), samples_asked(given)
    machine = machine or {}
    rate = machine.get("rate")
    memory = _memory(shape, template_shape, asked, rate)
    free = machine.get("free_bytes")
    fits = None if free is None else memory <= int(free)
    return RunEstimate(_seconds(shape, template_shape, asked, samples, rate) if rate else None, memory, fits)


def _seconds(
    shape: Sequence[int], template_shape: Sequence[int], settings: SynthesisSettings, samples: int, rate: Mapping[str, Any]
) -> float:
    target, template = _mega(shape), _mega(template_shape)
    tiled = _tiled_megavoxels(shape, settings)
    calls = settings.denoiser_calls + extra_calls(settings)
    kept = tiled * MEGA * rate["feature_bytes_per_voxel"] <= settings.feature_cache_mib * 2**20
    encodings = 1 if kept else calls
    network = tiled * (calls * rate["call_s_per_mvoxel"] + encodings * rate["encode_s_per_mvoxel"])
    once = START_S + PREPARE_S_PER_MVOXEL * (target + template)
    each = SAMPLE_S + SAMPLE_S_PER_MVOXEL * target + CONDITION_S_PER_MVOXEL * tiled * encodings
    return rate["host_slowness"] * (once + samples * each) + samples * network


def _memory(
    shape: Sequence[int], template_shape: Sequence[int], settings: SynthesisSettings, rate: Mapping[str, Any] | None
) -> int:
    precision = str(rate["precision"]) if rate else "float32"
    needed = memory_needed(shape, round(_mega(template_shape) * MEGA), settings, precision)
    cache = needed.cache
    if rate:
        cache = min(cache, round(_tiled_megavoxels(shape, settings) * MEGA * rate["feature_bytes_per_voxel"]))
    return PROGRAM_BYTES + MemoryEstimate(needed.volume, needed.tile, cache).total


def _tiled_megavoxels(shape: Sequence[int], settings: SynthesisSettings) -> float:
    """Voxels that the network sees per call of the whole volume: those that tiles share count twice."""
    i, j, k = (int(n) for n in shape)
    plan = plan_tiles((i, j, k), settings.tile, settings.overlap)
    return len(plan.tiles) * _mega(plan.tile_shape)


def _mega(shape: Sequence[int]) -> float:
    i, j, k = (int(n) for n in shape)
    return i * j * k / MEGA


def in_words(seconds: float) -> str:
    """ "25 s", "4 min", "1 h 20 min"."""
    if seconds < 90:
        return f"{max(5, round(seconds / 5) * 5)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def stored_machine() -> dict[str, Any] | None:
    """What doctor last found on this machine; None where it never ran or its note is not readable."""
    try:
        content = json.loads((cache_folder() / MACHINE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if _is_machine(content) else None


def _is_machine(content: Any) -> bool:
    """Whether this is a note that this version wrote: an older one may lack a number."""
    if not isinstance(content, dict):
        return False
    rate = content.get("rate")
    return rate is None or (isinstance(rate, dict) and set(rate) >= RATE_NUMBERS)


def store_machine(machine: Mapping[str, Any]) -> Path | None:
    """Keep doctor's findings for later estimates; None where the user's cache cannot be written."""
    from StructDiffCore.domain import StructDiffError
    from StructDiffCore.io.atomic import write_text

    path = cache_folder() / MACHINE_FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(machine, indent=1))
    except (OSError, StructDiffError):
        return None
    return path
