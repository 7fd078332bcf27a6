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


@dataclass(frozen=True, eq=False)
class RunningEstimate:
    """The clean estimate after step ``index`` of ``total``."""

    index: int
    total: int
    residual: Tensor
    """(i, j, k) on the padded grid."""
    condition: Condition
    to_hu: Callable[[Tensor, Tensor], Tensor]

    def plane(self, axis: int, at: int) -> NDArray[np.float32]:
        """The plane of index ``at`` across ``axis``, in HU: the two other axes in their order."""
        start = [0, 0, 0]
        start[axis] = at
        shape = list(self.condition.shape)
        shape[axis] = 1
        prior = torch.from_numpy(np.array(self.condition.crop(_index(start), _index(shape)).prior_hu))
        box = tuple(slice(s, s + n) for s, n in zip(start, shape))
        return np.asarray(self.to_hu(self.residual[box], prior).squeeze(axis).numpy())


def _index(values: list[int]) -> Index:
    i, j, k = values
    return i, j, k


OnEstimate = Callable[[RunningEstimate], None]
