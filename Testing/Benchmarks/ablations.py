"""Ablations of the generator: short runs of equal steps from random weights, measured on the same crops.

    python Testing/Benchmarks/ablations.py [ROW ...] --hearts runs/second/hearts --scans runs/second/scans --out runs/ablations

Without a row all of them; --list names them. Every row trains in its own folder, the same command resumes it, rows with the same
training pairs share them in memory; ablations.json and ablations.md beside the rows are written anew after each. Also another
version of the code can add a row: the base under another name with --as NAME.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ablation_scores import Validation, scores, table

from StructDiffCore.systems.structdiff import StructDiff
from StructDiffCore.training.checkpoint import RunIdentity, resume, save_checkpoint
from StructDiffCore.training.crops import TrainingCrop
from StructDiffCore.training.data import TrainingData
from StructDiffCore.training.device import training_device
from StructDiffCore.training.loader import Group, GroupMaker, Loader
from StructDiffCore.training.loop import training_steps
from StructDiffCore.training.objective import Objective
from StructDiffCore.training.pairs import PairStream
from StructDiffCore.training.run import fresh_state
from StructDiffCore.training.scan_pairs import ScanPairStream
from StructDiffCore.training.settings import Phase, TrainSettings

STEPS = 100
SMALL_CROPS: Mapping[str, Any] = {"crop": 32, "batch": 4, "crops_per_direction": 40, "robust": 0.3}
LARGE_CROPS: Mapping[str, Any] = {"crop": 48, "batch": 1, "crops_per_direction": 20, "robust": 0.3}
BASE: Mapping[str, Any] = {
    "phases": [SMALL_CROPS],
    "pairs": {
        "hearts": 60,
        "spacings_mm": [0.8, 0.8, 1.0, 1.5, 0.6],
        "real_share": 0.4,
        "whole_heart": 0.25,
        "label_jitter": 0.35,
        "sharper": 0.5,
    },
    "learning_rate": 8e-4,
    "warm_up_steps": 20,
    "ema_decay": 0.98,
    "sigma_median": 0.8,
    "sigma_spread": 1.3,
    "checkpoint_every": 50,
    "seed": 2,
}
OTHER_PAIRS = ("one direction only", "phantoms only", "noise diffused", "32 then 48")
ROWS: Mapping[str, Mapping[str, Any]] = {
    "base": {},
    "base, second seed": {"seed": 3},
    "base, third seed": {"seed": 4},
    "cross-attention over regions": {"system": {"network": {"region_conditioning": "attention"}}},
    "no codes": {"pairs": {"nulled": ["without codes"]}},
    "no painted prior": {"pairs": {"nulled": ["without prior"]}, "system": {"residual_scale_hu": 300.0}},
    "no template": {"pairs": {"nulled": ["without template"]}},
    "template stacking": {"pairs": {"nulled": ["template stacking"]}, "system": {"residual_scale_hu": 300.0}},
    "noise levels log-uniform": {"sigma_median": 0.0},
    "residual scale 50": {"system": {"residual_scale_hu": 50.0}},
    "thin weight 1": {"pairs": {"thin_weight": 1.0}},
    "squared loss": {"phases": [{**SMALL_CROPS, "robust": 0.0}]},
    "32 then 48": {"phases": [SMALL_CROPS, LARGE_CROPS]},
    "one direction only": {"one_way": True},
    "phantoms only": {"pairs": {"real_share": 0.0}},
    "noise diffused": {"system": {"noise": "diffusion"}, "pairs": {"real_share": 0.0}},
}
"""What each row changes; several phases share the steps equally."""


@dataclass(frozen=True)
class OneWay(PairStream):
    """Heart pairs whose second heart is the target alone: as many crops of a pair, all from a -> b."""

    def crops(self, phase: Phase, rng: np.random.Generator) -> Iterator[TrainingCrop]:
        first, second = self._sides(rng)
        yield from self._direction(first, second, replace(phase, crops_per_direction=2 * phase.crops_per_direction), rng)


@dataclass(frozen=True)
class OneWayGroups(GroupMaker):
    """Groups whose heart pairs go one way."""

    def _stream(self, phase: int, pair: int) -> PairStream | ScanPairStream:
        stream = super()._stream(phase, pair)
        return OneWay(stream.pool, stream.settings, stream.noisy_target) if isinstance(stream, PairStream) else stream


@dataclass(frozen=True)
class SharedGroups(GroupMaker):
    """The base's groups, made once for all rows that differ in the network, in the loss or in what the network is told."""

    def __call__(self, phase: int, number: int) -> Group:
        if (phase, number) not in _made:
            base = GroupMaker(self.pool_folder, settings_of("base", self.settings.total_steps), self.scan_folder)
            _made[phase, number] = base(phase, number)
        group = [crop.nulled(self.settings.pairs.nulled) for crop in _made[phase, number]]
        if self.settings.pairs.thin_weight == 1:
            return [replace(crop, weight=np.ones_like(crop.weight)) for crop in group]
        return group


