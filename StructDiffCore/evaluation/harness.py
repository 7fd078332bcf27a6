"""The harness: every row answers every case, is scored the same way and pays the same price tags."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.domain import CARDIAC, Volume
from StructDiffCore.segmentation.judge import shipped_judge
from StructDiffCore.segmentation.segmenter import Segmenter
from StructDiffCore.synthesis.prepared import Prepared, prepare
from StructDiffCore.systems.structdiff import StructDiff, default_structdiff

from .case import Case
from .cases import questions
from .copying import detail_correlation
from .cost import measured
from .obedience import agreement, fidelity, small_vessel_recall
from .realism import realism_scores
from .rows import row_named
from .scores import Scan, Scores, look_scores, per_label
from .settings import EvaluationSettings
from .tiling import tile_scores


@dataclass(frozen=True)
class Result:
    """One row's answer to one case, scored."""

    case: str
    domain: str
    row: str
    scores: Scores
    labels: dict[str, dict[str, float]] = field(default_factory=dict)
    """Per-label HU beside the reference's, for the real case."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What is reported while the work goes on: a scored result with its volume."""

    result: Result
    case: Case
    image: Volume
    done: int
    total: int


@dataclass(frozen=True, eq=False)
class Bench:
    """What answers and what judges."""

    settings: EvaluationSettings
    system: StructDiff
    judge: Segmenter

    @classmethod
    def of(cls, settings: EvaluationSettings) -> Bench:
        system = StructDiff.load_weights(Path(settings.model)) if settings.model else default_structdiff()
        judge = Segmenter.load_weights(Path(settings.judge), CARDIAC) if settings.judge else shipped_judge()
        return cls(settings, system, judge)

    def result(self, case: Case, row: str, prepared: Prepared, seed: int) -> tuple[Result, Volume]:
        """Let a row answer a case and score it; all rows of a case get the same seed."""
        with measured() as cost:
            asked = SynthesisSettings(steps=self.settings.steps, temperature=self.settings.temperature)
            image, clean = row_named(row)(case, prepared, self.system, asked, seed)
        itself = row == "truth"
        made = Scan(image, case.reference.mask if itself else case.target)
        scores = look_scores(made, case.reference)
        if case.judged:
            scores = {**self._obedience(case, prepared, image), **scores, **_against_clean(case, prepared, clean)}
        else:
            scores = {**scores, **realism_scores(made, case.reference, itself)}
        scores = {**scores, "seconds": cost.seconds, "peak GiB": cost.peak_gib}
        return Result(case.name, case.domain, row, scores, per_label(made, case.reference)), image

    def _obedience(self, case: Case, prepared: Prepared, image: Volume) -> Scores:
        read, target, swapped = self.judge.predict(image).voxels, case.target.voxels, prepared.template_labels
        return {
            **fidelity(read, target),
            "recall radius 0.6-0.9 mm": small_vessel_recall(read, case.target.geometry, case.trees),
            "agrees with target": agreement(read, target, swapped),
            "Dice chambers, template's mask": fidelity(read, swapped)["Dice chambers"],
        }


def evaluate(settings: EvaluationSettings, finished: Collection[tuple[str, str]] = ()) -> Iterator[Answer]:
    """Every row on every case, one answer at a time; (case, row) pairs in ``finished`` are left out."""
    bench = Bench.of(settings)
    asked = questions(settings)
    total, done = len(settings.rows) * len(asked), 0
    for number, question in enumerate(asked):
        rows = [row for row in settings.rows if (question.name, row) not in finished]
        done += len(settings.rows) - len(rows)
        if not rows:
            continue
        case = question.make()
        prepared = prepare(case.target, case.template)
        for row in rows:
            done += 1
            result, image = bench.result(case, row, prepared, settings.seed + number)
            yield Answer(result, case, image, done, total)


def tiles_compared(settings: EvaluationSettings) -> Scores:
    """Tiles against one pass on the last phantom case (the last case where there is none)."""
    asked = questions(settings)
    chosen = [q for q in asked if q.name.startswith("training")] or asked
    case = chosen[-1].make()
    return tile_scores(Bench.of(settings).system, prepare(case.target, case.template), settings.steps, settings.seed)


def _against_clean(case: Case, prepared: Prepared, clean: Volume | None) -> Scores:
    """Noise-free error inside the labels, and how much more of the template's detail shows than in an independent rendering."""
    template, spacing = prepared.source.template_image, np.asarray(case.target.geometry.spacing)
    labels = case.target.voxels
    if clean is None or case.clean is None:
        return {"clean RMSE HU": float("nan"), "copied detail": float("nan")}
    rmse = float(np.sqrt(np.mean((clean.voxels[labels > 0] - case.clean.voxels[labels > 0]) ** 2)))
    own, chance = (detail_correlation(x.voxels, template, labels, spacing) for x in (clean, case.clean))
    return {"clean RMSE HU": rmse, "copied detail": own - chance}
