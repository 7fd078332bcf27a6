"""What a run learns from and is validated on: listed, split, read and checked before the first step."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from StructDiffCore.domain import LabelScheme, StructDiffError
from StructDiffCore.io.schemes import SHIPPED, load_scheme

from .cases import PairFiles, pairs_of
from .made_pairs import MadePairs
from .pair_plan import PairPlan, is_plan
from .prepared import PreparedCase, learnt_values, prepared
from .settings import PretrainSettings, StageSettings
from .splits import held_out, refuse_kin, refuse_shared_patients, refuse_templates, without_held_out, without_kin
from .trust_report import trust_summary, words_on_trust

PREPARED = "prepared"
STAGES = {"synthetic": "pre-training", "real": "fine-tuning"}


@dataclass(frozen=True)
class Stage:
    """A stretch of training on one kind of pairs."""

    name: str
    settings: StageSettings
    weighted: bool
    """Whether confidence counts: in pre-training, if it is asked for."""
    cases: tuple[PreparedCase, ...]
    made: MadePairs | None = None
    """Pairs that are made while the stage runs."""

    @property
    def notes(self) -> list[dict[str, Any]]:
        """What is known of every pair, those made so far included."""
        return [*(case.note for case in self.cases), *(self.made.record.read().values() if self.made else ())]

    def trust(self, scheme: LabelScheme) -> dict[str, Any]:
        """What the confidence maps do, by class of ``scheme``; empty where none counts."""
        return trust_summary(self.notes, scheme) if self.weighted else {}


@dataclass(frozen=True)
class TrainingData:
    """All that the steps need of the pairs."""

    scheme: LabelScheme
    """The labels that are learnt."""
    stages: tuple[Stage, ...]
    validation: tuple[PreparedCase, ...]
    notes: tuple[str, ...] = field(default=())
    """What a person should know about how the pairs were split."""

    @property
    def hash(self) -> str:
        """Changes with the content of any file and with who is on which side."""
        digest = hashlib.sha256()
        for cases in (*(stage.cases for stage in self.stages), self.validation):
            digest.update("\n".join([*(case.note["digest"] for case in cases), ""]).encode())
        for stage in self.stages:
            digest.update((stage.made.identity if stage.made else "").encode())
        return digest.hexdigest()

    def summary(self) -> dict[str, Any]:
        """For the run's folder: which pairs, and what their confidence maps do; JSON-able."""
        stages = [
            {"stage": one.name, "weighted": one.weighted, "pairs": len(one.notes), "weights": one.trust(self.scheme)}
            for one in self.stages
        ]
        held_out = [case.files.id for case in self.validation]
        return {"scheme": self.scheme.name, "stages": stages, "held_out": held_out, "hash": self.hash, "notes": self.words()}

    def words(self) -> list[str]:
        """What a person should know by now; of pairs made on the fly, all that were made so far."""
        words = list(self.notes)
        for stage in self.stages:
            if stage.made is not None:
                words += [*stage.made.words(), *words_on_trust(stage.trust(self.scheme))]
        return words


@dataclass(frozen=True)
class Listed:
    """The pairs of a run before any of them is read."""

    scheme: LabelScheme
    """The scheme of the files."""
    stages: dict[str, list[PairFiles]]
    validation: list[PairFiles]
    own_validation: bool
    """Whether the held-out cases are a fold of the last stage's."""
    plans: tuple[PairPlan, ...] = ()
    """What synthetic pairs are made by while the training runs."""

    @property
    def count(self) -> int:
        return sum(map(len, self.stages.values())) + len(self.validation)


def listed(settings: PretrainSettings, base: Path) -> Listed:
    """Find all pairs (paths relative to ``base``) and split them; refuses a list that leaks a patient and too few patients."""
    scheme = scheme_of(settings, base)
    learnt_values(settings, scheme)
    plans = tuple(PairPlan.read(base / source) for source in settings.synthetic.sources if is_plan(base / source))
    synthetic = tuple(source for source in settings.synthetic.sources if not is_plan(base / source))
    sources = {"synthetic": synthetic, "real": settings.real.sources}
    stages = {kind: _found(sources[kind], base) for kind in STAGES if getattr(settings, kind).steps}
    last = list(stages)[-1]
    validation = _found(settings.validation, base, "validation")
    if settings.validation:
        refuse_shared_patients([pair for pairs in stages.values() for pair in pairs], validation)
    elif settings.folds:
        stages[last], validation = held_out(stages[last], settings.folds, settings.fold, settings.seed)
        stages = {kind: without_held_out(pairs, validation) for kind, pairs in stages.items()}
    return Listed(scheme, stages, validation, not settings.validation, plans)


