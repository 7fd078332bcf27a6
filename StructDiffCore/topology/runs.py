"""Runs: a structure as stretches of voxels along k, row by row. Everything that is counted is counted on them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.config.compiled import njit

Integers = NDArray[np.int64]
Ends = NDArray[np.int32]
Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class Runs:
    """One structure on rows (ni, nj); run r of row (i, j) covers k from ``start[r]`` up to, not including, ``stop[r]``."""

    corner: tuple[int, int]
    """Index (i, j) of the first row in the volume."""
    rows: tuple[int, int]
    first: Integers
    """(ni nj + 1,): number of the first run of each row."""
    start: Ends
    stop: Ends

    @property
    def voxels(self) -> int:
        return int((self.stop - self.start).sum(dtype=np.int64))

    @cached_property
    def row_of_run(self) -> Integers:
        """Row number (flat, within this box) of every run."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))

    def box(self) -> Box:
        """Smallest box of the volume that holds all runs; there must be one."""
        i, j = np.divmod(self.row_of_run, self.rows[1])
        spans = (i + self.corner[0], j + self.corner[1])
        sides = [slice(int(span.min()), int(span.max()) + 1) for span in spans]
        return sides[0], sides[1], slice(int(self.start.min()), int(self.stop.max()))

    def complement(self) -> Runs:
        """What is left of the box grown by one voxel to each side."""
        k_low, k_high = int(self.start.min()) - 1, int(self.stop.max()) + 1
        first, start, stop = _complement(*self.rows, self.first, self.start, self.stop, k_low, k_high)
        corner = (self.corner[0] - 1, self.corner[1] - 1)
        return Runs(corner, (self.rows[0] + 2, self.rows[1] + 2), first, start, stop)

    def gaps(self) -> Runs:
        """What lies between consecutive runs of a row."""
        same_row = np.diff(self.row_of_run) == 0
        counts = np.bincount(self.row_of_run[1:][same_row], minlength=len(self.first) - 1)
        first = np.concatenate([[0], np.cumsum(counts)])
        return Runs(self.corner, self.rows, first, self.stop[:-1][same_row], self.start[1:][same_row])

    def only(self, chosen: NDArray[np.bool_]) -> Runs:
        """The runs for which ``chosen`` (n,) holds, on the same rows."""
        before = np.concatenate([[0], np.cumsum(chosen)])
        return Runs(self.corner, self.rows, before[self.first], self.start[chosen], self.stop[chosen])

    def painted(self, box: Box) -> NDArray[np.bool_]:
        """The structure as voxels (i, j, k) of a box of the volume."""
        canvas = np.zeros([side.stop - side.start for side in box], np.bool_)
        shift = (self.corner[0] - box[0].start, self.corner[1] - box[1].start)
        _paint(canvas, self.rows[1], self.row_of_run, self.start, self.stop, shift, box[2].start)
        return canvas


@dataclass(frozen=True, eq=False)
class LabelRuns:
    """All labels of a map as runs; the volume is not needed any more."""

    shape: tuple[int, int, int]
    first: Integers
    start: Ends
    stop: Ends
    value: NDArray[np.int32]

    @classmethod
    def of(cls, voxels: NDArray[np.integer]) -> LabelRuns:
        """Runs of an integer (i, j, k) array; 0 is background."""
        rows = np.ascontiguousarray(voxels).reshape(-1, voxels.shape[2])
        return cls(tuple(voxels.shape), *_encoded(rows))

    @cached_property
    def values(self) -> tuple[int, ...]:
        """Labels present."""
        return tuple(np.flatnonzero(np.bincount(self.value)).tolist()) if len(self.value) else ()

    def of_value(self, *values: int) -> Runs:
        """The structure of one label, or of several taken together, on its own rows."""
        wanted = np.zeros(1 + max([*self.values, *values]), np.bool_)
        wanted[list(values)] = True
        low_i, high_i, low_j, high_j = _row_box(self.shape[1], self.first, self.value, wanted)
        first, start, stop = _selected(
            self.shape[1], self.first, self.start, self.stop, self.value, wanted, (low_i, high_i, low_j, high_j)
        )
        return Runs((low_i, low_j), (high_i - low_i, high_j - low_j), first, start, stop)

    def updated(self, voxels: NDArray[np.integer], box: Box) -> tuple[LabelRuns, tuple[int, ...]]:
        """The runs after an edit inside ``box``, and the labels it has changed; only the box's rows are read."""
        nj = self.shape[1]
        inside = (np.arange(self.shape[0])[box[0], None] * nj + np.arange(nj)[box[1]]).ravel()
        fresh = _encoded(np.ascontiguousarray(voxels[box[:2]]).reshape(-1, voxels.shape[2]))
        spliced = _spliced(inside, (self.first, self.start, self.stop, self.value), fresh)
        return LabelRuns(self.shape, *spliced), _changed(self._rows(inside), fresh[1:])

    def _rows(self, rows: Integers) -> tuple[NDArray, NDArray, NDArray]:
        numbers = _numbers_of(rows, self.first)
        return self.start[numbers], self.stop[numbers], self.value[numbers]


def runs_of(structure: NDArray[np.bool_]) -> Runs:
    """Runs of a boolean (i, j, k) array, which must not be empty."""
    return LabelRuns.of(structure.view(np.uint8)).of_value(1)


