"""Checkpoints: one file with weights, average, optimiser, step, settings and data hash; whole or absent, no pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from StructDiffCore.domain import StructDiffError
from StructDiffCore.systems.tensor_file import TensorFile, read_tensors, write_tensors

from .ema import MovingAverage
from .settings import TrainSettings

NAME = "last.safetensors"

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True, eq=False)
class TrainingState(Generic[Network]):
    """What a run carries from step to step."""

    network: Network
    optimizer: Optimizer
    average: MovingAverage


@dataclass(frozen=True)
class RunIdentity:
    """What may not change between a run and its continuation."""

    settings: dict[str, Any]
    """The resolved training settings."""
    data_hash: str
    """Hash over the pool the pairs come from."""
    initial: str = ""
    """SHA-256 of the weights it started from; empty for random ones."""


def save_checkpoint(folder: Path, state: TrainingState, steps_done: int, identity: RunIdentity) -> Path:
    """Write the state after ``steps_done`` steps; a kill at any moment leaves the old file or the new one.

    A full disk raises StructDiffError and leaves the old file as it was.
    """
    tensors = {f"model/{name}": tensor for name, tensor in state.network.state_dict().items()}
    tensors |= {f"average/{name}": tensor for name, tensor in state.average.weights.items()}
    tensors |= _optimizer_tensors(state.optimizer)
    tensors["random/torch"] = torch.get_rng_state()
    note = {
        "steps_done": steps_done,
        "average_updates": state.average.updates,
        "settings": identity.settings,
        "data_hash": identity.data_hash,
        "initial_sha256": identity.initial,
    }
    path = folder / NAME
    try:
        write_tensors(path, tensors, {"checkpoint": json.dumps(note)})
    except OSError as error:
        kept = "the one before is kept" if path.exists() else "there is none yet"
        raise StructDiffError(
            f"the checkpoint after step {steps_done} could not be written to {folder} ({error.strerror}); {kept}",
            "make room and start again with the same command",
            "internal",
        ) from None
    return path


def resume(folder: Path, state: TrainingState, identity: RunIdentity) -> int:
    """Load the folder's checkpoint into the state; returns the steps done (0 where there is none).

    Refuses (StructDiffError) a checkpoint of other settings or other data.
    """
    path = folder / NAME
    if not path.exists():
        return 0
    file, note = read_checkpoint(path)
    _refuse_other_runs(path, note, identity)
    state.network.load_state_dict(_under("model/", file))
    state.average.restore(_under("average/", file), note["average_updates"])
    _restore_optimizer(state.optimizer, file)
    torch.set_rng_state(file.tensors["random/torch"])
    return int(note["steps_done"])


def started_from(folder: Path) -> str:
    """SHA-256 of the weights that the folder's run started from; empty where it started from none or has no checkpoint."""
    path = folder / NAME
    return str(read_checkpoint(path)[1].get("initial_sha256", "")) if path.exists() else ""


def read_checkpoint(path: Path) -> tuple[TensorFile, dict[str, Any]]:
    """The tensors and the note of a checkpoint file."""
    try:
        file = read_tensors(path)
        return file, json.loads(file.metadata["checkpoint"])
    except (OSError, ValueError, KeyError) as error:
        raise StructDiffError(f"{path} is not a readable checkpoint ({error})", "give the folder of a training run") from None


def averaged_weights(file: TensorFile) -> dict[str, Tensor]:
    """The moving average's weights, by the network's names."""
    return _under("average/", file)


def _under(prefix: str, file: TensorFile) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in file.tensors.items() if name.startswith(prefix)}


def _optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The optimiser's tensors as flat names: optimizer/<parameter number>/<what>."""
    entries = optimizer.state_dict()["state"]
    return {
        f"optimizer/{number}/{what}": torch.as_tensor(value) for number, entry in entries.items() for what, value in entry.items()
    }


def _restore_optimizer(optimizer: Optimizer, file: TensorFile) -> None:
    content = optimizer.state_dict()
    content["state"] = {}
    for name, tensor in _under("optimizer/", file).items():
        number, what = name.split("/")
        content["state"].setdefault(int(number), {})[what] = tensor
    optimizer.load_state_dict(content)


def _refuse_other_runs(path: Path, note: dict[str, Any], identity: RunIdentity) -> None:
    old, new = _with_defaults(note["settings"]), identity.settings
    changed = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
    if changed:
        raise StructDiffError(
            f"{path} belongs to a run with other settings ({', '.join(changed)})", "give its settings, or another --out"
        )
    if note["data_hash"] != identity.data_hash:
        raise StructDiffError(f"{path} was trained on other data", "restore the data, or give another --out")
    if note.get("initial_sha256", "") != identity.initial:
        raise StructDiffError(f"{path} started from other weights", "give the same --init again, or another --out")


def _with_defaults(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of an older version with what it did not know yet at its default, which changes nothing."""
    try:
        return TrainSettings.from_dict(settings).as_dict()
    except StructDiffError:
        return settings
