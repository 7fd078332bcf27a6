"""The confidence-weighted loss: the plain one at confidence 1, blind at 0, and deaf to labels it does not trust."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.losses import DiceCELoss, SoftclDiceLoss

from StructDiffCore.cal.losses import ConfidenceLoss, gated, gated_cldice, weighted_cross_entropy, weighted_dice
from StructDiffCore.cal.weights import normalised, ramp, trust_of

CLASSES = 4
SHAPE = (2, 12, 10, 11)


def drawn(seed: int, blocky: bool = True) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, labels in blocks of two voxels, and confidences of which a third is 0 and a third is 1."""
    generator = torch.Generator().manual_seed(seed)
    scores = 2 * torch.randn((SHAPE[0], CLASSES, *SHAPE[1:]), generator=generator)
    coarse = torch.randint(0, CLASSES, (SHAPE[0], 6, 6, 6), generator=generator)
    classes = coarse.repeat_interleave(2, 1).repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :12, :10, :11].contiguous()
    confidence = (3 * torch.rand(SHAPE, generator=generator) - 1).clamp(0, 1)
    return scores.requires_grad_(), classes, confidence


def the_loss() -> ConfidenceLoss:
    return ConfidenceLoss(torch.tensor([1.0, 1.0, 1.0, 5.0]), (2, 3), 0.3)


def gradient(loss: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    (found,) = torch.autograd.grad(loss, scores, retain_graph=True)
    return found


@settings(max_examples=5, deadline=None, derandomize=True)
@given(st.integers(0, 2**31), st.floats(0, 1))
def test_confidence_1_is_the_plain_loss_bit_for_bit(seed, rho):
    scores, classes, _ = drawn(seed)
    plain, trusting = the_loss()(scores, classes), the_loss()(scores, classes, torch.ones(SHAPE), rho)
    assert torch.equal(plain, trusting)
    assert torch.equal(gradient(plain, scores), gradient(trusting, scores))


def test_at_rho_0_every_map_is_the_plain_loss():
    scores, classes, confidence = drawn(1)
    assert torch.equal(the_loss()(scores, classes), the_loss()(scores, classes, confidence, 0.0))


@settings(max_examples=5, deadline=None, derandomize=True)
@given(st.integers(0, 2**31))
def test_confidence_0_gets_exactly_no_gradient_once_the_ramp_is_over(seed):
    scores, classes, confidence = drawn(seed)
    found = gradient(the_loss()(scores, classes, confidence, 1.0), scores)
    blind = (confidence == 0)[:, None].expand_as(found)
    assert (found[blind] == 0).all()
    assert (found[~blind] != 0).float().mean() > 0.99


@settings(max_examples=5, deadline=None, derandomize=True)
@given(st.integers(0, 2**31))
def test_poisoned_labels_at_confidence_0_leave_loss_and_gradient_bit_identical(seed):
    scores, classes, confidence = drawn(seed)
    poison = torch.randint(0, CLASSES, SHAPE, generator=torch.Generator().manual_seed(seed + 1))
    poisoned = torch.where(confidence == 0, poison, classes)
    assert (poisoned != classes).any()
    clean, dirty = (the_loss()(scores, labels, confidence, 1.0) for labels in (classes, poisoned))
    assert torch.equal(clean, dirty)
    assert torch.equal(gradient(clean, scores), gradient(dirty, scores))


def test_poisoned_labels_do_matter_where_they_are_trusted():
    scores, classes, confidence = drawn(3)
    poisoned = torch.where(confidence == 1, (classes + 1) % CLASSES, classes)
    assert not torch.equal(the_loss()(scores, classes, confidence, 1.0), the_loss()(scores, poisoned, confidence, 1.0))


def test_a_crop_without_any_trust_gives_no_gradient_and_no_nan():
    scores, classes, _ = drawn(4)
    loss = the_loss()(scores, classes, torch.zeros(SHAPE), 1.0)
    assert torch.isfinite(loss)
    assert (gradient(loss, scores) == 0).all()


def test_a_labels_gradient_grows_with_its_confidence():
    sizes = []
    for trust in (0.0, 0.25, 0.5, 1.0):
        scores, classes, _ = drawn(5)
        confidence = torch.ones(SHAPE)
        confidence[:, :6] = trust
        sizes.append(gradient(the_loss()(scores, classes, confidence, 1.0), scores)[:, :, :6].abs().sum())
    assert sizes == sorted(sizes)
    assert sizes[0] == 0


def test_cross_entropy_and_dice_are_monais():
    scores, classes, _ = drawn(6)
    ours = weighted_cross_entropy(scores, classes, torch.ones(CLASSES))
    truth = torch.nn.functional.one_hot(classes, CLASSES).movedim(-1, 1).float()
    ours = ours + weighted_dice(scores.softmax(1)[:, 1:], truth[:, 1:])
    theirs = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True)(scores, classes[:, None])
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(gradient(ours, scores), gradient(theirs, scores), rtol=1e-5, atol=1e-9)


