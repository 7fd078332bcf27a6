"""The weighted loss against nnU-Net's own: the same where everything is trusted, its ignore label where nothing is."""

from __future__ import annotations

import pytest

pytest.importorskip("nnunetv2", reason="nnU-Net (nnunetv2) is not installed here: make test-nnunet has an environment for it")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nnunetv2.training.loss.compound_losses import DC_and_CE_loss
from nnunetv2.training.loss.dice import MemoryEfficientSoftDiceLoss

from StructDiffCore.cal.nnunet.loss import TrustingLoss

CLASSES, IGNORE = 3, 3
SHAPE = (2, 10, 9, 11)


def plain_loss(batch_dice: bool, ignore: int | None = None) -> DC_and_CE_loss:
    """As nnUNetTrainer builds it."""
    dice = {"batch_dice": batch_dice, "smooth": 1e-5, "do_bg": False, "ddp": False}
    return DC_and_CE_loss(dice, {}, weight_ce=1, weight_dice=1, ignore_label=ignore, dice_class=MemoryEfficientSoftDiceLoss)


def trusting(batch_dice: bool, ignore: int | None = None) -> TrustingLoss:
    loss = TrustingLoss(plain_loss(batch_dice, ignore), ignore)
    loss.rho = 1.0
    return loss


def drawn(seed: int, batch: int = SHAPE[0]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, labels [B, 1, ...] and confidences [B, 1, ...] of which a third is 0 and a third is 1."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, 1, *SHAPE[1:])
    scores = 2 * torch.randn((batch, CLASSES, *SHAPE[1:]), generator=generator)
    labels = torch.randint(0, CLASSES, shape, generator=generator).float()
    return scores.requires_grad_(), labels, (3 * torch.rand(shape, generator=generator) - 1).clamp(0, 1)


def with_gradient(loss: torch.nn.Module, scores: torch.Tensor, *target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    value = loss(scores, torch.cat(target, 1))
    (found,) = torch.autograd.grad(value, scores)
    return value, found


@pytest.mark.parametrize("batch_dice", [False, True])
@pytest.mark.parametrize("ignore", [None, IGNORE])
def test_confidence_1_is_nnunets_loss_bit_for_bit(batch_dice, ignore):
    scores, labels, _ = drawn(0)
    if ignore:
        labels[:, :, :3] = ignore
    plain = with_gradient(plain_loss(batch_dice, ignore), scores, labels)
    ours = with_gradient(trusting(batch_dice, ignore), scores, labels, torch.ones_like(labels))
    assert torch.equal(plain[0], ours[0])
    assert torch.equal(plain[1], ours[1])


@pytest.mark.parametrize("batch_dice", [False, True])
def test_one_doubtful_voxel_does_not_make_another_loss(batch_dice):
    """The weighted form meets nnU-Net's where it takes over."""
    scores, labels, _ = drawn(1)
    confidence = torch.ones_like(labels)
    confidence[0, 0, 0, 0, 0] = 1 - 1e-6
    plain = with_gradient(plain_loss(batch_dice), scores, labels)
    ours = with_gradient(trusting(batch_dice), scores, labels, confidence)
    torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-8)


def test_confidence_0_is_nnunets_ignore_label():
    scores, labels, confidence = drawn(2, batch=1)
    sure = (confidence > 0.5).float()
    theirs = with_gradient(plain_loss(False, IGNORE), scores, torch.where(sure > 0, labels, float(IGNORE)))
    ours = with_gradient(trusting(False), scores, labels, sure)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-8)


@settings(max_examples=5, deadline=None, derandomize=True)
@given(st.integers(0, 2**31), st.booleans())
def test_confidence_0_gets_exactly_no_gradient_and_its_labels_change_no_bit(seed, batch_dice):
    scores, labels, confidence = drawn(seed)
    poison = torch.randint(0, CLASSES, labels.shape, generator=torch.Generator().manual_seed(seed + 1)).float()
    poisoned = torch.where(confidence == 0, poison, labels)
    assert (poisoned != labels).any()
    clean, dirty = (with_gradient(trusting(batch_dice), scores, one, confidence) for one in (labels, poisoned))
    assert torch.equal(clean[0], dirty[0])
    assert torch.equal(clean[1], dirty[1])
    blind = (confidence == 0).expand_as(clean[1])
    assert (clean[1][blind] == 0).all()
    assert (clean[1][~blind] != 0).float().mean() > 0.99


def test_ignored_voxels_count_no_more_with_confidences_than_without():
    scores, labels, confidence = drawn(3)
    labels[:, :, 4:7] = IGNORE
    value, found = with_gradient(trusting(True, IGNORE), scores, labels, confidence)
    assert torch.isfinite(value)
    assert (found[:, :, 4:7] == 0).all()
    assert (found[:, :, :4] != 0).any()


def test_at_rho_0_and_without_confidences_it_is_nnunets_loss():
    scores, labels, confidence = drawn(4)
    loss = trusting(True)
    loss.rho = 0.0
    plain = plain_loss(True)(scores, labels)
    assert torch.equal(loss(scores, torch.cat([labels, confidence], 1)), plain)
    assert torch.equal(loss(scores, labels), plain)


def test_a_patch_that_nobody_trusts_gives_no_gradient_and_no_nan():
    scores, labels, _ = drawn(5)
    value, found = with_gradient(trusting(False), scores, labels, torch.zeros_like(labels))
    assert torch.isfinite(value)
    assert (found == 0).all()
