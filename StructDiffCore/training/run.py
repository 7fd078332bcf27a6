"""Train: ``python -m StructDiffCore.training.run --config FILE --out runs/NAME [--minutes M]``; the same command resumes."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

import torch

from StructDiffCore.domain import StructDiffError
from StructDiffCore.models.network import StructDiffNetwork
from StructDiffCore.systems.structdiff import StructDiff

from .checkpoint import RunIdentity, TrainingState, resume, save_checkpoint, started_from
from .data import TrainingData
from .device import training_device
from .ema import MovingAverage
from .loader import GroupMaker, Loader
from .loop import Step, make_optimizer, training_steps
from .objective import Objective
from .seeds import seed_of
from .settings import TrainSettings

LOG = "log.jsonl"
SETTINGS = "settings.json"


@dataclass(frozen=True)
class TrainingProgress:
    """What a pipeline reports while training."""

    stage: str
    """'hearts' while the pool is filled, then 'training'."""
    done: int
    total: int
    step: Step | None = None


def run_training(
    settings: TrainSettings,
    out: Path,
    pool: Path | None = None,
    minutes: float | None = None,
    workers: int = 1,
    initial: Path | None = None,
) -> Iterator[TrainingProgress]:
    """Fill the pool of hearts, train (or continue) in ``out``, hand out every step.

    Stops after ``minutes`` or at the last step, always with a checkpoint; a loss that is not finite raises StructDiffError and
    keeps the last good one. ``pool`` defaults to ``out``/hearts; cached real scans are looked for in ``out``/scans. ``initial``
    are weights to start from instead of random ones.
    """
    began = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    data = TrainingData(settings, pool or out / "hearts", out / "scans")
    for present, wanted in data.fill(max(1, workers)):
        yield TrainingProgress("hearts", present, wanted)
    deadline = None if minutes is None else began + 60 * minutes
    for step in _train(settings, out, data, deadline, workers, initial):
        yield TrainingProgress("training", step.number + 1, settings.total_steps, step)


def _train(
    settings: TrainSettings, out: Path, data: TrainingData, deadline: float | None, workers: int, initial: Path | None
) -> Iterator[Step]:
    state = fresh_state(settings)
    digest = started_from(out) if initial is None else start_from(initial, state, settings)
    identity = RunIdentity(settings.as_dict(), data.hash, digest)
    start = resume(out, state, identity)
    if start >= settings.total_steps:
        return
    (out / SETTINGS).write_text(json.dumps(settings.as_dict(), indent=2), encoding="utf-8")
    device = training_device(settings.precision)
    objective, optimizer = device.set_up(Objective(state.network), state.optimizer)
    loader = Loader(GroupMaker(data.hearts, settings, data.scans), start, workers, rank=device.rank, world_size=device.world_size)
    done = start
    try:
        for step in training_steps(objective, state.network, optimizer, state.average, iter(loader), settings, device, start):
            done = step.number + 1
            if device.rank == 0 and (done % settings.checkpoint_every == 0 or done == settings.total_steps):
                save_checkpoint(out, state, done, identity)
            yield step
            if deadline is not None and time.monotonic() > deadline:
                break
        if device.rank == 0 and done % settings.checkpoint_every:
            save_checkpoint(out, state, done, identity)
    finally:
        loader.close()


def fresh_state(settings: TrainSettings) -> TrainingState:
    """Network, optimiser and average before the first step; a function of the settings alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(settings.seed, "weights"))
        network = StructDiffNetwork(settings.system.network)
    return TrainingState(network, make_optimizer(network, settings), MovingAverage(network, settings.ema_decay))


def start_from(weights: Path, state: TrainingState, settings: TrainSettings) -> str:
    """Put trained weights into a fresh state; returns their SHA-256. Refuses weights of another network form."""
    system = StructDiff.load_weights(weights)
    if system.settings != settings.system:
        raise StructDiffError(
            f"{weights} was trained as {system.settings}, the run asks for {settings.system}",
            "give the same 'system' settings, or leave the weights away",
        )
    state.network.load_state_dict(system.network.state_dict())
    state.average.restore(system.network.state_dict(), 0)
    return system.sha256


def log_line(log: TextIO, step: Step) -> None:
    """One JSON object per step, flushed, so that a watcher sees it at once."""
    log.write(json.dumps({**asdict(step), "time": round(time.time(), 2)}) + "\n")
    log.flush()


def main(argv: list[str] | None = None) -> int:
    """The command line of the bare training script; 2 on bad input."""
    parser = argparse.ArgumentParser(description="Train a StructDiff generator on digital hearts; the same command resumes.")
    parser.add_argument("--config", type=Path, required=True, help="training settings, YAML or JSON")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--init", type=Path, help="weights to start from (.safetensors)")
    parser.add_argument("--pool", type=Path, help="folder of digital hearts (default: OUT/hearts)")
    parser.add_argument("--minutes", type=float, help="stop after this many minutes, with a checkpoint")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads of the network")
    parser.add_argument("--workers", type=int, default=1, help="processes that prepare data")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    try:
        settings = TrainSettings.read(arguments.config)
        options = (arguments.pool, arguments.minutes, arguments.workers, arguments.init)
        _report(run_training(settings, arguments.out, *options), arguments.out)
    except StructDiffError as error:
        print(f"training: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 3
    return 0


def _report(progress: Iterator[TrainingProgress], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with (out / LOG).open("a", encoding="utf-8") as log:
        for now in progress:
            if now.step is None:
                print(f"{now.stage} {now.done}/{now.total}", flush=True)
                continue
            log_line(log, now.step)
            if now.done % 20 == 0:
                print(f"step {now.done}/{now.total} loss {now.step.loss:.4f} {now.step.seconds:.2f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
