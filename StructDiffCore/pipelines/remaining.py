"""Time left, from the measured time per network call."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from statistics import median


class RemainingTime:
    """Seconds left of ``total`` equal calls, ``done`` of them before now: median time of the last calls times the calls to go."""

    def __init__(self, total: int, done: int = 0, window: int = 16, clock: Callable[[], float] = time.monotonic) -> None:
        self.total = total
        self._durations: deque[float] = deque(maxlen=window)
        self._clock = clock
        self._last = clock()
        self._done = done

    def tick(self, done: int) -> float | None:
        """Note that ``done`` calls are finished; seconds left, or None before the first one is."""
        now, calls = self._clock(), done - self._done
        if calls > 0:
            self._durations.append((now - self._last) / calls)
            self._last, self._done = now, done
        return round(median(self._durations) * (self.total - done), 1) if self._durations else None
