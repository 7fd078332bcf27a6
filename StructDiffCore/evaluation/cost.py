"""What a piece of work costs: seconds and peak memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

SAMPLE_EVERY_S = 0.02


@dataclass
class Cost:
    """Filled when the block ends. Memory is the whole process's, sampled every 20 ms."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Of all threads of the process; other work on the machine does not stretch it much."""
    peak_gib: float = 0.0


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure the enclosed block."""
    cost, process, done = Cost(), psutil.Process(), threading.Event()

    def look() -> None:
        cost.peak_gib = max(cost.peak_gib, process.memory_info().rss / 2**30)

    def watch() -> None:
        while not done.wait(SAMPLE_EVERY_S):
            look()

    watcher = threading.Thread(target=watch, daemon=True)
    look()
    watcher.start()
    begin, begin_cpu = time.perf_counter(), time.process_time()
    try:
        yield cost
    finally:
        cost.seconds, cost.cpu_seconds = time.perf_counter() - begin, time.process_time() - begin_cpu
        look()  # on a busy machine the watcher may not have had a turn
        done.set()
        watcher.join()
