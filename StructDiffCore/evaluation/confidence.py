"""Does the confidence map know where the volume is wrong? Measured on phantoms, whose truth is known.

python -m StructDiffCore.evaluation.confidence Testing/Examples/confidence.yaml --out runs/confidence/report

Each window is kept as a line of JSON when it is done: the same command goes on where it was stopped. Several processes may share
a folder: ``--part 1/3`` takes every third case, and the report is of all that is done.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from StructDiffCore.domain import StructDiffError
from StructDiffCore.segmentation.judge import shipped_judge
from StructDiffCore.segmentation.segmenter import Segmenter
from StructDiffCore.synthesis.error_head import TrainedHead, shipped_head
from StructDiffCore.synthesis.measured_at import MeasuredAt
from StructDiffCore.systems.structdiff import StructDiff, default_structdiff

from .confidence_cases import Asked, ConfidenceCase, asked_cases, cases_of
from .confidence_maps import sampled_with_maps
from .confidence_report import write_report
from .confidence_scores import Judged, Seen, counts_of, rows_of, wrongs_of
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
            raise StructDiffError(
                f"the error head was trained at {head.trained_at}", f"train it for weights {system.sha256[:12]}"
            )
        return cls(settings, system.to("cpu", torch.bfloat16), head, shipped_judge())

    @property
    def measured_at(self) -> MeasuredAt:
        """The samples that are judged."""
        return MeasuredAt.of(self.system.sha256, self.settings.sampling)

    @property
    def head_sha256(self) -> str:
        """Empty where no head is judged."""
        return self.head.sha256 if self.head else ""

    def judged(self, asked: Asked) -> list[Judged]:
        """The whole case, then every damaged one against it."""
        whole, *damaged = (self._seen(case) for case in cases_of(asked, self.settings))
        return [self._told(whole, None), *(self._told(seen, whole) for seen in damaged)]

    def _methods(self, case: ConfidenceCase) -> list[str]:
        """The maps of a case; the head only where there is one."""
        shown = case.asked.domain == "training" and case.asked.number < self.settings.reference_cases and not case.damage
        wanted = [*self.settings.methods, *self.settings.references] if shown else self.settings.methods
        return [name for name in wanted if self.head is not None or method_and_paths(name)[0] != "head"]

    def _seen(self, case: ConfidenceCase) -> Seen:
        """Sample twice, map the first, hold the maps against the errors of the second."""
        seed = self.settings.seed + 10 * case.asked.number
        asked = (self.system, case.condition)
        mapped = sampled_with_maps(*asked, self._methods(case), self.settings.sampling, seed, self.head)
        other = sampled_with_maps(*asked, (), self.settings.sampling, seed + 5)
        return Seen.of(case, mapped, wrongs_of(case, mapped.clean_hu, other.clean_hu, self.judge))

    def _told(self, seen: Seen, control: Seen | None) -> Judged:
        asked, threshold = seen.case.asked, self.settings.threshold_hu
        counts = counts_of(seen.mapped, seen.wrongs, threshold)
        return Judged(asked.name, asked.domain, seen.case.damage, rows_of(seen, threshold, control), counts)


def judge_confidence(bench: Bench, folder: Path, part: int = 1, parts: int = 1) -> Iterator[list[Judged]]:
    """After every window, all that is done so far, by any process; of the windows not done yet, every ``parts``-th is made."""
    path, settings = folder / JOURNAL, bench.settings
    made_by = {"measured_at": bench.measured_at.as_dict(), "head_sha256": bench.head_sha256}
    first = {"settings": json.loads(json.dumps(settings.as_dict())), **made_by}
    yield (done := _read(path, first))
    for asked in asked_cases(settings)[part - 1 :: parts]:
        if asked.name not in {judged.case for judged in done}:
            _append(path, {"judged": [asdict(judged) for judged in bench.judged(asked)]})
            yield (done := _read(path, first))


def _read(path: Path, first: Mapping[str, Any]) -> list[Judged]:
    """The journal's cases; begins it where there is none, refuses one of other settings or weights, leaves a torn line out."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _append(path, first)
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    if not found or found[0] != first:
        raise StructDiffError(f"{path} belongs to other settings, weights or error head", "choose another --out or remove it")
    return [Judged.from_dict(judged) for content in found for judged in content.get("judged", ())]


def _append(path: Path, content: Mapping[str, Any]) -> None:
    torn = path.exists() and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" * torn + json.dumps(content) + "\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Judge the windows that are left and report on all that are done; exit code 2 with one line for bad input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="YAML file of ConfidenceSettings")
    parser.add_argument("--out", type=Path, required=True, help="folder for journal and report")
    parser.add_argument("--part", default="1/1", help="which share of the cases: 1/3, 2/3 or 3/3 (default all)")
    arguments = parser.parse_args(argv)
    try:
        run(ConfidenceSettings.read(arguments.config), arguments.out, *part_of(arguments.part))
    except StructDiffError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def run(settings: ConfidenceSettings, out: Path, part: int, parts: int) -> None:
    """Judge a part's windows and write the report."""
    total, bench = len(asked_cases(settings)), Bench.of(settings)
    for done in judge_confidence(bench, out, part, parts):
        print(f"{len({judged.case for judged in done})}/{total} windows, {time.process_time():.0f} s of processor", flush=True)
    write_report(out, done, settings, bench.measured_at, bench.head_sha256)


def part_of(text: str) -> tuple[int, int]:
    """'1/3' -> (1, 3). Raises StructDiffError for anything else."""
    part, slash, parts = text.partition("/")
    if not (slash and part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise StructDiffError(f"--part '{text}' is no share of the windows", "give N/M with N from 1 to M, like 2/3")
    return int(part), int(parts)


if __name__ == "__main__":
    sys.exit(main())
