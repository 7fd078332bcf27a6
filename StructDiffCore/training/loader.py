"""Batches in a fixed order: pairs come in groups, a group's crops are shuffled together, a background process stays ahead."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from .crops import TrainingBatch, TrainingCrop, stack_crops
from .pairs import PairStream
from .pool import open_pool
from .scan_pairs import ScanPairStream
from .scans import open_scans
from .seeds import numpy_generator
from .settings import TrainSettings

Group = list[TrainingCrop]


@dataclass(frozen=True)
class GroupMaker:
    """Makes the crops of one group; a function of the settings and the group's number alone."""

    pool_folder: Path
    settings: TrainSettings

    scan_folder: Path | None = None
    """Cached real scans; needed where the settings ask for a share of them."""

    def __call__(self, phase: int, number: int) -> Group:
        pairs, seed, curriculum = self.settings.pairs, self.settings.seed, self.settings.phases
        numbers = range(number * pairs.pairs_per_group, (number + 1) * pairs.pairs_per_group)
        crops = [
            crop
            for pair in numbers
            for crop in self._stream(phase, pair).crops(curriculum[phase], numpy_generator(seed, "pair", phase, pair))
        ]
        crops = [crop.nulled(pairs.nulled) for crop in crops] if pairs.nulled else crops
        return [crops[n] for n in numpy_generator(seed, "group", phase, number).permutation(len(crops))]

    def _stream(self, phase: int, pair: int) -> PairStream | ScanPairStream:
        """Where a pair comes from: digital hearts or real scans."""
        pairs, seed = self.settings.pairs, self.settings.seed
        if pairs.real_share and numpy_generator(seed, "source", phase, pair).random() < pairs.real_share:
            return ScanPairStream(open_scans(self.scan_folder or self.pool_folder.parent / "scans"), pairs)
        return PairStream(open_pool(self.pool_folder, pairs, seed), pairs, self.settings.system.noise == "diffusion")

    def size(self, phase: int) -> int:
        """Crops in each group of a phase."""
        return 2 * self.settings.pairs.pairs_per_group * self.settings.phases[phase].crops_per_direction


@dataclass
class Loader:
    """Iterates over the batches from step ``start`` on; close it when done."""

    maker: GroupMaker
    start: int = 0
    workers: int = 1
    """Processes that make groups; 0 makes them in this one."""
    ahead: int = 2
    """Groups kept ready per worker."""
    rank: int = 0
    world_size: int = 1
    _executor: Executor | None = field(default=None, init=False)

    def __iter__(self) -> Iterator[TrainingBatch]:
        groups = self._groups(self._plan())
        for number, first_step in self._phases():
            yield from self._batches(number, first_step, groups)

    def close(self) -> None:
        """Stop the background processes."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None

    def _phases(self) -> Iterator[tuple[int, int]]:
        """The phases still to come, each with the step it begins at."""
        phase, step = self.maker.settings.phase_at(self.start)
        yield phase, step
        yield from ((later, 0) for later in range(phase + 1, len(self.maker.settings.phases)))

    def _plan(self) -> Iterator[tuple[int, int]]:
        """(phase, group) of every group still needed, in order."""
        for number, first_step in self._phases():
            phase, size = self.maker.settings.phases[number], self.maker.size(number)
            first, last = first_step * phase.batch // size, (phase.steps * phase.batch - 1) // size
            yield from ((number, group) for group in range(first, last + 1))

    def _batches(self, number: int, first_step: int, groups: Iterator[Group]) -> Iterator[TrainingBatch]:
        settings, phase = self.maker.settings, self.maker.settings.phases[number]
        used = first_step * phase.batch % self.maker.size(number)
        mine = range(self.rank, phase.batch, self.world_size)
        crops: Group = []
        for _ in range(first_step, phase.steps):
            while len(crops) < phase.batch:
                crops += next(groups)[used:]
                used = 0
            whole, crops = crops[: phase.batch], crops[phase.batch :]
            yield stack_crops([whole[n] for n in mine], settings.system.residual_scale_hu)

    def _groups(self, plan: Iterator[tuple[int, int]]) -> Iterator[Group]:
        if self.workers == 0:
            yield from (self.maker(phase, number) for phase, number in plan)
            return
        waiting: deque[Future[Group]] = deque()
        for phase, number in plan:
            waiting.append(self._background().submit(self.maker, phase, number))
            if len(waiting) >= self.ahead * self.workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _background(self) -> Executor:
        if self._executor is None:
            spawn = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(self.workers, spawn, initializer=_start_worker)
        return self._executor


def _start_worker() -> None:
    """A loader's process leaves the cores to the network, and leaves with it: a killed parent cannot tell it to stop."""
    import torch

    torch.set_num_threads(1)
    os.nice(5)
    threading.Thread(target=_follow, args=(os.getppid(),), daemon=True).start()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
