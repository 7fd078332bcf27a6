"""EDM preconditioning: the paper's formulas, the Gaussian answer, levels per sample, and float32 whatever the network does."""

import math

import pytest
import torch
from analytic_gaussian import GaussianData

from StructDiffCore.diffusion.denoiser import EDMDenoiser, Preconditioning
from StructDiffCore.diffusion.levels import Level, LevelBatch
from StructDiffCore.domain import StructDiffError

SHAPE = (3, 1, 4, 4, 4)


def a_noisy_batch(dtype=torch.float64):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(4), dtype=dtype)


def a_network(noisy, c_noise):
    return torch.tanh(noisy + c_noise.reshape(-1, 1, 1, 1, 1))


def zero_network(noisy, c_noise):
    return torch.zeros_like(noisy)


def test_the_coefficients_are_those_one_counts_by_hand():
    c = Preconditioning.at(torch.tensor([3.0, 4.0], dtype=torch.float64), sigma_data=4.0)
    expected = [[16 / 25, 0.5], [12 / 5, 4 / math.sqrt(2)], [1 / 5, 1 / math.sqrt(32)], [math.log(3) / 4, math.log(4) / 4]]
    for coefficient, value in zip((c.c_skip, c.c_out, c.c_in, c.c_noise), expected, strict=True):
        torch.testing.assert_close(coefficient, torch.tensor(value, dtype=torch.float64))


@pytest.mark.parametrize("level", [Level(1.0, 20.0), Level(1.0, 0.02), Level(0.6, 0.8), Level(0.25, 0.75)])
def test_a_silent_network_gives_the_exact_answer_for_gaussian_data(level):
    noisy = a_noisy_batch()
    exact = GaussianData(mean=0.0, spread=0.7)(noisy, level)
    torch.testing.assert_close(EDMDenoiser(zero_network, sigma_data=0.7)(noisy, level), exact)


def test_the_network_sees_and_answers_at_unit_spread():
    seen = {}

    def keep(noisy, c_noise):
        seen["spread"] = noisy.std().item()
        return noisy

    clean = torch.randn((1, 1, 40, 40, 40), generator=torch.Generator().manual_seed(1)) * 0.5
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(2))
    for sigma in (0.02, 0.5, 20.0):
        EDMDenoiser(keep, sigma_data=0.5)(clean + sigma * noise, Level(1.0, sigma))
        assert seen["spread"] == pytest.approx(1.0, rel=0.02)


def test_samples_at_their_own_levels_are_as_if_alone():
    noisy = a_noisy_batch()
    levels = LevelBatch(torch.tensor([1.0, 1.0, 0.6]), torch.tensor([20.0, 0.02, 0.8]))
    together = EDMDenoiser(a_network)(noisy, levels)
    for b in range(3):
        level = Level(levels.alpha[b].item(), levels.sigma[b].item())
        torch.testing.assert_close(together[b : b + 1], EDMDenoiser(a_network)(noisy[b : b + 1], level), rtol=0, atol=0)


def test_sigma_zero_returns_the_image_without_asking_the_network():
    def refuse(noisy, c_noise):
        raise AssertionError("asked")

    torch.testing.assert_close(EDMDenoiser(refuse)(a_noisy_batch(), Level(0.5, 0.0)), a_noisy_batch() / 0.5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_a_half_precision_network_leaves_the_preconditioning_in_float32(dtype):
    noisy = a_noisy_batch(torch.float32)
    asked = []

    def half_network(scaled, c_noise):
        asked.append((scaled.dtype, c_noise.dtype))
        return torch.zeros_like(scaled, dtype=dtype)

    answer = EDMDenoiser(half_network)(noisy, Level(1.0, 0.02))
    assert asked == [(torch.float32, torch.float32)]
    torch.testing.assert_close(answer, EDMDenoiser(zero_network)(noisy, Level(1.0, 0.02)), rtol=0, atol=0)


def test_under_bf16_autocast_only_the_network_computes_in_bf16():
    layer, dtypes = torch.nn.Conv3d(1, 1, 1), []
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)

    def network(scaled, c_noise):
        answer = layer(scaled)
        dtypes.append(answer.dtype)
        return answer

    noisy = a_noisy_batch(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        answer = EDMDenoiser(network)(noisy, Level(1.0, 0.05))
    assert dtypes == [torch.bfloat16]
    torch.testing.assert_close(answer, EDMDenoiser(zero_network)(noisy, Level(1.0, 0.05)), rtol=0, atol=0)


def test_a_bf16_image_is_answered_in_float32():
    assert EDMDenoiser(a_network)(a_noisy_batch(torch.bfloat16), Level(1.0, 1.0)).dtype == torch.float32


@pytest.mark.parametrize(
    "call",
    [
        lambda: EDMDenoiser(a_network, sigma_data=0.0),
        lambda: EDMDenoiser(a_network)(a_noisy_batch(), LevelBatch.exploding(torch.ones(2))),
        lambda: EDMDenoiser(lambda noisy, c_noise: noisy[:, :, :1])(a_noisy_batch(), Level(1.0, 1.0)),
    ],
)
def test_what_does_not_fit_is_refused(call):
    with pytest.raises(StructDiffError):
        call()