def scheme_of(settings: PretrainSettings, base: Path) -> LabelScheme:
    """The scheme of the files: shipped, or a file relative to ``base``."""
    return load_scheme(settings.scheme if settings.scheme in SHIPPED else base / settings.scheme)


def read_all(
    found: Listed, settings: PretrainSettings, out: Path, made: MadePairs | None = None
) -> Generator[tuple[int, int], None, TrainingData]:
    """Read, check and prepare every pair under ``out``; yields (done, total); refuses kin across the split and absent labels.

    ``made``: the pairs of ``found.plans``.
    """
    if found.plans and made is None:
        raise StructDiffError("pairs made by a plan need the process that makes them", "run structdiff pretrain")
    place, total = out / PREPARED, found.count
    place.mkdir(parents=True, exist_ok=True)
    done: list[PreparedCase] = []

    def cases(pairs: Sequence[PairFiles], weighted: bool) -> Iterator[tuple[int, int]]:
        for pair in pairs:
            done.append(prepared(pair, place, settings, found.scheme, weighted))
            yield len(done), total

    stages = []
    for kind, pairs in found.stages.items():
        yield from cases(pairs, kind == "synthetic")
        ours = tuple(done[len(done) - len(pairs) :])
        weighted = kind == "synthetic" and settings.confidence.weighs
        stages.append(Stage(STAGES[kind], getattr(settings, kind), weighted, ours, made if kind == "synthetic" else None))
    yield from cases(found.validation, False)
    validation = tuple(done[found.count - len(found.validation) :])
    _clear_others(place, done)
    return _checked(found, settings, stages, validation)


def _checked(
    found: Listed, settings: PretrainSettings, stages: list[Stage], validation: tuple[PreparedCase, ...]
) -> TrainingData:
    values = learnt_values(settings, found.scheme)
    learnt = LabelScheme(found.scheme.name, tuple(label for label in found.scheme.labels if label.value in values))
    notes = []
    for number, stage in enumerate(stages):
        kept = without_kin(stage.cases, validation) if found.own_validation else list(stage.cases)
        if len(kept) < len(stage.cases):
            notes.append(f"{len(stage.cases) - len(kept)} synthetic pairs descend from held-out cases and are left out")
        if not kept and stage.made is None:
            raise StructDiffError(
                f"all pairs of the {stage.name} descend from held-out cases", "add pairs made from other scans, or lower folds"
            )
        stages[number] = stage = replace(stage, cases=tuple(kept))
        refuse_kin(stage.cases, validation)
        if stage.made is None:
            notes += words_on_trust(stage.trust(learnt))
            refuse_absent(stage, settings, learnt)
        else:
            refuse_templates(stage.made.kin, validation)
    return TrainingData(learnt, tuple(stages), validation, tuple(notes))


def _found(sources: Sequence[str], base: Path, section: str = "training") -> list[PairFiles]:
    found = [pair for source in sources for pair in pairs_of(base / source, section)]
    if sources and not found:
        raise StructDiffError(f"{', '.join(sources)} hold no pairs", "give folders of pairs or data lists")
    return found


def refuse_absent(stage: Stage, settings: PretrainSettings, learnt: LabelScheme) -> None:
    """A label of ``learnt`` that no pair shows would be unlearnt, since its voxels pass for background."""
    if settings.absent == "allow":
        return
    for number, label in enumerate(learnt.labels, start=1):
        if not any(note["voxels"].get(str(number)) for note in stage.notes):
            raise StructDiffError(
                f"label {label.value} ({label.name}) occurs in none of the {len(stage.notes)} cases of the {stage.name}, "
                "which would unlearn it",
                "list the labels to learn under 'labels', or set absent: allow",
            )


def _clear_others(place: Path, used: Sequence[PreparedCase]) -> None:
    """Arrays of pairs that have changed or left since an earlier start."""
    names = {case.folder.name for case in used}
    for entry in place.iterdir():
        if entry.name not in names and not entry.name.startswith("."):
            shutil.rmtree(entry, ignore_errors=True)
