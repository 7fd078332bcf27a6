"""RunningVariance: mean and variance of a stream of tensors in the memory of two."""

from __future__ import annotations

import torch
from torch import Tensor


class RunningVariance:
    """Welford's algorithm (Welford 1962; Knuth, TAOCP 2, section 4.2.2): no estimate is kept, and no cancellation occurs."""

    def __init__(self) -> None:
        self.count = 0
        self._mean: Tensor | None = None
        self._squares: Tensor | None = None

    def add(self, values: Tensor) -> None:
        """Take in one tensor; all must have one shape."""
        self.count += 1
        if self._mean is None or self._squares is None:
            self._mean, self._squares = values.clone(), torch.zeros_like(values)
            return
        before = values - self._mean
        self._mean.add_(before, alpha=1 / self.count)
        self._squares.addcmul_(before, values - self._mean)

    def variance(self) -> Tensor | None:
        """Unbiased variance (divided by count - 1); None below two tensors."""
        if self._squares is None or self.count < 2:
            return None
        return self._squares / (self.count - 1)