def test_class_weights_are_those_of_the_cross_entropy_everybody_knows():
    scores, classes, _ = drawn(7)
    weight = torch.tensor([1.0, 2.0, 0.5, 5.0])
    per_sample = [torch.nn.functional.cross_entropy(scores[[b]], classes[[b]], weight) for b in range(SHAPE[0])]
    torch.testing.assert_close(weighted_cross_entropy(scores, classes, weight), torch.stack(per_sample).mean())


def test_cldice_is_monais():
    scores, classes, _ = drawn(8)
    truth = torch.nn.functional.one_hot(classes, CLASSES).movedim(-1, 1).float()[:, 2:]
    prediction = scores.softmax(1)[:, 2:]
    ours, theirs = gated_cldice(prediction, truth, None, None, 3), SoftclDiceLoss(iter_=3)(prediction, truth)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(gradient(ours, scores), gradient(theirs, scores), rtol=1e-5, atol=1e-9)


def test_weighted_dice_counts_a_voxel_of_weight_2_twice():
    prediction, truth = torch.rand((1, 1, 4, 4, 4)), (torch.rand((1, 1, 4, 4, 4)) > 0.5).float()
    weight = torch.ones((1, 4, 4, 4))
    weight[:, :2] = 2
    doubled = [torch.cat([part, part[:, :, :2]], 2) for part in (prediction, truth)]
    torch.testing.assert_close(weighted_dice(prediction, truth, weight), weighted_dice(*doubled))


def test_gating_keeps_the_values_and_scales_the_gradient():
    values, trust = torch.rand(50, requires_grad=True), torch.rand(50)
    torch.testing.assert_close(gated(values, trust), values)
    torch.testing.assert_close(gradient(gated(values, trust).sum(), values), trust)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(0, 2**31), st.floats(0.01, 1))
def test_a_class_that_is_uncertain_all_over_keeps_its_weight(seed, level):
    _, classes, _ = drawn(seed)
    trust = torch.where(classes == 2, level, 1.0)
    torch.testing.assert_close(normalised(trust, classes, CLASSES), torch.ones(SHAPE), rtol=1e-6, atol=0)


def test_the_weights_of_a_class_sum_to_its_effective_number_of_voxels():
    _, classes, trust = drawn(9)
    weight = normalised(trust, classes, CLASSES)
    for sample in range(SHAPE[0]):
        for number in range(CLASSES):
            inside = classes[sample] == number
            w = trust[sample][inside].double()
            assert float(weight[sample][inside].sum()) == pytest.approx(float(w.sum() ** 2 / (w**2).sum()), rel=1e-5)


def test_a_batch_is_the_mean_of_its_samples():
    scores, classes, confidence = drawn(10)
    whole = the_loss()(scores, classes, confidence, 1.0)
    parts = [the_loss()(scores[[b]], classes[[b]], confidence[[b]], 1.0) for b in range(SHAPE[0])]
    torch.testing.assert_close(whole, torch.stack(parts).mean())


def test_the_ramp_takes_the_first_third():
    assert [ramp(step, 30) for step in (0, 5, 10, 29)] == [0.0, 0.5, 1.0, 1.0]
    assert torch.equal(trust_of(torch.tensor([0.0, 0.5, 1.0]), 0.5), torch.tensor([0.5, 0.75, 1.0]))


def test_the_weight_has_no_gradient():
    confidence = torch.rand(SHAPE, requires_grad=True)
    assert not trust_of(confidence, 1.0).requires_grad
