"""What a person sees on stderr while a job runs: stage, bar, time left."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from StructDiffCore.config.messages import Event

Show = Callable[["Event"], None]
PLAIN_INTERVAL_S = 5.0


@contextlib.contextmanager
def view(quiet: bool) -> Iterator[Show]:
    """A function that shows events: nothing if quiet, a live bar on a terminal, else a line every few seconds."""
    if quiet:
        yield lambda event: None
    elif sys.stderr.isatty():
        with _live_bar() as progress:
            yield _BarView(progress)
    else:
        yield _PlainView(sys.stderr)


def _live_bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}"),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)


class _BarView:
    """One bar, renamed as the stages go by."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID = progress.add_task("starting", total=None, left="")

    def __call__(self, event: Event) -> None:
        if event.event == "progress":
            told = event.payload
            left = duration(told["eta_s"]) + " left" if told["eta_s"] is not None else ""
            self._progress.update(
                self._task, description=told["stage"], completed=told["done"], total=told["total"] or None, left=left
            )
        elif event.event == "log":
            self._progress.console.print(event.payload["message"], highlight=False, markup=False)


class _PlainView:
    """For logs and pipes: at most one line every few seconds, none for a job that is refused at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = time.monotonic()

    def __call__(self, event: Event) -> None:
        if event.event != "progress" or time.monotonic() - self._last < PLAIN_INTERVAL_S:
            return
        told = event.payload
        left = f", {duration(told['eta_s'])} left" if told["eta_s"] is not None else ""
        print(f"{told['stage']} {told['done']}/{told['total']}{left}", file=self._stream, flush=True)
        self._last = time.monotonic()


def duration(seconds: float) -> str:
    """ "45 s", "3 min 20 s", "2 h 05 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
