"""Pre-train on synthetic pairs, fine-tune on real ones; the same command continues a stopped run bit for bit."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from StructDiffCore.domain import StructDiffError
from StructDiffCore.io.atomic import write_text
from StructDiffCore.io.schemes import identity_of
from StructDiffCore.segmentation.fit import FitStep, Objective, class_weights, fit_steps
from StructDiffCore.segmentation.segmenter import Segmenter
from StructDiffCore.training.checkpoint import RunIdentity, TrainingState, resume, save_checkpoint
from StructDiffCore.training.device import FabricDevice, TrainingDevice
from StructDiffCore.training.ema import MovingAverage
from StructDiffCore.training.seeds import seed_of

from .crops import CropStream
from .data import Listed, Stage, TrainingData, read_all
from .log import RunLog
from .losses import ConfidenceLoss
from .made_pairs import MadePairs
from .making import Making
from .settings import PretrainSettings, StageSettings
from .validation import Score, validate
from .weights import ramp
from .weights_files import WeightsFiles

CHECKPOINT = "checkpoint"
SETTINGS, SUMMARY = "settings.json", "data.json"


@dataclass(frozen=True)
class Progress:
    """What a pipeline shows."""

    stage: str
    """'reading pairs', 'making pairs', 'pre-training' or 'fine-tuning'."""
    done: int
    total: int
    loss: float | None = None
    score: Score | None = None
    note: str = ""
    """Something a person should know."""
    least_s: float | None = None
    """Seconds that the pairs still to be made will take, where the training waits for them."""


def read_pairs(
    settings: PretrainSettings, found: Listed, out: Path, made: MadePairs | None = None
) -> Generator[Progress, None, TrainingData]:
    """Read, check and prepare all pairs in ``out``; returns what ``run_pretraining`` needs. ``made``: pairs of the plans.

    To be done before ``device_of`` starts further processes: these find everything prepared, and a refusal leaves none behind.
    """
    reading = read_all(found, settings, out, made)
    while True:
        try:
            done, total = next(reading)
        except StopIteration as end:
            data: TrainingData = end.value
            break
        yield Progress("reading pairs", done, total)
    yield from (Progress("reading pairs", found.count, found.count, note=note) for note in data.notes)
    return data


def run_pretraining(settings: PretrainSettings, data: TrainingData, out: Path, device: TrainingDevice) -> Iterator[Progress]:
    """Train (or continue) in ``out`` and hand out every step; leaves ``WeightsFiles`` and a ``RunLog``.

    With several processes the first one validates and writes; all hand out their steps.
    """
    return Run(settings, data, out, device).steps()


def device_of(settings: PretrainSettings, name: str = "auto") -> TrainingDevice:
    """Fabric on the named kind of device (auto, cpu, cuda, mps), with the run's processes; starts those that are missing."""
    import lightning_fabric

    logging.getLogger(lightning_fabric.__name__).setLevel(logging.WARNING)
    return FabricDevice(settings.precision, name.partition(":")[0], settings.processes)


def any_process(device: TrainingDevice, here: bool) -> bool:
    """Whether something is so in any of the processes: all get the same answer at the same step."""
    return bool(device.mean(torch.tensor(float(here), device=device.device)) > 0)


