"""Work: items of minutes or less, each made once, whole or absent, by whichever of several processes comes first."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from StructDiffCore.io.atomic import write_text

DONE = "done.json"
SPENT = "spent.json"
WAIT_S = 2.0
SAME_START_S = 60.0
"""A process that began further from what its claim says is another one with its number."""
EXPECTED_S = {
    "patient": 3.0,
    "pair": 20.0,
    "detailed": 20.0,
    "gaussians": 10.0,
    "warped": 3.0,
    "augmented": 2.0,
    "training": 170.0,
    "test": 3.0,
}
"""Of each kind of item, until one was measured."""


class TimeIsUp(Exception):
    """Raised by an item that stopped at a checkpoint."""


@dataclass(frozen=True)
class Clock:
    """When to stop: a moment of ``time.monotonic``, or never."""

    deadline: float | None = None

    @classmethod
    def of_minutes(cls, minutes: float | None) -> Clock:
        return cls(None if minutes is None else time.monotonic() + 60 * minutes)

    @property
    def is_up(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline


@dataclass(frozen=True)
class Item:
    """A unit of work that leaves a folder."""

    kind: str
    """Key of ``EXPECTED_S``."""
    name: str
    """Its folder below the root."""
    make: Callable[[Path, Clock], None]
    needs: tuple[str, ...] = ()
    """Names of items that come first."""
    in_place: bool = False
    """Works in its final folder and goes on there after a stop; else in a folder that is renamed at the end."""


@dataclass(frozen=True)
class Workshop:
    """The folder where items are made."""

    root: Path
    known: dict[str, float] = field(default_factory=dict)
    """Seconds of the items that are known to be done, by name."""

    def is_done(self, item: Item) -> bool:
        if item.name not in self.known:
            path = os.path.join(self.root, item.name, DONE)  # thousands are asked for between two items
            if not os.path.exists(path):
                return False
            self.known[item.name] = float(json.loads(Path(path).read_text(encoding="utf-8"))["seconds"])
        return True

    def make(self, item: Item, clock: Clock) -> float:
        """Make an item (nobody else may be at it); returns its seconds. An interrupted one leaves nothing that counts as done."""
        final, began = self.root / item.name, time.perf_counter()
        place = final if item.in_place else final.with_name(f".{final.name}.{os.getpid()}.partial")
        if not item.in_place:
            shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True, exist_ok=True)
        try:
            item.make(place, clock)
            seconds = time.perf_counter() - began + self._spent(final)
            write_text(place / DONE, json.dumps({"kind": item.kind, "seconds": round(seconds, 2)}) + "\n")
            if not item.in_place:
                shutil.rmtree(final, ignore_errors=True)
                os.replace(place, final)
        except TimeIsUp:
            if item.in_place:
                write_text(final / SPENT, json.dumps(self._spent(final) + time.perf_counter() - began))
            raise
        finally:
            if not item.in_place:
                shutil.rmtree(place, ignore_errors=True)
        return seconds

    def _spent(self, final: Path) -> float:
        """Seconds of earlier stretches of an item that was stopped."""
        path = final / SPENT
        return float(json.loads(path.read_text())) if path.is_file() else 0.0

    @contextmanager
    def claim(self, item: Item) -> Iterator[bool]:
        """Whether this process may make the item; a claim of a process that is gone counts for nothing."""
        path = self.root / "claims" / item.name.replace("/", "+")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file() and not _alive(path):
            path.unlink(missing_ok=True)
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            yield False
            return
        try:
            with os.fdopen(handle, "w") as file:
                file.write(_own_mark())
            yield True
        finally:
            path.unlink(missing_ok=True)

    def seconds_of(self, items: Sequence[Item]) -> dict[str, float]:
        """Median seconds per kind, measured where any was finished."""
        found: dict[str, list[float]] = {}
        for item in items:
            if self.is_done(item):
                found.setdefault(item.kind, []).append(self.known[item.name])
        return {kind: statistics.median(found[kind]) if kind in found else guess for kind, guess in EXPECTED_S.items()}


@dataclass(frozen=True)
class Made:
    """Progress: an item was finished."""

    item: Item
    seconds: float
    done: int
    total: int
    seconds_left: float
    """Of one process."""


def work(shop: Workshop, plan: Callable[[], Sequence[Item]], clock: Clock) -> Iterator[Made]:
    """Make all items of the plan, which is asked again after each, in its order; ends when all are done or time is up.

    An item whose needs are not done, or that another process is at, is left for later.
    """
    while not clock.is_up:
        items = plan()
        open_items = [item for item in items if not shop.is_done(item)]
        if not open_items:
            return
        waiting = {item.name for item in open_items}
        ready = [item for item in open_items if not waiting.intersection(item.needs)]
        try:
            made = next((one for item in ready if (one := _made(shop, item, clock)) is not None), None)
        except TimeIsUp:
            return
        if made is None:
            time.sleep(WAIT_S)
            continue
        item, seconds = made
        left = [one for one in open_items if one is not item]
        pace = shop.seconds_of(items)
        yield Made(item, seconds, len(items) - len(left), len(items), sum(pace[one.kind] for one in left))


def _made(shop: Workshop, item: Item, clock: Clock) -> tuple[Item, float] | None:
    """The item with its seconds, or None where another process has it."""
    with shop.claim(item) as mine:
        if not mine or shop.is_done(item):
            return None
        return item, shop.make(item, clock)


def _own_mark() -> str:
    return json.dumps([os.getpid(), psutil.Process().create_time()])


def _alive(path: Path) -> bool:
    """Whether the process that wrote a claim still runs; a claim being written counts as alive for a moment."""
    try:
        pid, began = json.loads(path.read_text())
        return bool(abs(psutil.Process(pid).create_time() - began) < SAME_START_S)
    except (OSError, ValueError):
        return path.exists() and time.time() - path.stat().st_mtime < 5 * WAIT_S
    except psutil.NoSuchProcess:
        return False
