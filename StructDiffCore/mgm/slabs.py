"""Slabs: a kernel that releases the interpreter runs on several parts of a grid at once; the result is the same in any order."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

THREADS = 2
SLABS = 8


def in_slabs(work: Callable[[int, int], None], start: int, stop: int) -> None:
    """Call ``work(first, last)`` for stretches that make up ``start`` to ``stop``."""
    edges = np.linspace(start, max(start, stop), SLABS + 1).astype(int).tolist()
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(work, edges[:-1], edges[1:]))
