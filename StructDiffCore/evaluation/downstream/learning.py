"""Learning: one arm's segmenter through cal's trainer, the same for every arm; and what it is kin to."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from StructDiffCore.cal.data import PREPARED, TrainingData, listed
from StructDiffCore.cal.run import CHECKPOINT, Progress, device_of, read_pairs, run_pretraining
from StructDiffCore.cal.settings import PretrainSettings
from StructDiffCore.domain import StructDiffError
from StructDiffCore.io.atomic import write_text

from .proof_settings import LearningSettings
from .work import Clock, TimeIsUp

WEIGHTS, PRETRAINED = "last.safetensors", "pretrained.safetensors"
KIN = "kin.json"
Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Lesson:
    """What one segmenter learns from: data-list entries whose paths are absolute."""

    first: Sequence[Entry]
    last: Sequence[Entry]
    weighted: bool
    """Whether the confidence of the first stage's pairs counts."""
    labels: Mapping[str, Any]
    """cal's settings of scheme, labels, merged labels and voxel size."""
    seed: int
    full_trust_at: float = 1.0
    """Confidence from which on a voxel is trusted whole."""
    plain: bool = False
    """Never augmented."""


def learn(lesson: Lesson, learning: LearningSettings, place: Path, clock: Clock) -> None:
    """Train in ``place`` (or go on there); leaves both stages' weights, log and kin. Raises TimeIsUp at a checkpoint."""
    for name, entries in (("first", lesson.first), ("last", lesson.last)):
        write_text(place / f"{name}.json", json.dumps({"training": [_relative(entry, place) for entry in entries]}, indent=1))
    settings = pretrain_settings(lesson, learning)
    data = _returned(read_pairs(settings, listed(settings, place), place))
    write_text(place / KIN, json.dumps(sorted(kin_of(data, (*lesson.first, *lesson.last)))))
    steps = run_pretraining(settings, data, place, device_of(settings, "cpu"))
    for now in steps:
        if clock.is_up and now.done < now.total:
            steps.close()  # type: ignore[attr-defined]  # it is a generator, which saves a checkpoint
            raise TimeIsUp
    for name in (PREPARED, CHECKPOINT):
        shutil.rmtree(place / name, ignore_errors=True)


def pretrain_settings(lesson: Lesson, learning: LearningSettings) -> PretrainSettings:
    """cal's settings of an arm: all arms differ in their pairs alone."""
    stage = {"learning_rate": learning.learning_rate}
    return PretrainSettings.from_dict(
        {
            **lesson.labels,
            "synthetic": {**stage, "sources": ["first.json"], "steps": learning.first_steps},
            "real": {**stage, "sources": ["last.json"], "steps": learning.last_steps},
            "folds": 0,
            "confidence": {
                "use": lesson.weighted,
                "kind": "confidence",
                "full_trust_at": lesson.full_trust_at,
                "missing": "trust",
            },
            "network": learning.network,
            "crop": learning.crop,
            "batch": learning.batch,
            "cldice_weight": learning.cldice_weight,
            "precision": learning.precision,
            "augment": learning.augment and not lesson.plain,
            "absent": "allow",
            "seed": lesson.seed,
        }
    )


def kin_of(data: TrainingData, entries: Sequence[Entry]) -> set[str]:
    """Digests of all pairs learnt from and of their parents, and the patients' names."""
    kin = {name for stage in data.stages for case in stage.cases for name in case.kin}
    named = {str(entry["patient"]) for entry in entries if entry.get("patient")}
    return kin | named | {patient for entry in entries for patient in entry.get("patients", ())}


def refuse_leak(place: Path, test: str, digests: Sequence[str]) -> None:
    """Raise where the segmenter in ``place`` learnt from the test patient, from a copy, or from what was made of it."""
    shared = set(json.loads((place / KIN).read_text(encoding="utf-8"))) & {test, *digests}
    if shared:
        raise StructDiffError(
            f"{place.name} learnt from the test patient {test} ({', '.join(sorted(shared))})",
            "keep test patients, and what was made from them, out of every subset",
        )


def _relative(entry: Entry, place: Path) -> Entry:
    files = {key: os.path.relpath(entry[key], place) for key in ("image", "label", "confidence") if entry.get(key)}
    return {**entry, **files}


def _returned(reading: Generator[Progress, None, TrainingData]) -> TrainingData:
    while True:
        try:
            next(reading)
        except StopIteration as end:
            data: TrainingData = end.value
            return data
