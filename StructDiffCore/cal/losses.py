"""The loss of confidence-aware learning: weighted cross-entropy, soft Dice and, for thin classes, soft clDice [R].

Without a confidence it is the plain loss. A confidence of 1 gives the plain loss bit for bit. A voxel of trust 0 gets exactly no
gradient, and its label changes no bit of anybody else's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from monai.losses.cldice import soft_skel
from torch import Tensor
from torch.nn import functional

from .weights import normalised, trust_of

DICE_SMOOTH = 1e-5
"""Added to Dice's numerator and denominator (MONAI's default)."""
CLDICE_SMOOTH = 1.0
"""Added to numerator and denominator of the skeletons' shares (Shit 2021)."""
HARMONIC_SMOOTH = 1e-4
"""Added to the denominator of their harmonic mean (MONAI's default)."""


@dataclass(frozen=True, eq=False)
class ConfidenceLoss:
    """Cross-entropy + Dice + ``cldice_weight`` x clDice of the thin classes; the mean over the samples of a batch.

    Every term is taken sample by sample, so that two processes with half a batch each give the whole batch's gradient.
    """

    class_weights: Tensor
    """Cross-entropy weight of each class, background first."""
    thin_classes: tuple[int, ...] = ()
    """Class numbers that have a centreline."""
    cldice_weight: float = 0.0
    skeleton_steps: int = 3
    """Erosions of the soft skeleton: the widest thin structure's radius in voxels."""

    def __call__(self, scores: Tensor, classes: Tensor, confidence: Tensor | None = None, rho: float = 0.0) -> Tensor:
        """Loss of logits [B, C, I, J, K] against class numbers [B, I, J, K] with confidences in [0, 1] of the same shape."""
        trust = None if confidence is None else trust_of(confidence, rho)
        weight = None if trust is None else normalised(trust, classes, scores.shape[1])
        loss = weighted_cross_entropy(scores, classes, self.class_weights.to(scores.device), weight)
        probabilities = scores.softmax(1)
        truth = functional.one_hot(classes, scores.shape[1]).movedim(-1, 1).to(scores.dtype)
        loss = loss + weighted_dice(probabilities[:, 1:], truth[:, 1:], weight)
        if not self.cldice_weight or not self.thin_classes:
            return loss
        thin = list(self.thin_classes)
        return loss + self.cldice_weight * gated_cldice(
            probabilities[:, thin], truth[:, thin], trust, weight, self.skeleton_steps
        )


def weighted_cross_entropy(scores: Tensor, classes: Tensor, class_weights: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean over the batch of each sample's mean cross-entropy; ``weight`` [B, I, J, K] multiplies the class weights."""
    share = class_weights[classes]
    if weight is not None:
        share = share * weight
    total = _sums(share * functional.cross_entropy(scores, classes, reduction="none"))
    mass = _sums(share)
    return (total / torch.where(mass > 0, mass, 1.0)).mean()


def weighted_dice(prediction: Tensor, truth: Tensor, weight: Tensor | None = None) -> Tensor:
    """Soft Dice loss of [B, C, I, J, K], the mean over samples and classes, its sums weighted by ``weight`` [B, I, J, K].

    To gate the prediction as w p + (1 - w) p.detach() would give each voxel the same share of gradient, but would leave the
    labels of untrusted voxels in the sums, and with them in everybody's gradient; so the constant part is left out.
    """
    overlap = _sums(_weighted(prediction * truth, weight), 2)
    size = _sums(_weighted(prediction, weight), 2) + _sums(_weighted(truth, weight), 2)
    return (1 - (2 * overlap + DICE_SMOOTH) / (size + DICE_SMOOTH)).mean()


def gated(prediction: Tensor, trust: Tensor | None) -> Tensor:
    """w p + (1 - w) p.detach(): the same values, but the gradient passes only as far as the voxel is trusted."""
    if trust is None:
        return prediction.clone()  # as the sum below, gathers the gradient of all that follows before it passes it on
    return trust * prediction + (1 - trust) * prediction.detach()


def gated_cldice(prediction: Tensor, truth: Tensor, trust: Tensor | None, weight: Tensor | None, steps: int) -> Tensor:
    """Soft clDice loss (Shit 2021) of [B, C, I, J, K], all channels together, the mean over samples.

    A skeleton looks at its neighbourhood, so weights on the sums do not suffice: the prediction is gated before it is
    skeletonised, and where the trust is 0 the network's own answer stands in for the label.
    """
    passing = gated(prediction, None if trust is None else trust[:, None])
    readable = truth if trust is None else torch.where(trust[:, None] > 0, truth, prediction.detach())
    skeleton, wanted = _weighted(soft_skel(passing, steps), weight), _weighted(soft_skel(readable, steps), weight)
    precision = (_sums(skeleton * readable) + CLDICE_SMOOTH) / (_sums(skeleton) + CLDICE_SMOOTH)
    sensitivity = (_sums(wanted * prediction) + CLDICE_SMOOTH) / (_sums(wanted) + CLDICE_SMOOTH)
    return (1 - 2 * precision * sensitivity / (precision + sensitivity + HARMONIC_SMOOTH)).mean()


def _weighted(values: Tensor, weight: Tensor | None) -> Tensor:
    """[B, C, I, J, K] times [B, I, J, K]."""
    return values if weight is None else values * weight[:, None]


def _sums(values: Tensor, kept: int = 1) -> Tensor:
    """Sums over all but the first ``kept`` axes."""
    axes: Sequence[int] = range(kept, values.ndim)
    return values.sum(dim=tuple(axes))
