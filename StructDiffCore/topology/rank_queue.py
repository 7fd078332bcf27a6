"""Rank queue: a set of ranks 0..n-1 whose smallest is found in a few steps, whatever n (a tree of 64-bit words).

Each level holds one bit per word of the level below: set where that word is not empty.
"""

from __future__ import annotations

import numpy as np

from StructDiffCore.config.compiled import njit

DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_SHIFTED = [(int(DE_BRUIJN) << bit & 2**64 - 1) >> 58 for bit in range(64)]
LOWEST_BIT = np.array([_SHIFTED.index(pattern) for pattern in range(64)], np.int64)
"""Number of the lowest set bit, by the six bits that a de Bruijn sequence shows there (Leiserson 1998)."""
_ONE, _TOP = np.uint64(1), np.uint64(58)


@njit(cache=True, nogil=True)
def empty_queue(size):  # type: ignore[no-untyped-def]
    """Words (m,) uint64 and where each level begins in them (levels + 1,)."""
    first = [0]
    while True:
        size = (size + 63) // 64
        first.append(first[-1] + size)
        if size <= 1:
            break
    return np.zeros(max(1, first[-1]), np.uint64), np.array(first)


@njit(cache=True, nogil=True)
def push(words, first, rank):  # type: ignore[no-untyped-def]
    """Put a rank into the set (nothing happens if it is there)."""
    for level in range(len(first) - 1):
        at = first[level] + (rank >> 6)
        before = words[at]
        words[at] = before | (_ONE << np.uint64(rank & 63))
        if before != 0:
            return
        rank >>= 6


@njit(cache=True, nogil=True)
def pop(words, first):  # type: ignore[no-untyped-def]
    """Take the smallest rank out; -1 where the set is empty."""
    rank = 0
    for level in range(len(first) - 2, -1, -1):
        word = words[first[level] + rank]
        if word == 0:
            return -1
        lowest = word & (~word + _ONE)
        rank = (rank << 6) | LOWEST_BIT[np.int64((lowest * DE_BRUIJN) >> _TOP)]
    left = rank
    for level in range(len(first) - 1):
        at = first[level] + (left >> 6)
        words[at] &= ~(_ONE << np.uint64(left & 63))
        if words[at] != 0:
            break
        left >>= 6
    return rank
