"""The training loss: Karras' weights, the log-uniform draw, levels per sample, voxel weights of mean one."""

import math

import numpy as np
import pytest
import torch
from analytic_gaussian import GaussianData
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from StructDiffCore.diffusion.denoiser import EDMDenoiser, Preconditioning
from StructDiffCore.diffusion.levels import Level, LevelBatch
from StructDiffCore.diffusion.losses import ROBUST_LIMIT, denoising_loss, draw_sigma, edm_weight, mean_one, sample_losses
from StructDiffCore.domain import StructDiffError

few = settings(max_examples=20, derandomize=True, deadline=None)
SHAPE = (3, 1, 8, 8, 8)


def drawn(seed, shape=SHAPE):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def a_denoiser():
    return EDMDenoiser(lambda noisy, c_noise: torch.tanh(noisy - c_noise.reshape(-1, 1, 1, 1, 1)))


def sigmas():
    return torch.tensor([0.05, 1.0, 12.0])


def exact_for_gaussian_data(spread):
    """The closed-form denoiser of GaussianData, one level per sample."""
    data = GaussianData(0.0, spread)

    def denoiser(noisy, levels):
        each = [Level(alpha, sigma) for alpha, sigma in zip(levels.alpha.tolist(), levels.sigma.tolist(), strict=True)]
        return torch.cat([data(noisy[b : b + 1], level) for b, level in enumerate(each)])

    return denoiser


def test_the_weight_is_that_of_table_one_and_the_inverse_square_of_c_out():
    sigma = torch.tensor([0.5, 3.0], dtype=torch.float64)
    torch.testing.assert_close(edm_weight(sigma, 4.0), torch.tensor([16.25 / 4, 25 / 144], dtype=torch.float64))
    torch.testing.assert_close(edm_weight(sigma, 4.0), Preconditioning.at(sigma, 4.0).c_out ** -2)


def test_sigma_is_drawn_uniform_in_its_logarithm():
    log_sigma = np.log(draw_sigma(20000, torch.Generator().manual_seed(0), sigma_max=20.0, sigma_min=0.02).numpy())
    share = (np.sort(log_sigma) - math.log(0.02)) / math.log(1000)
    np.testing.assert_allclose(share, np.linspace(0, 1, 20000), atol=0.015)


