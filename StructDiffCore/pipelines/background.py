"""Long calls that report by callback, as a stream of events."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

from StructDiffCore.config.messages import Event
from StructDiffCore.domain import StructDiffError

Result = TypeVar("Result")
Emit = Callable[[Event], None]


class _Done(Generic[Result]):
    """What the thread came to: a result or an error."""

    def __init__(self, result: Result | None = None, error: BaseException | None = None) -> None:
        self.result = result
        self.error = error


def stream(work: Callable[[Emit], Result]) -> Generator[Event, None, Result]:
    """Run ``work(emit)`` in a thread, yield what it emits, return its result or raise its error.

    When the reader leaves (Ctrl-C, closed generator) the next ``emit`` raises ``cancelled`` inside the work, and the
    thread is waited for: nothing runs on behind the reader's back.
    """
    events: queue.Queue[Event | _Done[Result]] = queue.Queue()
    left = threading.Event()

    def emit(event: Event) -> None:
        if left.is_set():
            raise StructDiffError("cancelled", "", "cancelled")
        events.put(event)

    thread = threading.Thread(target=_guard, args=(work, emit, events), name="structdiff-work", daemon=True)
    thread.start()
    try:
        while not isinstance(item := _next(events), _Done):
            yield item
    finally:
        left.set()
        thread.join()
    if item.error is not None:
        raise item.error
    return item.result  # type: ignore[return-value]  # no error: there is a result


def _next(events: queue.Queue[Event | _Done[Result]]) -> Event | _Done[Result]:
    """The next item; wakes up now and then, since Windows delivers Ctrl-C only between waits."""
    while True:
        with contextlib.suppress(queue.Empty):
            return events.get(timeout=0.5)


def _guard(work: Callable[[Emit], Result], emit: Emit, events: queue.Queue[Event | _Done[Result]]) -> None:
    try:
        events.put(_Done(result=work(emit)))
    except BaseException as error:  # handed to the reading thread, which raises it
        events.put(_Done(error=error))
