"""How few real cases leave room for improvement? Real-only segmenters on 1, 2, 4, 8 held-out hearts; resumable.

    python Testing/Benchmarks/pilot_few_shot.py --out runs/pilot [--cases 1 2 4 8] [--tests 6] [--steps 400]

Wanted for the few-shot experiment: the number of cases where the coronary Dice lies between 0.55 and 0.75. The same command goes
on where it was stopped; OUT/scores.json and a table on stdout hold what is known so far.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Generator
from pathlib import Path

import numpy as np

from StructDiffCore.cal.data import TrainingData, listed
from StructDiffCore.cal.run import Progress, device_of, read_pairs, run_pretraining
from StructDiffCore.cal.settings import PretrainSettings
from StructDiffCore.domain import CARDIAC
from StructDiffCore.evaluation.downstream.real_domain import written_patient
from StructDiffCore.io.atomic import write_text
from StructDiffCore.io.files import read_label_map, read_volume
from StructDiffCore.measures.overlap import centreline_dice, label_dice
from StructDiffCore.segmentation.segmenter import Segmenter

FIRST_TEST = 100
"""Patients from this number on are never learnt from."""
LEFT_TREE, RIGHT_TREE = 8, 9
WANTED = (0.55, 0.75)


def train(cases: int, out: Path, arguments: argparse.Namespace) -> Path:
    """Weights of a segmenter that saw the first ``cases`` patients only."""
    weights = out / "last.safetensors"
    if weights.is_file():
        return weights
    pairs = [written_patient(number, arguments.out / "patients") for number in range(cases)]
    entries = [{"image": f"{p}/image.nii.gz", "label": f"{p}/mask.nii.gz", "patient": p.name} for p in map(Path.absolute, pairs)]
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "list.json", json.dumps({"training": entries}))
    stage = {"sources": ["list.json"], "steps": arguments.steps, "learning_rate": 2e-3}
    settings = PretrainSettings.from_dict(
        {"real": stage, "folds": 0, "merged": {RIGHT_TREE: LEFT_TREE}, "crop": arguments.crop, "network": arguments.network}
        | {"cldice_weight": 0.0, "checkpoint_every": 50, "seed": arguments.seed}
    )
    reading = read_pairs(settings, listed(settings, out), out)
    began, data = time.perf_counter(), _returned(reading)
    for now in run_pretraining(settings, data, out, device_of(settings)):
        if now.loss is not None and now.done % 25 == 0:
            print(
                f"{cases} cases, step {now.done}/{now.total}, {time.perf_counter() - began:.0f} s, loss {now.loss:.3f}",
                flush=True,
            )
    return weights


def _returned(reading: Generator[Progress, None, TrainingData]) -> TrainingData:
    while True:
        try:
            next(reading)
        except StopIteration as end:
            return end.value


def score(weights: Path, number: int, arguments: argparse.Namespace) -> dict[str, float]:
    """Dice of every structure of one test patient, and the coronaries' clDice."""
    folder = written_patient(FIRST_TEST + number, arguments.out / "patients")
    truth = read_label_map(folder / "mask.nii.gz", CARDIAC).voxels
    truth = np.where(truth == RIGHT_TREE, LEFT_TREE, truth)
    segmenter = Segmenter.load_weights(weights, CARDIAC)
    found = segmenter.predict(read_volume(folder / "image.nii.gz")).voxels
    scores = {CARDIAC[value].name: dice for value, dice in label_dice(found, truth).items()}
    scores["coronaries"] = scores.pop(CARDIAC[LEFT_TREE].name, 0.0)
    return {**scores, "coronary clDice": centreline_dice(found == LEFT_TREE, truth == LEFT_TREE)}


def table(scores: dict[str, dict[str, dict[str, float]]]) -> str:
    """Mean scores per number of cases."""
    rows = ["cases  tests  coronary Dice  coronary clDice  chambers' Dice  in the wanted range"]
    for cases, tested in scores.items():
        if not tested:
            continue
        mean = {name: np.mean([one[name] for one in tested.values()]) for name in next(iter(tested.values()))}
        chambers = np.mean([value for name, value in mean.items() if not name.startswith("coronar")])
        dice = mean["coronaries"]
        wanted = "yes" if WANTED[0] <= dice <= WANTED[1] else "no"
        rows.append(f"{cases:>5}  {len(tested):>5}  {dice:>13.3f}  {mean['coronary clDice']:>15.3f}  {chambers:>14.3f}  {wanted}")
    return "\n".join(rows)


def main() -> None:
    """Train and test one number of cases after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--tests", type=int, default=6)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--crop", type=int, default=48)
    parser.add_argument("--network", default="SegResNet")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "scores.json"
    scores = json.loads(path.read_text()) if path.is_file() else {}
    for cases in arguments.cases:
        weights = train(cases, arguments.out / f"real-{cases}", arguments)
        tested = scores.setdefault(str(cases), {})
        for number in range(arguments.tests):
            if str(number) not in tested:
                tested[str(number)] = score(weights, number, arguments)
                write_text(path, json.dumps(scores, indent=2) + "\n")
        print(table(scores), flush=True)


if __name__ == "__main__":
    main()