_made: dict[tuple[int, int], Group] = {}


def maker_of(row: str) -> type[GroupMaker]:
    """Who draws the row's pairs."""
    if ROWS[row].get("one_way"):
        return OneWayGroups
    return GroupMaker if row in OTHER_PAIRS else SharedGroups


def settings_of(row: str, steps: int) -> TrainSettings:
    """The base with the row's changes."""
    content: dict[str, Any] = json.loads(json.dumps(BASE))
    for name, change in ROWS[row].items():
        content[name] = {**content.get(name, {}), **change} if isinstance(change, Mapping) else change
    content.pop("one_way", None)
    phases = content["phases"]
    content["phases"] = [{**phase, "steps": steps // len(phases)} for phase in phases]
    return TrainSettings.from_dict(content)


def train(row: str, folder: Path, hearts: Path, arguments: argparse.Namespace) -> StructDiff:
    """Train or go on; the averaged weights, also written beside the checkpoint."""
    settings = settings_of(row, arguments.steps)
    folder.mkdir(parents=True, exist_ok=True)
    state, data = fresh_state(settings), TrainingData(settings, hearts, arguments.scans)
    identity = RunIdentity(settings.as_dict(), data.hash)
    start, device = resume(folder, state, identity), training_device(settings.precision)
    objective, optimizer = device.set_up(Objective(state.network), state.optimizer)
    batches = iter(Loader(maker_of(row)(hearts, settings, arguments.scans), start, workers=0))
    if start < settings.total_steps:
        for step in training_steps(objective, state.network, optimizer, state.average, batches, settings, device, start):
            done = step.number + 1
            if done % settings.checkpoint_every == 0 or done == settings.total_steps:
                save_checkpoint(folder, state, done, identity)
                print(f"{row}: {done}/{settings.total_steps} loss {step.loss:.3f} {step.seconds:.2f} s", flush=True)
    system = StructDiff(settings.system)
    system.network.load_state_dict(state.average.weights)
    system.save_weights(folder / "weights.safetensors")
    return system


def linked_hearts(source: Path, folder: Path) -> Path:
    """The pool under the names that every row's seed asks for: all rows see the same hearts."""
    folder.mkdir(parents=True, exist_ok=True)
    seeds = sorted({settings_of(row, 2).seed for row in ROWS})
    for heart in sorted(source.glob(f"heart-{BASE['seed']}-*.npz")):
        for seed in seeds:
            link = folder / heart.name.replace(f"heart-{BASE['seed']}-", f"heart-{seed}-")
            if not link.exists():
                link.symlink_to(heart.resolve())
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW")
    parser.add_argument("--out", type=Path, default=Path("runs/ablations"))
    parser.add_argument("--hearts", type=Path, default=Path("runs/second/hearts"), help="the pool of a training run")
    parser.add_argument("--scans", type=Path, default=Path("runs/second/scans"))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=6, help="pairs of the validation crops")
    parser.add_argument("--as", dest="name", help="the name under which one row is entered")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    rows = arguments.rows or list(ROWS)
    if unknown := sorted(set(rows) - set(ROWS)):
        parser.error(f"unknown row {', '.join(unknown)}; --list names the rows")
    if arguments.list:
        print("\n".join(f"{row}: {json.dumps(change)}" for row, change in ROWS.items()))
        return
    torch.set_num_threads(arguments.threads)
    hearts = linked_hearts(arguments.hearts, arguments.out / "hearts")
    validation = Validation(settings_of("base", arguments.steps).pairs, hearts, arguments.scans, arguments.pairs)
    for row in rows:
        enter(row, arguments.name or row, hearts, validation, arguments)


def enter(row: str, name: str, hearts: Path, validation: Validation, arguments: argparse.Namespace) -> None:
    """Train and measure one row and write the tables with it."""
    path, folder = arguments.out / "ablations.json", arguments.out / name.replace(" ", "-").replace(",", "")
    clocks = time.monotonic(), time.process_time()
    system, settings = train(row, folder, hearts, arguments), settings_of(row, arguments.steps)
    spent = {"seconds": time.monotonic() - clocks[0], "cpu seconds": time.process_time() - clocks[1]}
    voxels = sum(phase.steps * phase.batch * phase.crop**3 for phase in settings.phases)
    found = json.loads(path.read_text()) if path.exists() else {}
    measured = scores(system, validation, settings.pairs.nulled)
    found[name] = {"steps": settings.total_steps, "voxels": voxels, "seed": settings.seed, **spent, **measured}
    path.write_text(json.dumps(found, indent=1))
    (arguments.out / "ablations.md").write_text(table(found) + "\n")
    print(table(found), flush=True)


if __name__ == "__main__":
    main()
