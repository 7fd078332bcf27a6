"""Does the confidence map know where the volume is wrong? Measured on phantoms, whose truth is known.

python -m StructDiffCore.evaluation.confidence Testing/Examples/confidence.yaml --out runs/confidence/report

Each case is kept as a line of JSON when it is done: the same command goes on where it was stopped. Several processes may share
a folder: ``--part 1/3`` takes every third case, and the report is of all that is done.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from StructDiffCore.config.resources import resources_folder
from StructDiffCore.domain import StructDiffError
from StructDiffCore.segmentation.judge import shipped_judge
from StructDiffCore.segmentation.segmenter import Segmenter
from StructDiffCore.synthesis.error_head import TrainedHead, shipped_head
from StructDiffCore.systems.structdiff import SHIPPED_WEIGHTS, StructDiff, default_structdiff
from StructDiffCore.systems.weights_file import sha256_of

from .confidence_cases import Asked, asked_cases, case_of
from .confidence_maps import sampled_with_maps
from .confidence_report import write_report
from .confidence_scores import Judged, counts_of, rows_of, wrongs_of
from .confidence_settings import ConfidenceSettings, method_and_paths

JOURNAL = "cases.jsonl"


@dataclass(frozen=True, eq=False)
class Bench:
    """What answers and what judges."""

    settings: ConfidenceSettings
    system: StructDiff
    head: TrainedHead | None
    judge: Segmenter

    @classmethod
    def of(cls, settings: ConfidenceSettings) -> Bench:
        system = StructDiff.load_weights(Path(settings.model)) if settings.model else default_structdiff()
        head = TrainedHead.load(Path(settings.head)) if settings.head else shipped_head(system.sha256)
        if head is not None and head.generator_sha256 != system.sha256:
            raise StructDiffError("the error head belongs to other generator weights", "train it for these")
        return cls(settings, system.to("cpu", torch.bfloat16), head, shipped_judge())

    def methods(self, asked: Asked) -> list[str]:
        """The maps of a case; the head only where there is one."""
        wanted = [*self.settings.methods]
        if asked.number < self.settings.reference_cases and not asked.damage:
            wanted.append(self.settings.reference)
        return [name for name in wanted if self.head is not None or method_and_paths(name)[0] != "head"]

    def judged(self, asked: Asked) -> Judged:
        """Sample twice, map the first, hold the maps against the errors of the second."""
        settings, case = self.settings, case_of(asked, self.settings)
        seed = settings.seed + 10 * asked.number
        mapped = sampled_with_maps(self.system, case.condition, self.methods(asked), settings.steps, seed, self.head)
        other = sampled_with_maps(self.system, case.condition, (), settings.steps, seed + 5)
        wrongs = wrongs_of(case, mapped.clean_hu, other.clean_hu, self.judge)
        rows = rows_of(case, mapped, wrongs, settings.threshold_hu)
        return Judged(asked.name, asked.domain, asked.damage, rows, counts_of(mapped, wrongs, settings.threshold_hu))


def judge_confidence(settings: ConfidenceSettings, folder: Path, part: int = 1, parts: int = 1) -> Iterator[list[Judged]]:
    """After every case, all that is done so far, by any process; of the cases not done yet, every ``parts``-th is made."""
    bench = Bench.of(settings)
    path = folder / JOURNAL
    head = {"settings": json.loads(json.dumps(settings.as_dict())), "weights_sha256": bench.system.sha256}
    yield (done := _read(path, head))
    for asked in asked_cases(settings)[part - 1 :: parts]:
        if asked.name not in {judged.case for judged in done}:
            _append(path, asdict(bench.judged(asked)))
            yield (done := _read(path, head))


def weights_sha256(settings: ConfidenceSettings) -> str:
    """Of the generator that is judged."""
    return sha256_of(Path(settings.model) if settings.model else resources_folder() / "Models" / SHIPPED_WEIGHTS)


def _read(path: Path, head: Mapping[str, Any]) -> list[Judged]:
    """The journal's cases; begins it where there is none, refuses one of other settings or weights, leaves a torn line out."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _append(path, head)
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    if not found or found[0] != head:
        raise StructDiffError(f"{path} belongs to other settings or weights", "choose another --out or remove it")
    return [Judged.from_dict(content) for content in found[1:]]


def _append(path: Path, content: Mapping[str, Any]) -> None:
    torn = path.exists() and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" * torn + json.dumps(content) + "\n")


def main() -> None:
    """Judge the cases that are left and write the report of all that are done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="YAML file of ConfidenceSettings")
    parser.add_argument("--out", type=Path, required=True, help="folder for journal and report")
    parser.add_argument("--part", default="1/1", help="which share of the cases: 1/3, 2/3 or 3/3 (default all)")
    arguments = parser.parse_args()
    part, parts = (int(number) for number in arguments.part.split("/"))
    settings = ConfidenceSettings.read(arguments.config)
    total = len(asked_cases(settings))
    for done in judge_confidence(settings, arguments.out, part, parts):
        if done:
            print(f"{len(done)}/{total} {done[-1].case}", flush=True)
    write_report(arguments.out, done, settings, weights_sha256(settings))


if __name__ == "__main__":
    main()
