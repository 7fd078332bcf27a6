"""Pairs that another process makes while the training runs: a bounded window of them on disk, the oldest out.

Which pairs a crop may come from is a function of the crop's number alone, so a stopped run sees the same crops when it goes on.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from StructDiffCore.domain import StructDiffError
from StructDiffCore.io.atomic import write_text

from .cases import PairFiles
from .pair_record import PairRecord
from .prepared import NOTE, PreparedCase
from .settings import CacheSettings

FIRST = 4
"""Pairs that are there before the first step."""
BESIDE = 2
"""Pairs on disk beside the window: one made ahead, one that another process of the run may still read."""
POLL_S = 0.3
FAILED = "failed.json"
GB = 10**9


class PairWorker(Protocol):
    """The process that makes pairs."""

    def ask(self, number: int) -> None:
        """Put a pair on its list."""

    def listen(self, seconds: float) -> None:
        """Wait for news at most so long; raises StructDiffError where it has failed or died."""

    def close(self) -> None:
        """End it, and clear what it has half done."""


class MadePairs:
    """The cache of made pairs: pair-000000, pair-000001, ... and the window of them that a crop may come from."""

    def __init__(
        self, folder: Path, cache: CacheSettings, identity: str, kin: frozenset[str], start: Callable[[], PairWorker]
    ) -> None:
        """``identity`` changes with anything that decides a pair; ``kin``: digests of the plans' templates."""
        self.folder, self.cache, self.identity, self.kin, self._start = folder, cache, identity, kin, start
        self.record, self.leads = PairRecord(folder), True
        self._worker: PairWorker | None = None
        self._born = time.time()
        self._asked: set[int] = set()
        self._cases: dict[int, PreparedCase] = {}

    @property
    def widest(self) -> int:
        """Pairs in a full window, unless the gigabytes end it earlier."""
        return self.cache.pairs - BESIDE

    def newest(self, sample: int) -> int:
        """The youngest pair that crop number ``sample`` of the stage may come from."""
        return min(FIRST, self.widest) - 1 + sample // self.cache.uses

    def window(self, sample: int) -> range:
        """The pairs that the crop may come from; their sizes are known once ``waited`` has passed the crop."""
        newest = self.newest(sample)
        return range(self._oldest(newest)[0], newest + 1)

    def case(self, number: int) -> PreparedCase:
        """A pair that is there."""
        if number not in self._cases:
            place = self._place(number)
            told = self.record.read().get(number, {})
            files = PairFiles(place.name, place / "image.npy", place / "classes.npy", parents=tuple(told.get("parents", ())))
            self._cases[number] = PreparedCase(place, files)
        return self._cases[number]

    def waited(self, samples: range, last: int, drawn: Callable[[int], int | None]) -> Iterator[int]:
        """Wait until the crops ``samples`` can be read, handing out how many pairs are made; then clear and look ahead.

        ``drawn``: the pair that a crop comes from, None where it comes from a folder; ``last``: the stage's last crop.
        """
        for sample in samples:
            yield from self._sized(self.newest(sample))
            number = drawn(sample)
            if number is not None:
                yield from self._there(number)
        if self.leads:
            self._evict(max(0, samples.start - 2 * len(samples)), self.newest(samples[-1]))
            if self.newest(samples[-1]) < self.newest(last):
                self._ask(self.newest(samples[-1]) + 1)

    def seconds_left(self, last: int) -> float | None:
        """How long the pairs still to be made will take; None before the first."""
        told = [one["seconds"] for one in self.record.read().values() if "seconds" in one]
        return None if not told else round(median(told[-16:]) * max(0, self.newest(last) + 1 - len(self.record.read())), 1)

    def words(self) -> list[str]:
        """How many pairs were made, and how many of them did not pass the brightness verdict."""
        told = self.record.read().values()
        off = sum(one.get("quality") != "pass" for one in told)
        return [f"{len(told)} pairs made on the fly; {off} of them off in brightness against the template"] if told else []

    def close(self) -> None:
        """End the process that makes pairs; what it has made stays."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None
        self._asked.clear()

    def _sized(self, newest: int) -> Iterator[int]:
        """Make the pairs of the window whose size nobody knows."""
        known = self.record.read()
        for number in range(max(0, newest - FIRST + 1), newest + 1):
            if number not in known:
                self._ask(number)
        while (unknown := self._oldest(newest)[1]) is not None:
            yield from self._made(unknown, lambda number: number in self.record.read())

    def _there(self, number: int) -> Iterator[int]:
        yield from self._made(number, lambda number: (self._place(number) / NOTE).is_file())

    def _made(self, number: int, done: Callable[[int], bool]) -> Iterator[int]:
        while not done(number):
            self._ask(number)
            self._pause()
            yield len(self.record.read())
        self._asked.discard(number)

    def _oldest(self, newest: int) -> tuple[int, int | None]:
        """The first pair of the window that ends at ``newest``, and the first one met whose size is not known."""
        known, total, most = self.record.read(), 0, 0
        for number in range(newest, max(-1, newest - self.widest), -1):
            if number not in known:
                return number, number
            size = int(known[number]["bytes"])
            total, most = total + size, max(most, size)
            if total + BESIDE * most > self.cache.gigabytes * GB:
                if number == newest:
                    raise _too_small(size, self.cache)
                return number + 1, None
        return max(0, newest - self.widest + 1), None

    def _ask(self, number: int) -> None:
        if not self.leads or number in self._asked:
            return
        if self._worker is None:
            self._clear_strangers()
        if (self._place(number) / NOTE).is_file():
            return
        self._worker = self._worker or self._start()
        self._worker.ask(number)
        self._asked.add(number)

    def _pause(self) -> None:
        """Wait a moment for the worker; its failure becomes everybody's."""
        if not self.leads or self._worker is None:
            _sleep_unless_failed(self.folder / FAILED, self._born)
            return
        try:
            self._worker.listen(POLL_S)
        except StructDiffError as error:
            told = {"fact": error.fact, "remedy": error.remedy, "category": error.category}
            write_text(self.folder / FAILED, json.dumps(told) + "\n")
            raise

    def _evict(self, earliest: int, newest: int) -> None:
        """Remove pairs that no crop from ``earliest`` on can come from, and, above the limits, those made too far ahead."""
        first = self._oldest(self.newest(earliest))[0]
        here = sorted(int(path.name.removeprefix("pair-")) for path in self.folder.glob("pair-*"))
        for number in here:
            if number < first:
                self._remove(number)
        ahead = [number for number in here if number > newest + 1]
        kept = [number for number in here if first <= number <= newest + 1]
        for number in ahead[max(0, self.cache.pairs - len(kept)) :]:
            self._remove(number)

    def _clear_strangers(self) -> None:
        """An earlier failure, and pairs that a killed run had no time to record."""
        (self.folder / FAILED).unlink(missing_ok=True)
        for path in self.folder.glob("pair-*"):
            if int(path.name.removeprefix("pair-")) not in self.record.read():
                shutil.rmtree(path, ignore_errors=True)

    def _remove(self, number: int) -> None:
        self._cases.pop(number, None)
        self._asked.discard(number)
        shutil.rmtree(self._place(number), ignore_errors=True)

    def _place(self, number: int) -> Path:
        return self.folder / pair_name(number)


def pair_name(number: int) -> str:
    """Folder of a made pair."""
    return f"pair-{number:06d}"


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder."""
    return sum(path.stat().st_size for path in folder.iterdir())


def _too_small(size: int, cache: CacheSettings) -> StructDiffError:
    return StructDiffError(
        f"a pair takes {size / GB:.3g} GB and the cache may hold {cache.gigabytes:g} GB, less than {1 + BESIDE} pairs",
        "raise cache.gigabytes, or make smaller masks",
    )


def _sleep_unless_failed(note: Path, since: float) -> None:
    """Another process of the run has the worker; a failure that it told before ``since`` is an earlier run's."""
    time.sleep(POLL_S)
    if note.is_file() and note.stat().st_mtime >= since:
        told: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
        raise StructDiffError(told["fact"], told["remedy"], told["category"])
