"""Ablations of the generator: runs of equal steps of a small network from random weights, measured on the same crops.

    python Testing/Benchmarks/ablations.py [ROW ...] --out runs/ablations

Without a row all of them, in order; --list names them. The hearts and scans to train on and to measure with are made first where
they are missing. Every row trains in its own folder, the same command resumes it, rows with the same training pairs share them in
memory; ablations.json and ablations.md beside the rows are written anew after each. --as NAME enters a row under another name, as
for the base of another version of the code, or for weights trained elsewhere (--weights FILE).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ablation_scores import HEARTS_ASIDE, SEED, Validation, scores, tables

from StructDiffCore.io.files import read_label_map, read_volume
from StructDiffCore.models.network_settings import NetworkSettings
from StructDiffCore.pipelines.scan_cache import cache_scan
from StructDiffCore.systems.structdiff import StructDiff
from StructDiffCore.training.checkpoint import RunIdentity, resume, save_checkpoint
from StructDiffCore.training.crops import TrainingCrop
from StructDiffCore.training.data import TrainingData
from StructDiffCore.training.device import training_device
from StructDiffCore.training.loader import Group, GroupMaker, Loader
from StructDiffCore.training.loop import training_steps
from StructDiffCore.training.objective import Objective
from StructDiffCore.training.pairs import PairStream
from StructDiffCore.training.pool import fill_pool
from StructDiffCore.training.run import fresh_state
from StructDiffCore.training.scan_pairs import ScanPairStream
from StructDiffCore.training.settings import Phase, TrainSettings

STEPS = 720
TRAINED_SCANS = (
    ("cptacpda", "cptacpda_C3N-00249_chest_ct", None, 1.5),
    ("ts_abdomen", "ts_abdomen_ct_3mm_ct", "ts_abdomen_ct_3mm_labels_v1map", 2.0),
)
SCANS_ASIDE = (("tcgaov", "tcgaov_09-2043_abdomen_ct", None, 1.25),)
"""Name, image, mask and voxel size in mm of the scans to train on and of the patient to measure with."""
ASIDE = "aside"
SMALL_NETWORK: Mapping[str, Any] = {"channels": [64, 64], "blocks_per_level": [1, 1], "condition_blocks": [0, 0]}
SMALL_CROPS: Mapping[str, Any] = {"crop": 32, "batch": 2, "crops_per_direction": 60, "robust": 0.3}
LARGE_CROPS: Mapping[str, Any] = {"crop": 48, "batch": 1, "crops_per_direction": 20, "robust": 0.3}
BASE: Mapping[str, Any] = {
    "system": {"network": SMALL_NETWORK},
    "phases": [SMALL_CROPS],
    "pairs": {
        "hearts": 60,
        "spacings_mm": [0.8, 0.8, 1.0, 1.5, 0.6],
        "real_share": 0.4,
        "whole_heart": 0.25,
        "label_jitter": 0.35,
        "sharper": 0.5,
    },
    "learning_rate": 3e-3,
    "warm_up_steps": 50,
    "ema_decay": 0.99,
    "sigma_median": 0.8,
    "sigma_spread": 1.3,
    "checkpoint_every": 100,
    "seed": 2,
}
OTHER_PAIRS = ("base, other pairs", "one direction only", "phantoms only", "noise diffused", "32 then 48")
ROWS: Mapping[str, Mapping[str, Any]] = {
    "base": {},
    "base, second seed": {"seed": 3},
    "base, third seed": {"seed": 4},
    "cross-attention over regions": {"system": {"network": {"region_conditioning": "attention"}}},
    "no painted prior": {"pairs": {"nulled": ["without prior"]}, "system": {"residual_scale_hu": 300.0}},
    "template stacking": {"pairs": {"nulled": ["template stacking"]}, "system": {"residual_scale_hu": 300.0}},
    "no template": {"pairs": {"nulled": ["without template"]}},
    "no codes": {"pairs": {"nulled": ["without codes"]}},
    "residual scale 50": {"system": {"residual_scale_hu": 50.0}},
    "thin weight 1": {"pairs": {"thin_weight": 1.0}},
    "squared loss": {"phases": [{**SMALL_CROPS, "robust": 0.0}]},
    "noise levels log-uniform": {"sigma_median": 0.0},
    "32 then 48": {"phases": [SMALL_CROPS, LARGE_CROPS]},
    "one direction only": {"one_way": True},
    "noise diffused": {"system": {"noise": "diffusion"}, "pairs": {"real_share": 0.0}},
    "base, other pairs": {"seed": 5},
    "phantoms only": {"pairs": {"real_share": 0.0}},
    "full-size network": {"system": {"network": asdict(NetworkSettings())}},
}
"""What each row changes, those that share the base's pairs first; several phases share the voxels equally."""


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


def maker_of(row: str, steps: int) -> type[GroupMaker]:
    """Who draws the row's pairs; more than a row's usual number would not fit into memory."""
    if ROWS[row].get("one_way"):
        return OneWayGroups
    return GroupMaker if row in OTHER_PAIRS or steps > STEPS else SharedGroups


