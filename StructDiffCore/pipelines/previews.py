"""Previews: small pictures of the running estimate, seldom enough to cost nothing that anyone would notice."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.config.messages import Event
from StructDiffCore.domain import StructDiffError
from StructDiffCore.io.atomic import written
from StructDiffCore.pictures.preview import PreviewView

if TYPE_CHECKING:
    from StructDiffCore.synthesis.prepared import Prepared
    from StructDiffCore.synthesis.running_estimate import RunningEstimate

SHORTEST_INTERVAL_S = 2.0
PARTS = 4
"""At most so many previews per sample."""


class Previews:
    """One sample's previews: at most one per quarter of the steps, and one in two seconds."""

    def __init__(self, place: Path, view: PreviewView, sample: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._place = place
        self._view = view
        self._sample = sample
        self._clock = clock
        self._last = clock()
        self._part = 0

    @classmethod
    def of(cls, place: Path, prepared: Prepared, sample: int) -> Previews:
        """Previews in the folder ``place``, through the middle of the target's labels."""
        return cls(place, PreviewView(prepared.geometry, middle_of(prepared.source.target_labels)), sample)

    def event(self, estimate: RunningEstimate) -> Event | None:
        """A ``preview`` event whose picture is written, or None where it is too early for one or the disk is full."""
        part = PARTS * (estimate.index + 1) // estimate.total
        if estimate.index == 0:
            self._part = 0
        if part <= self._part or self._clock() - self._last < SHORTEST_INTERVAL_S:
            return None
        path = self._place / f"sample-{self._sample:03d}-step-{estimate.index + 1:03d}.png"
        with contextlib.suppress(OSError, StructDiffError):
            with written(path) as temporary:
                temporary.write_bytes(self._view.picture(estimate.plane))
            self._part, self._last = part, self._clock()
            return preview(path, self._sample, estimate.index + 1, estimate.total)
        return None


def preview(path: Path, sample: int, step: int, steps: int, final: bool = False) -> Event:
    """A picture to show meanwhile. What is not ``final`` is removed when the job ends."""
    return Event("preview", {"path": str(path), "final": final, "sample": sample, "step": step, "steps": steps})


def middle_of(labels: NDArray[np.integer]) -> tuple[int, int, int]:
    """Index of the middle of the labels' bounding box; of the volume where nothing is labelled."""
    found = labels > 0
    spans = [np.flatnonzero(found.any(axis=tuple(other for other in range(3) if other != axis))) for axis in range(3)]
    i, j, k = (int(span[0] + span[-1]) // 2 if len(span) else n // 2 for span, n in zip(spans, labels.shape))
    return i, j, k
