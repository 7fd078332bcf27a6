"""nnU-Net's loss with our voxel weights in it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..losses import weighted_cross_entropy
from ..weights import normalised, trust_of


class TrustingLoss(nn.Module):
    """nnU-Net's cross-entropy + Dice, each voxel weighted by w = 1 - rho (1 - confidence), normalised per class.

    A patch that is trusted throughout goes to nnU-Net's own loss, untouched. Else the weights are the mask of nnU-Net's Dice
    (which multiplies every sum by it) and those of our cross-entropy; ignored voxels have weight 0. The two agree to rounding.
    """

    plain: Any
    """nnU-Net's DC_and_CE_loss."""

    def __init__(self, plain: nn.Module, ignore_label: int | None = None) -> None:
        super().__init__()
        self.plain = plain
        self.ignore_label = ignore_label
        self.rho = 0.0
        """How far confidence counts."""

    def forward(self, scores: Tensor, target: Tensor) -> Tensor:
        """Loss of logits [B, C, ...] against class numbers [B, 1, ...], or class numbers and confidences [B, 2, ...]."""
        labels = target[:, :1]
        if target.shape[1] == 1:
            return self.plain(scores, labels)
        trust = trust_of(target[:, 1], self.rho)
        known = torch.ones_like(trust, dtype=torch.bool) if self.ignore_label is None else labels[:, 0] != self.ignore_label
        if bool((trust[known] == 1).all()):
            return self.plain(scores, labels)
        return self._weighted(scores, torch.where(known, labels[:, 0], 0).long(), torch.where(known, trust, 0.0))

    def _weighted(self, scores: Tensor, classes: Tensor, trust: Tensor) -> Tensor:
        weight = normalised(trust, classes, scores.shape[1])
        even = torch.ones(scores.shape[1], device=scores.device)
        entropy = weighted_cross_entropy(scores, classes, even, weight)
        dice = self.plain.dc(scores, classes[:, None], loss_mask=weight[:, None])
        return self.plain.weight_ce * entropy + self.plain.weight_dice * dice
