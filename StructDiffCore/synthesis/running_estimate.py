"""RunningEstimate: the volume after a step of the sampler, made plane by plane, so that a look costs next to nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from StructDiffCore.models.conditioning import ConditionMaps

from .tiles import Index


class Condition(Protocol):
    """Finished maps or a source that makes them piece by piece."""

    @property
    def shape(self) -> Index: ...
    def crop(self, start: Index, shape: Index) -> ConditionMaps: ...


class PriorPlanes:
    """Planes of the painted prior in HU, each made once for all looks at one volume."""

    def __init__(self, condition: Condition) -> None:
        self._condition = condition
        self._made: dict[tuple[int, int], Tensor] = {}

    def box(self, axis: int, at: int) -> tuple[slice, slice, slice]:
        """The voxels of the plane of index ``at`` across ``axis``."""
        i, j, k = (slice(at, at + 1) if other == axis else slice(0, n) for other, n in enumerate(self._condition.shape))
        return i, j, k

    def of(self, axis: int, at: int) -> Tensor:
        """The prior there, shaped like the box."""
        if (axis, at) not in self._made:
            box = self.box(axis, at)
            start, shape = _index([s.start for s in box]), _index([s.stop - s.start for s in box])
            self._made[axis, at] = torch.from_numpy(np.array(self._condition.crop(start, shape).prior_hu))
        return self._made[axis, at]


@dataclass(frozen=True, eq=False)
class RunningEstimate:
    """The clean estimate after step ``index`` of ``total``."""

    index: int
    total: int
    residual: Tensor
    """(i, j, k) on the padded grid."""
    prior: PriorPlanes
    to_hu: Callable[[Tensor, Tensor], Tensor]

    def plane(self, axis: int, at: int) -> NDArray[np.float32]:
        """The plane of index ``at`` across ``axis``, in HU: the two other axes in their order."""
        hu = self.to_hu(self.residual[self.prior.box(axis, at)], self.prior.of(axis, at))
        return np.asarray(hu.squeeze(axis).numpy())


def _index(values: list[int]) -> Index:
    i, j, k = values
    return i, j, k


OnEstimate = Callable[[RunningEstimate], None]
