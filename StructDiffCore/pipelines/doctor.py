"""``structdiff doctor``: what is installed, which device works, what fits."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import psutil

from StructDiffCore import __version__
from StructDiffCore.config.devices import checked_device_name
from StructDiffCore.config.messages import Event, Job, progress
from StructDiffCore.config.presets import DEFAULT_MODEL

from .estimate import estimate_run, store_machine
from .torch_check import REMEDY, torch_fault

PACKAGES = ("torch", "monai", "numpy", "scipy", "SimpleITK", "numba", "scikit-image", "networkx", "safetensors", "matplotlib")
GIB = 2**30
USUAL_SHAPE = (128, 128, 128)


@dataclass(frozen=True)
class Check:
    """One line of the table."""

    state: Literal["ok", "note", "missing"]
    what: str
    found: str


def run(job: Job) -> Iterator[Event]:
    """Yield ``finished`` with ``checks`` (state, what, found), ``ok`` (nothing is missing) and ``machine`` (None without torch).

    The machine's findings are kept in the user's cache folder for the estimates of later runs.
    """
    checked_device_name(job.device)
    stages = (_software, _machine, _devices, _weights)
    checks: list[Check] = []
    for done, stage in enumerate(stages):
        yield progress("examining", done, len(stages) + 1)
        checks += stage(job)
    yield progress("timing the network", len(stages), len(stages) + 1)
    machine = _timed_machine(job)
    checks += _speed(machine)
    healthy = all(check.state != "missing" for check in checks)
    yield Event("finished", {"ok": healthy, "checks": [asdict(check) for check in checks], "machine": machine})


def _timed_machine(job: Job) -> dict[str, Any] | None:
    if torch_fault():
        return None
    from .devices import checked_devices, chosen_device
    from .machine import free_bytes, machine_of

    devices = [{**asdict(device), "free_bytes": free_bytes(device.name)} for device in checked_devices()]
    machine = machine_of(chosen_device(job.device), devices)
    store_machine(machine)
    return machine


def _speed(machine: dict[str, Any] | None) -> list[Check]:
    """What a volume of common size takes."""
    if machine is None or machine["rate"] is None:
        return []
    told = estimate_run(USUAL_SHAPE, USUAL_SHAPE, machine=machine)
    return [Check("ok", "one 128 x 128 x 128 volume", f"{told} (preset standard, on {machine['device']})")]


def _software(job: Job) -> list[Check]:
    system = Check("ok", "structdiff", f"{__version__}, Python {platform.python_version()}, {platform.platform()}")
    return [system, Check("ok", "interpreter", sys.executable), *(_package(name) for name in PACKAGES)]


def _package(name: str) -> Check:
    try:
        return Check("ok", name, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check("missing", name, f"not installed: pip install {name}")


def _machine(job: Job) -> list[Check]:
    memory = psutil.virtual_memory()
    disk = shutil.disk_usage(Path.cwd())
    return [
        Check("ok", "processor", f"{psutil.cpu_count(logical=False) or os.cpu_count()} cores, {os.cpu_count()} threads"),
        Check("ok", "memory", f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB available"),
        Check("ok" if disk.free > GIB else "note", "disk here", f"{disk.free / GIB:.1f} GiB free in {Path.cwd()}"),
    ]


def largest_cube(available_bytes: int) -> int:
    """Edge in voxels (a multiple of 16) of the largest cube, its template as large, that a synthesis fits into this memory."""
    from StructDiffCore.config.settings import SynthesisSettings
    from StructDiffCore.synthesis.memory import memory_needed

    edge = 0
    while memory_needed((edge + 16,) * 3, (edge + 16) ** 3, SynthesisSettings(), "bfloat16").total <= available_bytes:
        edge += 16
    return edge


def _fit() -> Check:
    from StructDiffCore.synthesis.ladder import available_bytes

    edge = largest_cube(available_bytes())
    return Check("ok" if edge >= 128 else "note", "largest volume", f"about {edge} x {edge} x {edge} voxels fit")


def _devices(job: Job) -> list[Check]:
    if fault := torch_fault():
        return [Check("missing", "torch works", f"{fault}; {REMEDY}")]
    import torch

    from .devices import checked_devices, chosen_device

    chosen = chosen_device(job.device)
    checks = [Check("ok", "torch threads", f"{torch.get_num_threads()}"), _fit()]
    for device in checked_devices():
        used = " (used)" if device.name == str(chosen) else ""
        state: Literal["ok", "note"] = "ok" if device.works and not device.note else "note"
        verdict = "a 3D convolution works" if device.works else "a 3D convolution fails"
        checks.append(Check(state, f"device {device.name}{used}", ", ".join(filter(None, (device.words, verdict, device.note)))))
    return checks


def _weights(job: Job) -> list[Check]:
    """Every shipped weights file against the SHA-256 that its card states."""
    from StructDiffCore.config.resources import resources_folder

    folder = resources_folder() / "Models"
    names = {path.stem for path in folder.glob("*.safetensors")} | {DEFAULT_MODEL}
    return [_weights_check(folder / f"{name}.safetensors") for name in sorted(names)]


def _weights_check(path: Path) -> Check:
    what = f"weights {path.stem}"
    if not path.is_file():
        return Check("missing", what, f"none at {path}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    stated = _stated_sha256(path.with_suffix(".json"))
    if stated is None:
        return Check("note", what, f"no card beside {path} states its SHA-256")
    if stated != digest:
        return Check("missing", what, f"{path} was changed or damaged (SHA-256 {digest[:12]}..., its card says {stated[:12]}...)")
    return Check("ok", what, f"{path.stat().st_size / 2**20:.1f} MiB, SHA-256 {digest[:12]}... as its card says")


def _stated_sha256(card: Path) -> str | None:
    try:
        return str(json.loads(card.read_text(encoding="utf-8"))["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
