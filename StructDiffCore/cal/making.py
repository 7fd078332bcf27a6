"""A stage's steps held against the pairs that are made meanwhile: waiting for them, and looking at the first ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from StructDiffCore.domain import LabelScheme
from StructDiffCore.training.device import TrainingDevice

from .crops import CropStream
from .data import Stage, refuse_absent
from .settings import PretrainSettings
from .trust_report import words_on_trust


@dataclass(frozen=True)
class Making:
    """The making of one stage's pairs; of a stage without any it asks nothing."""

    stream: CropStream
    stage: Stage
    scheme: LabelScheme
    settings: PretrainSettings
    device: TrainingDevice

    def waited(self, step: int) -> Iterator[tuple[int, int, str]]:
        """Wait for the pairs of a step: (pairs made, pairs of the whole stage, what a person should know).

        Several processes wait in silence, since each would have to hand out equally much.
        """
        made = self.stage.made
        if made is None:
            return
        made.leads = self.device.rank == 0
        total = made.newest(self._last) + 1
        alone, first = self.device.world_size == 1, step == 0
        for count in made.waited(self.stream.samples(step), self._last, self.stream.made_pair):
            if alone:
                yield min(count, total), total, ""
        if first:
            refuse_absent(self.stage, self.settings, self.scheme)
            for line in words_on_trust(self.stage.trust(self.scheme)) if alone else ():
                yield len(made.record.read()), total, line

    def seconds_left(self) -> float | None:
        """How long the pairs still to be made will take."""
        return None if self.stage.made is None else self.stage.made.seconds_left(self._last)

    @property
    def _last(self) -> int:
        return self.stream.samples(self.stream.steps - 1)[-1]
