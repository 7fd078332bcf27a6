"""ConditionTensors: conditions of one batch as the network reads them (HU and mm brought to about unit spread)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from .conditioning import ConditionMaps

MAP_NAMES = ("prior", "edge_distance", "thin_distance", "template", "template_residual", "template_known")
HU_SCALE = 500.0
RESIDUAL_SCALE_HU = 100.0
DISTANCE_SCALE_MM = 2.0


@dataclass(frozen=True, eq=False)
class ConditionTensors:
    """What the condition encoder takes."""

    maps: Tensor
    """[B, 6, I, J, K]: the maps of MAP_NAMES, scaled."""
    occupancy: Tensor
    """[B, S, I/2, J/2, K/2]: share of each 2x2x2 block that a slot fills; unused slots are 0."""
    codes: Tensor
    """[B, S, CODE_LENGTH]: each slot's region code."""

    def to(self, device: torch.device | str) -> ConditionTensors:
        return ConditionTensors(*(getattr(self, f.name).to(device) for f in fields(self)))


def condition_tensors(conditions: Sequence[ConditionMaps]) -> ConditionTensors:
    """Stack conditions of one shape (even sizes) into a batch."""
    slots = max(len(condition.codes) for condition in conditions)
    return ConditionTensors(
        torch.stack([_maps(condition) for condition in conditions]),
        torch.stack([_occupancy(np.asarray(condition.slots), slots) for condition in conditions]),
        torch.stack([_padded(np.asarray(condition.codes, np.float32), slots) for condition in conditions]),
    )


def _maps(condition: ConditionMaps) -> Tensor:
    residual = np.clip((condition.template_hu - condition.template_prior_hu) / RESIDUAL_SCALE_HU, -8, 8)
    maps = (
        np.clip(condition.prior_hu, -1100, 3000) / HU_SCALE,
        np.tanh(condition.edge_distance_mm / DISTANCE_SCALE_MM),
        np.tanh(condition.thin_distance_mm / DISTANCE_SCALE_MM),
        np.clip(condition.template_hu, -1100, 3000) / HU_SCALE,
        residual,
        condition.template_known,
    )
    return torch.from_numpy(np.stack(maps).astype(np.float32))


def _occupancy(slots: np.ndarray, count: int) -> Tensor:
    """[count, I/2, J/2, K/2]: how much of every 2x2x2 block belongs to each slot, 0 to 1."""
    i, j, k = slots.shape
    blocks = slots.reshape(i // 2, 2, j // 2, 2, k // 2, 2).transpose(1, 3, 5, 0, 2, 4).reshape(8, -1)
    index = torch.from_numpy(np.ascontiguousarray(blocks, dtype=np.int64))
    filled = torch.zeros(count, index.shape[1])
    filled.scatter_add_(0, index, torch.full(index.shape, 1 / 8))
    return filled.reshape(count, i // 2, j // 2, k // 2)


def _padded(codes: np.ndarray, slots: int) -> Tensor:
    return torch.from_numpy(np.pad(codes, ((0, slots - len(codes)), (0, 0))))