def test_the_same_generator_draws_the_same_sigmas():
    first, second = (draw_sigma(5, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first, second)


def test_the_loss_is_the_weighted_error_one_writes_by_hand():
    def half(noisy, level):
        return 0.5 * noisy

    clean, noise = drawn(1), drawn(2)
    by_hand = [(1 + s**2) / s**2 * ((0.5 * (clean[b] + s * noise[b]) - clean[b]) ** 2).mean() for b, s in enumerate(sigmas())]
    torch.testing.assert_close(sample_losses(half, clean, noise, sigmas()), torch.stack(by_hand))
    torch.testing.assert_close(denoising_loss(half, clean, noise, sigmas()), torch.stack(by_hand).mean())


def test_the_loss_is_the_plain_error_of_what_the_network_has_to_say():
    asked = []

    def network(scaled, c_noise):
        asked.append(torch.tanh(scaled))
        return asked[-1]

    clean, noise = drawn(1), drawn(2)
    loss = denoising_loss(EDMDenoiser(network), clean, noise, sigmas())
    column = sigmas().reshape(-1, 1, 1, 1, 1)
    c = Preconditioning.at(column, 1.0)
    target = (clean - c.c_skip * (clean + column * noise)) / c.c_out
    torch.testing.assert_close(loss, ((asked[0] - target) ** 2).mean(), rtol=1e-4, atol=1e-5)


def test_a_silent_network_on_unit_gaussian_data_costs_one_at_every_level():
    clean, noise = drawn(3, (3, 1, 32, 32, 32)), drawn(4, (3, 1, 32, 32, 32))
    exact = EDMDenoiser(lambda noisy, c_noise: torch.zeros_like(noisy))
    torch.testing.assert_close(sample_losses(exact, clean, noise, sigmas()), torch.ones(3), rtol=0.03, atol=0)


def test_no_scaling_of_the_exact_denoiser_costs_less():
    clean, noise, sigma = 0.4 * drawn(3, (3, 1, 32, 32, 32)), drawn(4, (3, 1, 32, 32, 32)), torch.tensor([0.05, 0.3, 1.0])
    exact = exact_for_gaussian_data(0.4)
    best = sample_losses(exact, clean, noise, sigma, sigma_data=0.4)
    for gain in (0.9, 1.1):
        other = sample_losses(lambda noisy, level, g=gain: g * exact(noisy, level), clean, noise, sigma, sigma_data=0.4)
        assert bool((other > best).all())


@pytest.mark.parametrize("value", [1.0, 3.0, 0.25])
def test_a_constant_voxel_weight_is_the_plain_loss_bit_for_bit(value):
    clean, noise = drawn(1), drawn(2)
    plain = denoising_loss(a_denoiser(), clean, noise, sigmas())
    assert torch.equal(denoising_loss(a_denoiser(), clean, noise, sigmas(), torch.full(SHAPE, value)), plain)


def test_gradients_are_the_plain_ones_bit_for_bit_under_weight_one():
    def gradient(voxel_weight):
        weight = torch.tensor(0.3, requires_grad=True)
        denoiser = EDMDenoiser(lambda noisy, c_noise: weight * noisy)
        denoising_loss(denoiser, drawn(1), drawn(2), sigmas(), voxel_weight).backward()
        return weight.grad

    assert torch.equal(gradient(None), gradient(torch.ones(SHAPE)))


@few
@given(seed=st.integers(0, 1000), scale=st.floats(0.01, 100.0))
def test_voxel_weights_have_mean_one_per_sample_whatever_their_scale(seed, scale):
    weight = drawn(seed).abs() + 0.01
    normalised = mean_one(scale * weight)
    torch.testing.assert_close(normalised.flatten(1).mean(1), torch.ones(3))
    torch.testing.assert_close(normalised, mean_one(weight))


def test_a_voxel_weight_moves_attention_to_its_voxels():
    clean, noise = drawn(1), drawn(2)
    weight = torch.zeros(SHAPE)
    weight[:, :, 2:4, 2:4, 2:4] = 5.0
    inside = sample_losses(a_denoiser(), clean, noise, sigmas(), weight)
    noisy = clean + sigmas().reshape(-1, 1, 1, 1, 1) * noise
    error = (a_denoiser()(noisy, LevelBatch.exploding(sigmas())) - clean) ** 2
    by_hand = edm_weight(sigmas()) * error[:, :, 2:4, 2:4, 2:4].flatten(1).mean(1)
    torch.testing.assert_close(inside, by_hand)


def test_a_samples_loss_does_not_depend_on_who_else_is_in_the_batch():
    clean, noise, weight = drawn(1), drawn(2), drawn(5).abs()
    together = sample_losses(a_denoiser(), clean, noise, sigmas(), weight)
    alone = [sample_losses(a_denoiser(), clean[b:][:1], noise[b:][:1], sigmas()[b:][:1], weight[b:][:1]) for b in range(3)]
    torch.testing.assert_close(together, torch.cat(alone))


def test_the_loss_is_float32_under_bf16_autocast_and_from_half_precision_images():
    with torch.autocast("cpu", torch.bfloat16):
        loss = denoising_loss(a_denoiser(), drawn(1).bfloat16(), drawn(2), sigmas())
    assert loss.dtype == torch.float32


@pytest.mark.parametrize(
    "call",
    [
        lambda: draw_sigma(3, torch.Generator(), sigma_max=0.01),
        lambda: draw_sigma(3, torch.Generator(), sigma_min=0.0),
        lambda: draw_sigma(3, torch.Generator(), median=-1.0),
        lambda: draw_sigma(3, torch.Generator(), median=1.0, spread=0.0),
        lambda: mean_one(torch.zeros(SHAPE)),
        lambda: mean_one(-torch.ones(SHAPE)),
        lambda: denoising_loss(a_denoiser(), drawn(1), drawn(2), torch.ones(2)),
        lambda: denoising_loss(a_denoiser(), drawn(1), drawn(2)[:1], sigmas()),
    ],
)
def test_what_makes_no_loss_is_refused(call):
    with pytest.raises(StructDiffError):
        call()


def test_the_robust_loss_is_squared_for_small_errors_and_linear_for_large_ones():
    def off_by(error: float):
        return lambda noisy, level: torch.full_like(noisy, error)

    clean, noise = torch.zeros(1, 1, 4, 4, 4), torch.zeros(1, 1, 4, 4, 4)

    def loss(error: float, robust: float, level: float = 0.1) -> float:
        return float(sample_losses(off_by(error), clean, noise, torch.tensor([level]), robust=robust))

    assert loss(0.001, 0.3) == pytest.approx(loss(0.001, 0.0), rel=1e-2)
    per_unit = float(edm_weight(torch.tensor(0.1))) ** 0.5
    assert loss(20.0, 0.3) - loss(10.0, 0.3) == pytest.approx(2 * 0.3 * per_unit * 10.0, rel=1e-2)
    assert loss(1.0, 0.3, 20.0) == pytest.approx(loss(1.0, 0.0, 20.0), rel=0.05), "at high noise an error of a unit is squared"
    assert loss(60.0, 0.3, 20.0) - loss(50.0, 0.3, 20.0) == pytest.approx(2 * ROBUST_LIMIT * 10, rel=0.02)


def test_a_log_normal_law_puts_most_levels_about_its_median_and_none_beyond_the_range():
    drawn = draw_sigma(20000, torch.Generator().manual_seed(0), 20.0, 0.02, median=0.8, spread=1.3).numpy()
    assert drawn.min() >= 0.02
    assert drawn.max() <= 20.0
    law = stats.truncnorm((math.log(0.02) - math.log(0.8)) / 1.3, (math.log(20) - math.log(0.8)) / 1.3, math.log(0.8), 1.3)
    assert stats.kstest(np.log(drawn), law.cdf).statistic < 0.012