def _changed(before: tuple[NDArray, ...], after: tuple[NDArray, ...]) -> tuple[int, ...]:
    """Values whose runs differ; both sides list the same rows in order."""
    found = []
    for value in np.union1d(before[2], after[2]):
        old, new = ([part[side[2] == value] for part in side[:2]] for side in (before, after))
        if not all(np.array_equal(a, b) for a, b in zip(old, new)):
            found.append(int(value))
    return tuple(found)


@njit(cache=True)
def _encoded(rows):  # type: ignore[no-untyped-def]  # one of several integer types
    """First run of each row, start, stop and value of every run of equal non-zero values."""
    count, length = rows.shape
    first = np.zeros(count + 1, np.int64)
    for r in range(count):
        row = rows[r]
        found = np.int64(row[0] != 0)
        for k in range(1, length):
            found += (row[k] != row[k - 1]) & (row[k] != 0)
        first[r + 1] = first[r] + found
    start, stop = np.empty(first[-1], np.int32), np.empty(first[-1], np.int32)
    value = np.empty(first[-1], np.int32)
    for r in range(count):
        at = first[r]
        if at == first[r + 1]:
            continue
        row = rows[r]
        before = row[0] * 0
        for k in range(length):
            now = row[k]
            if now == before:
                continue
            if before:
                stop[at] = k
                at += 1
            if now:
                start[at] = k
                value[at] = now
            before = now
        if before:
            stop[at] = length
    return first, start, stop, value


@njit(cache=True)
def _row_box(nj, first, value, wanted):  # type: ignore[no-untyped-def]
    low_i, high_i, low_j, high_j = len(first), -1, nj, -1
    for row in range(len(first) - 1):
        for r in range(first[row], first[row + 1]):
            if wanted[value[r]]:
                i, j = row // nj, row % nj
                low_i, high_i, low_j, high_j = min(low_i, i), max(high_i, i), min(low_j, j), max(high_j, j)
                break
    if high_i < 0:
        return 0, 0, 0, 0
    return low_i, high_i + 1, low_j, high_j + 1


@njit(cache=True)
def _selected(nj, first, start, stop, value, wanted, box):  # type: ignore[no-untyped-def]
    """Runs of the wanted values in the rows of a box; runs of two wanted values that meet become one."""
    low_i, high_i, low_j, high_j = box
    new_first = np.zeros((high_i - low_i) * (high_j - low_j) + 1, np.int64)
    bound = 0
    for r in range(len(value)):
        bound += wanted[value[r]]
    new_start, new_stop = np.empty(bound, np.int32), np.empty(bound, np.int32)
    at = row = 0
    for i in range(low_i, high_i):
        for j in range(low_j, high_j):
            begin = at
            for r in range(first[i * nj + j], first[i * nj + j + 1]):
                if not wanted[value[r]]:
                    continue
                if at > begin and new_stop[at - 1] == start[r]:
                    new_stop[at - 1] = stop[r]
                else:
                    new_start[at], new_stop[at] = start[r], stop[r]
                    at += 1
            row += 1
            new_first[row] = at
    return new_first, new_start[:at], new_stop[:at]


@njit(cache=True)
def _complement(ni, nj, first, start, stop, k_low, k_high):  # type: ignore[no-untyped-def]
    bound = len(start) + (ni + 2) * (nj + 2)
    new_first = np.zeros((ni + 2) * (nj + 2) + 1, np.int64)
    new_start, new_stop = np.empty(bound, np.int32), np.empty(bound, np.int32)
    at = row = 0
    for i in range(-1, ni + 1):
        for j in range(-1, nj + 1):
            k = k_low
            if 0 <= i < ni and 0 <= j < nj:
                for r in range(first[i * nj + j], first[i * nj + j + 1]):
                    new_start[at], new_stop[at] = k, start[r]
                    at += 1
                    k = stop[r]
            new_start[at], new_stop[at] = k, k_high
            at += 1
            row += 1
            new_first[row] = at
    return new_first, new_start[:at], new_stop[:at]


@njit(cache=True)
def _paint(canvas, nj, row_of_run, start, stop, shift, k_low):  # type: ignore[no-untyped-def]
    ni, nj_canvas, nk = canvas.shape
    for r in range(len(start)):
        i, j = row_of_run[r] // nj + shift[0], row_of_run[r] % nj + shift[1]
        if 0 <= i < ni and 0 <= j < nj_canvas:
            canvas[i, j, max(0, start[r] - k_low) : max(0, min(nk, stop[r] - k_low))] = True


def _numbers_of(rows: Integers, first: Integers) -> Integers:
    """Numbers of all runs in the given rows, in order."""
    counts = first[rows + 1] - first[rows]
    ends = np.cumsum(counts)
    return np.repeat(first[rows] - (ends - counts), counts) + np.arange(int(counts.sum()))


def _spliced(rows: Integers, old: tuple[NDArray, ...], fresh: tuple[NDArray, ...]) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """The old runs with those of some rows replaced."""
    counts = np.diff(old[0])
    counts[rows] = np.diff(fresh[0])
    first = np.concatenate([[0], np.cumsum(counts)])
    place = _numbers_of(rows, first)
    keep = np.ones(len(old[1]), np.bool_)
    keep[_numbers_of(rows, old[0])] = False
    free = np.ones(first[-1], np.bool_)
    free[place] = False
    parts = []
    for before, after in zip(old[1:], fresh[1:]):
        part = np.empty(first[-1], before.dtype)
        part[free], part[place] = before[keep], after
        parts.append(part)
    return first, parts[0], parts[1], parts[2]
