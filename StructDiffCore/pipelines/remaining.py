"""Time left, from the measured time per network call."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from statistics import median


class RemainingTime:
    """Seconds left of equal calls: median time of the last calls times the calls to go. The clock starts at birth."""

    def __init__(self, total: int = 0, done: int = 0, window: int = 16, clock: Callable[[], float] = time.monotonic) -> None:
        self.total = total
        self._durations: deque[float] = deque(maxlen=window)
        self._clock = clock
        self._last = clock()
        self._done = done

    def tick(self, done: int, total: int | None = None) -> float | None:
        """Note that ``done`` calls are finished; seconds left, or None before the first one is.

        ``total`` corrects what was said at birth, where that is learned only during the work.
        Fewer calls than before mean that the work began anew (with smaller tiles): old durations are forgotten.
        """
        now = self._clock()
        self.total = self.total if total is None else total
        if done < self._done:
            self._durations.clear()
            self._done = done - 1
        if done > self._done:
            self._durations.append((now - self._last) / (done - self._done))
            self._last, self._done = now, done
        return round(median(self._durations) * (self.total - done), 1) if self._durations else None