def settings_of(row: str, steps: int) -> TrainSettings:
    """The base with the row's changes; a phase of larger crops has fewer steps, of as many voxels."""
    content = merged(BASE, {name: change for name, change in ROWS[row].items() if name != "one_way"})
    phases, share = content["phases"], steps / len(content["phases"])
    voxels = [phase["batch"] * phase["crop"] ** 3 for phase in phases]
    content["phases"] = [{**phase, "steps": round(share * voxels[0] / n)} for phase, n in zip(phases, voxels)]
    return TrainSettings.from_dict(content)


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with the changed entries, at any depth."""
    inner = {name: merged(base.get(name, {}), value) for name, value in change.items() if isinstance(value, Mapping)}
    return {**base, **change, **inner}


def train(row: str, folder: Path, arguments: argparse.Namespace) -> StructDiff:
    """Train or go on; the averaged weights, also written beside the checkpoint."""
    settings, hearts, scans = settings_of(row, arguments.steps), arguments.out / "hearts", arguments.out / "scans"
    folder.mkdir(parents=True, exist_ok=True)
    state, data = fresh_state(settings), TrainingData(settings, hearts, scans)
    identity = RunIdentity(settings.as_dict(), data.hash)
    start, device = resume(folder, state, identity), training_device(settings.precision)
    objective, optimizer = device.set_up(Objective(state.network), state.optimizer)
    batches = iter(Loader(maker_of(row, arguments.steps)(hearts, settings, scans), start, workers=0))
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


def fill_pools(out: Path, data: Path) -> None:
    """Make the hearts and cache the scans that are still missing, to train on and aside to measure with."""
    settings = settings_of("base", STEPS)
    for folder, hearts, seed in (
        (out / "hearts", settings.pairs.hearts, settings.seed),
        (out / ASIDE / "hearts", HEARTS_ASIDE, SEED),
    ):
        for present, wanted in fill_pool(folder, replace(settings.pairs, hearts=hearts), seed):
            print(f"{folder}: {present}/{wanted}", flush=True)
    for folder, scans in ((out / "scans", TRAINED_SCANS), (out / ASIDE / "scans", SCANS_ASIDE)):
        for name, image, mask, spacing_mm in scans:
            if not (folder / f"{name}@{spacing_mm:g}").exists():
                labels = read_label_map(data / f"{mask}.nii.gz") if mask else None
                print(*cache_scan(read_volume(data / f"{image}.nii.gz"), labels, name, [spacing_mm], folder), flush=True)
    link_hearts(out / "hearts")


def link_hearts(folder: Path) -> None:
    """The pool under the names that every row's seed asks for: all rows see the same hearts."""
    for heart in sorted(folder.glob(f"heart-{BASE['seed']}-*.npz")):
        for seed in sorted({settings_of(row, STEPS).seed for row in ROWS}):
            link = folder / heart.name.replace(f"heart-{BASE['seed']}-", f"heart-{seed}-")
            if not link.exists():
                link.symlink_to(heart.resolve())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW")
    parser.add_argument("--out", type=Path, default=Path("runs/ablations"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the folder of the real scans")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=8, help="pairs of the validation crops")
    parser.add_argument("--as", dest="name", help="the name under which one row is entered")
    parser.add_argument("--weights", type=Path, help="trained weights, measured instead of training the row")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    rows = arguments.rows or list(ROWS)
    if unknown := sorted(set(rows) - set(ROWS)):
        parser.error(f"unknown row {', '.join(unknown)}; --list names the rows")
    if arguments.list:
        print("\n".join(f"{row}: {json.dumps(change)}" for row, change in ROWS.items()))
        return
    torch.set_num_threads(arguments.threads)
    fill_pools(arguments.out, arguments.data)
    aside = replace(settings_of("base", STEPS).pairs, hearts=HEARTS_ASIDE)
    validation = Validation(aside, arguments.out / ASIDE, arguments.pairs)
    for row in rows:
        enter(row, arguments.name or row, validation, arguments)


def enter(row: str, name: str, validation: Validation, arguments: argparse.Namespace) -> None:
    """Train and measure one row, unless that is done, and write the tables with it."""
    path, folder = arguments.out / "ablations.json", arguments.out / name.replace(" ", "-").replace(",", "")
    found, settings = json.loads(path.read_text()) if path.exists() else {}, settings_of(row, arguments.steps)
    if found.get(name, {}).get("settings") == settings.as_dict():
        return
    began = time.process_time()
    system = StructDiff.load_weights(arguments.weights) if arguments.weights else train(row, folder, arguments)
    seconds = time.process_time() - began
    measured = scores(system, validation, settings.pairs.nulled)
    steps = 0 if arguments.weights else settings.total_steps
    found[name] = {"steps": steps, "cpu seconds": seconds, **measured, "settings": settings.as_dict()}
    path.write_text(json.dumps(found, indent=1))
    (arguments.out / "ablations.md").write_text(tables(found) + "\n")
    print(tables(found), flush=True)


if __name__ == "__main__":
    main()
