"""The harness: every row answers every case, is scored the same way and pays the same price tags."""

from __future__ import annotations

from collections.abc import Iterator
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
from .cases import cases
from .cost import measured
from .rows import ROWS
from .scores import Scan, Scores, fidelity_scores, look_scores, per_label
from .settings import EvaluationSettings


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


def evaluate(settings: EvaluationSettings) -> Iterator[Answer]:
    """Every row on every case, one answer at a time."""
    system = StructDiff.load_weights(Path(settings.model)) if settings.model else default_structdiff()
    judge = Segmenter.load_weights(Path(settings.judge), CARDIAC) if settings.judge else shipped_judge()
    total = len(settings.rows) * (settings.phantom_cases + settings.held_out_cases + settings.real_case)
    done = 0
    for case in cases(settings):
        prepared = prepare(case.target, case.template)
        for row in settings.rows:
            done += 1
            yield _answer(case, row, prepared, system, judge, settings, done, total)


def _answer(
    case: Case,
    row: str,
    prepared: Prepared,
    system: StructDiff,
    judge: Segmenter,
    settings: EvaluationSettings,
    done: int,
    total: int,
) -> Answer:
    with measured() as cost:
        image, clean = ROWS[row](case, prepared, system, SynthesisSettings(steps=settings.steps), settings.seed + done)
    mask = case.reference.mask if row == "truth" else case.target
    made = Scan(image, mask)
    scores = look_scores(made, case.reference)
    if case.judged:
        scores = {**fidelity_scores(made, judge), **scores, "clean RMSE HU": _rmse(clean, case.clean, case.target.voxels > 0)}
    scores = {**scores, "seconds": cost.seconds, "peak GiB": cost.peak_gib}
    return Answer(Result(case.name, case.domain, row, scores, per_label(made, case.reference)), case, image, done, total)


def _rmse(clean: Volume | None, truth: Volume | None, where: np.ndarray) -> float:
    """Root mean square difference of the noise-free images inside the labels, in HU."""
    if clean is None or truth is None:
        return float("nan")
    return float(np.sqrt(np.mean((clean.voxels[where] - truth.voxels[where]) ** 2)))