class Run:
    """The steps of one run and what they leave in its folder."""

    def __init__(self, settings: PretrainSettings, data: TrainingData, out: Path, device: TrainingDevice) -> None:
        self.settings, self.data, self.out, self.device = settings, data, out, device
        self.segmenter, self.state = fresh_state(settings, data)
        meaning = {"scheme": identity_of(data.scheme, settings.scheme)}
        self.identity = RunIdentity({**settings.as_dict(), **meaning}, data.hash)
        self.files = WeightsFiles(out)
        self.judged = Segmenter(self.segmenter.settings, data.scheme)
        self.thin = tuple(n for n, label in enumerate(data.scheme.labels, start=1) if label.thin)

    @property
    def writes(self) -> bool:
        return self.device.rank == 0

    def steps(self) -> Iterator[Progress]:
        """From the last checkpoint (or the beginning) to the end."""
        (self.out / CHECKPOINT).mkdir(exist_ok=True)
        done = resume(self.out / CHECKPOINT, self.state, self.identity)
        if self.writes:
            write_text(self.out / SETTINGS, json.dumps(self.settings.as_dict(), indent=2) + "\n")
            write_text(self.out / SUMMARY, json.dumps(self.data.summary(), indent=2) + "\n")
        loss = ConfidenceLoss(class_weights(self.segmenter, self.settings.thin_weight), self.thin, self.settings.cldice_weight)
        objective, optimizer = self.device.set_up(Objective(self.segmenter.network, loss), self.state.optimizer)
        self._follow_the_network()
        log = RunLog(self.out, self.settings.tensorboard) if self.writes else None
        try:
            first = 0
            for stage in self.data.stages:
                if first <= done < first + stage.settings.steps:
                    yield from self._stage(stage, first, done, objective, optimizer, log)
                    done = first + stage.settings.steps
                first += stage.settings.steps
        finally:
            for stage in self.data.stages:
                if stage.made is not None:
                    stage.made.close()
            if log is not None:
                log.close()

    def _stage(
        self,
        stage: Stage,
        first: int,
        done: int,
        objective: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        log: RunLog | None,
    ) -> Iterator[Progress]:
        """The rest of a stage after ``done`` steps of the run; ``first`` of them were made before it."""
        if done == first and first:
            self._begin_again()
        stream = CropStream(stage.name, stage.cases, self.settings, stage.settings.steps, self.thin, stage.weighted, stage.made)
        making = Making(stream, stage, self.data.scheme, self.settings, self.device)
        yield from self._waited(making, done - first, done)
        if log is not None and done == first:
            log.line(done, {"stage": stage.name, "pairs": len(stage.notes), "weights": stage.trust(self.data.scheme)})
        batches = stream.batches(done - first, self.device.rank, self.device.world_size)

        def set_rate(index: int) -> None:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate_at(index - first, stage.settings)

        end = first + stage.settings.steps
        for step in fit_steps(objective, optimizer, batches, set_rate, self.device, end, done):
            self.state.average.update(self.segmenter.network)
            score = self._kept(stage, step, end)
            if log is not None:
                self._logged(log, stage, step, first, score)
            left = making.seconds_left()
            try:
                yield Progress(stage.name, step.index, self.settings.total_steps, step.loss, score, least_s=left)
            except GeneratorExit:
                self._save(step.index)
                raise
            if step.index < end:
                yield from self._waited(making, step.index - first, step.index)
        if self.writes and stage.made is not None:
            write_text(self.out / SUMMARY, json.dumps(self.data.summary(), indent=2) + "\n")

    def _waited(self, making: Making, step: int, done: int) -> Iterator[Progress]:
        """Wait for the pairs of a step; what was learnt before survives a failure of their making."""
        try:
            for now, total, note in making.waited(step):
                yield Progress("making pairs", now, total, note=note, least_s=making.seconds_left())
        except (GeneratorExit, StructDiffError):
            if done:
                self._save(done)
            raise

    def _begin_again(self) -> None:
        """Fine-tuning starts from the averaged weights of the pre-training, with an optimiser that remembers nothing."""
        self.segmenter.network.load_state_dict(self.state.average.weights)
        self.state.optimizer.state.clear()
        self.state.average.updates = 0

    def _kept(self, stage: Stage, step: FitStep, end: int) -> Score | None:
        """Checkpoint, weights and validation that fall due after a step."""
        if not self.writes:
            return None
        last_stage, at_end = stage is self.data.stages[-1], step.index == end
        score = None
        if at_end or step.index % self.settings.validate_every == 0:
            self.judged.network.load_state_dict(self.state.average.weights)
        if last_stage and self.data.validation and (at_end or step.index % self.settings.validate_every == 0):
            score = validate(self.judged.on(self.device.device), self.data.validation)
            self.files.offer(self.judged, score, step.index)
        if at_end:
            self.files.write(self.judged, "last" if last_stage else "pretrained", step.index)
        if at_end or step.index % self.settings.checkpoint_every == 0:
            self._save(step.index)
        return score

    def _save(self, done: int) -> None:
        if self.writes:
            save_checkpoint(self.out / CHECKPOINT, self.state, done, self.identity)

    def _logged(self, log: RunLog, stage: Stage, step: FitStep, first: int, score: Score | None) -> None:
        index = step.index - 1 - first
        rho = ramp(index, stage.settings.steps) if stage.weighted else 0.0
        values = {"stage": stage.name, "loss": step.loss, "rate": learning_rate_at(index, stage.settings), "rho": rho}
        told = {} if score is None else {"dice": score.mean, **{f"dice {name}": value for name, value in score.labels.items()}}
        log.line(step.index, values | told)

    def _follow_the_network(self) -> None:
        """The average lies where the network lies."""
        weights: dict[str, Tensor] = self.state.average.weights
        for name, tensor in weights.items():
            weights[name] = tensor.to(self.device.device)


def fresh_state(settings: PretrainSettings, data: TrainingData) -> tuple[Segmenter, TrainingState]:
    """Network, optimiser and average before the first step; a function of the settings alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(settings.seed, "weights"))
        segmenter = Segmenter.untrained(data.scheme, settings.network, settings.spacing_mm, settings.crop)
    optimizer = torch.optim.AdamW(segmenter.network.parameters(), weight_decay=1e-4)
    return segmenter, TrainingState(segmenter.network, optimizer, MovingAverage(segmenter.network, settings.ema_decay))


def learning_rate_at(step: int, stage: StageSettings) -> float:
    """A tenth of the stage warms up, then a cosine falls to a hundredth of the peak."""
    warm = min(1.0, (step + 1) / max(1.0, 0.1 * stage.steps))
    progress = step / max(1, stage.steps - 1)
    return stage.learning_rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))
