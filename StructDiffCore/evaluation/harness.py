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
from .clean_error import clean_errors
from .continuity import continuity_scores
from .copying import detail_correlation
from .cost import measured
from .look import Look, Scan
from .obedience import agreement, controls, fidelity, small_vessel_recall
from .realism import Octants, realism_scores
from .rows import calls_of, row_named
from .scores import Labels, Scores, look_scores, per_part
from .settings import EvaluationSettings
from .speckle import speckle_shares
from .tiling import tile_scores


@dataclass(frozen=True)
class Result:
    """One row's answer to one case, scored."""

    case: str
    domain: str
    row: str
    scores: Scores
    labels: Labels = field(default_factory=dict)
    """Per part of the mask: HU beside the reference's, tolerances, edges."""
    octants: Octants = field(default_factory=dict)
    """Realism without each octant, for the real case."""


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
            asked = SynthesisSettings(steps=self.settings.steps, temperature=self.settings.temperature, ssv="off")
            image, clean = row_named(row)(case, prepared, self.system, asked, seed)
        made = case.truth if row == "truth" else Look(Scan(image, case.target), case.trees, patch_seed=2)
        parts = per_part(made, case.truth, case.repeat, peaks=not case.judged)
        scores = look_scores(made, case.truth, parts)
        octants: Octants = {}
        if case.judged:
            scores = {**self._obedience(case, prepared, image), **scores, **_against_clean(case, prepared, clean)}
        else:
            told, octants = realism_scores(made, case.truth)
            scores = {**scores, **told}
        scores |= {} if clean is None else speckle_shares(clean.voxels, made.scan.mask.voxels)
        price = {
            "network calls": float(calls_of(row, self.settings.steps)),
            "seconds": cost.seconds,
            "processor seconds": cost.cpu_seconds,
            "peak GiB": cost.peak_gib,
        }
        return Result(case.name, case.domain, row, {**scores, **price}, parts, octants), image

    def _obedience(self, case: Case, prepared: Prepared, image: Volume) -> Scores:
        read = self.judge.predict(image).voxels
        return {
            **fidelity(read, case.target.voxels),
            "recall radius 0.6-0.9 mm": small_vessel_recall(read, case.target.geometry, case.trees),
            "agrees with target": agreement(read, case.target.voxels, prepared.template_labels),
            **controls(read, case.target, case.other),
        }


def evaluate(settings: EvaluationSettings, finished: Collection[tuple[str, str]] = ()) -> Iterator[Answer]:
    """Every row on every case, one answer at a time; (case, row) pairs in ``finished`` are left out."""
    asked = questions(settings)
    total, done = len(settings.rows) * len(asked), 0
    bench = None
    for number, question in enumerate(asked):
        rows = [row for row in settings.rows if (question.name, row) not in finished]
        done += len(settings.rows) - len(rows)
        if not rows:
            continue
        bench = bench or Bench.of(settings)
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
    """Noise-free error by place, vessels along their centrelines, and how much more of the template's detail shows than in an
    independent rendering.
    """
    if clean is None or case.clean is None:
        return {}
    labels, spacing = case.target.voxels, np.asarray(case.target.geometry.spacing)
    aligned = (prepared.source.template_image, labels, prepared.template_labels, spacing)
    own, chance = (detail_correlation(x.voxels, *aligned) for x in (clean, case.clean))
    errors = clean_errors(clean.voxels, case.clean.voxels, labels)
    seen = continuity_scores(clean, case.trees, prepared.look.psf_sigma_mm, case.target)
    return {**errors, **seen, "copied detail": own - chance}
