"""All 2^26 answers of ``is_simple`` as one bit each: for loops that ask millions of times (about ten times faster)."""

from __future__ import annotations

import lzma
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.config.compiled import njit

from .simple_points import is_simple

TABLE_FILE = Path(__file__).with_name("simple_points.xz")


@cache
def simple_table() -> NDArray[np.uint8]:
    """The shipped table (2^23,) uint8; bit ``n % 8`` of byte ``n // 8`` answers neighbourhood n."""
    return np.frombuffer(lzma.decompress(TABLE_FILE.read_bytes()), np.uint8)


@njit(cache=True, inline="always")
def looked_up(table: NDArray[np.uint8], bits: np.uint32) -> bool:
    """``is_simple(bits)`` from the table."""
    return (table[bits >> np.uint32(3)] >> np.uint8(bits & np.uint32(7))) & np.uint8(1) != 0


def write_table(path: Path = TABLE_FILE) -> None:
    """Compute the table anew (half a minute) and store it compressed."""
    path.write_bytes(lzma.compress(_computed().tobytes(), preset=9))


@njit
def _computed() -> NDArray[np.uint8]:
    table = np.zeros(1 << 23, np.uint8)
    for bits in range(1 << 26):
        if is_simple(np.uint32(bits)):
            table[bits >> 3] |= np.uint8(1 << (bits & 7))
    return table
