"""Ablations of the generator: short runs of equal steps from random weights, each row one command, measured on fixed crops.

    python Testing/Benchmarks/ablations.py ROW [ROW ...] --out runs/ablations [--minutes 20]     (--list names the rows)

Every row trains in its own folder (the same command resumes it) on one pool of hearts and the cached scans of --scans; a table of
all finished rows is written beside them. Errors are in HU against noise-free targets that training never shows.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from StructDiffCore.training.run import run_training
from StructDiffCore.training.settings import TrainSettings
from StructDiffCore.training.validation import system_of, validate, validation_crops

STEPS = 400
BASE: Mapping[str, Any] = {
    "phases": [{"steps": STEPS, "crop": 32, "batch": 4, "crops_per_direction": 24, "robust": 0.3}],
    "pairs": {
        "hearts": 20,
        "spacings_mm": [0.8, 1.5],
        "pairs_per_group": 2,
        "real_share": 0.45,
        "whole_heart": 0.3,
        "label_jitter": 0.5,
        "sharper": 0.5,
    },
    "learning_rate": 4e-4,
    "warm_up_steps": 40,
    "ema_decay": 0.99,
    "checkpoint_every": 50,
    "seed": 5,
}
ROWS: Mapping[str, Mapping[str, Any]] = {
    "base": {},
    "no template": {"pairs": {"nulled": ["without template"]}},
    "no codes": {"pairs": {"nulled": ["without codes"]}},
    "no painted prior": {"pairs": {"nulled": ["without prior"]}, "system": {"residual_scale_hu": 300.0}},
    "template stacking": {"pairs": {"nulled": ["template stacking"]}, "system": {"residual_scale_hu": 300.0}},
    "phantoms only": {"pairs": {"real_share": 0.0}},
    "scans only": {"pairs": {"real_share": 1.0}},
    "labels never merged": {"pairs": {"whole_heart": 0.0, "label_augmentation": 0.0}},
    "exact labels": {"pairs": {"label_jitter": 0.0}},
    "another heart always": {"pairs": {"same_heart": 0.0, "whole_heart": 0.0}},
    "thin weight 1": {"pairs": {"thin_weight": 1.0}},
    "squared loss": {"phases": [{"steps": STEPS, "crop": 32, "batch": 4, "crops_per_direction": 24, "robust": 0.0}]},
    "residual scale 50": {"system": {"residual_scale_hu": 50.0}},
    "noise diffused": {"system": {"noise": "diffusion"}, "pairs": {"real_share": 0.0}},
    "larger crops, same voxels": {"phases": [{"steps": STEPS, "crop": 48, "batch": 1, "crops_per_direction": 14, "robust": 0.3}]},
}


def settings_of(row: str, steps: int) -> TrainSettings:
    """The base with the row's changes."""
    content: dict[str, Any] = json.loads(json.dumps(BASE))
    for name, change in ROWS[row].items():
        content[name] = {**content.get(name, {}), **change} if isinstance(change, Mapping) else change
    content["phases"] = [{**phase, "steps": steps} for phase in content["phases"]]
    return TrainSettings.from_dict(content)


def train(row: str, arguments: argparse.Namespace) -> bool:
    """Train or go on; whether the row is finished."""
    run, settings = arguments.out / row.replace(" ", "-").replace(",", ""), settings_of(row, arguments.steps)
    run.mkdir(parents=True, exist_ok=True)
    if settings.pairs.real_share and not (run / "scans").exists():
        (run / "scans").symlink_to(arguments.scans.resolve(), target_is_directory=True)
    pool = arguments.out / "hearts"
    done = 0
    for now in run_training(settings, run, pool, arguments.minutes, workers=arguments.workers):
        done = now.done if now.step else done
        if now.step and now.done % 20 == 0:
            print(f"{row}: {now.done}/{now.total} loss {now.step.loss:.3f} {now.step.seconds:.2f} s", flush=True)
    return system_of(run, None)[1] >= arguments.steps


def measure(row: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Fixed crops under the row's own settings: hearts of other pairs, scan slices held aside."""
    run, settings = arguments.out / row.replace(" ", "-").replace(",", ""), settings_of(row, arguments.steps)
    common = arguments.out / "validation"
    common.mkdir(exist_ok=True)
    for name, source in (("hearts", arguments.out / "hearts"), ("scans", arguments.scans)):
        if not (common / name).exists():
            (common / name).symlink_to(source.resolve(), target_is_directory=True)
    system, steps = system_of(run, None)
    crops = validation_crops(common, settings, arguments.pairs)
    return {"steps": steps, **{source: validate(system.to("cpu"), found) for source, found in crops.items()}}


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown: rows down, errors across."""
    names = ("mean error HU", "median error HU", "detail", "mean error of the prior HU")
    sources = ("hearts", "scans held aside")
    head = ["row", "steps", *(f"{source}: {name}" for source in sources for name in names)]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for row, numbers in found.items():
        cells = [f"{numbers[s][n]:.3g}" if s in numbers else "-" for s in sources for n in names]
        lines.append("| " + " | ".join([row, str(numbers["steps"]), *cells]) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], metavar="ROW")
    parser.add_argument("--out", type=Path, default=Path("runs/ablations"))
    parser.add_argument("--scans", type=Path, default=Path("runs/second/scans"))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--minutes", type=float, help="per row and call")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=8, help="pairs of the fixed crops")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    if arguments.list or not arguments.rows:
        print("\n".join(f"{row}: {json.dumps(change)}" for row, change in ROWS.items()))
        return
    torch.set_num_threads(arguments.threads)
    path = arguments.out / "ablations.json"
    for row in arguments.rows:
        finished = train(row, arguments)
        found = json.loads(path.read_text()) if path.exists() else {}
        found[row] = {**measure(row, arguments), "finished": finished}
        path.write_text(json.dumps(found, indent=1))
        (arguments.out / "ablations.md").write_text(table(found) + "\n")
        print(table(found), flush=True)


if __name__ == "__main__":
    main()
