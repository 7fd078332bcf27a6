"""Tails and fresh noises in closed form, and the error head's manners."""

import weakref

import numpy as np
import pytest
import torch
from analytic_system import PointwiseSystem
from numpy.testing import assert_allclose, assert_array_equal

from StructDiffCore.config.presets import SSV_METHODS
from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.diffusion.ddim import ddim
from StructDiffCore.diffusion.levels import log_snr_levels
from StructDiffCore.domain import Geometry, StructDiffError
from StructDiffCore.models.condition_encoder import Features
from StructDiffCore.models.conditioning import ConditionMaps
from StructDiffCore.synthesis.error_head import ErrorHead, TrainedHead, likelihood_loss, shipped_head
from StructDiffCore.synthesis.measured_at import MeasuredAt
from StructDiffCore.synthesis.memory import SPREAD_BYTES_PER_VOXEL
from StructDiffCore.synthesis.ssv import NoisesSpread, TailsSpread, spread_of
from StructDiffCore.synthesis.ssv_calls import extra_calls
from StructDiffCore.synthesis.volume import sample_volume

SHAPE = (16, 16, 16)


def gaussian(noisy, level):
    """The exact denoiser of x0 ~ N(0, 1)."""
    return noisy / (1 + level.sigma**2)


def start_of(voxels=4096, seed=0):
    return 20 * torch.randn(1, 1, voxels, 1, 1, generator=torch.Generator().manual_seed(seed))


def watched(spread, denoiser, start, steps=10):
    for step in ddim(denoiser, start, log_snr_levels(steps)):
        spread.watch(step)
    return spread.variance(denoiser, start)


def test_the_tails_variance_has_its_closed_form():
    spread, start = TailsSpread(4, seed=1), start_of(64)
    found = watched(spread, gaussian, start)
    levels = [level.sigma for level in log_snr_levels(10)[:-1]]
    gain, gains = 1.0, []
    for here, there in zip(levels, [*levels[1:], 0]):
        clean = gain / (1 + here**2)
        if here <= 1 and not gains:
            gains = [(clean + share * (gain - clean)) / (1 + (share * here) ** 2) for share in spread.shares]
        if there == 0:
            gains.append(clean)
        gain = clean + there / here * (gain - clean)
    assert_allclose(found, start**2 * np.var(gains, ddof=1), rtol=1e-3, atol=1e-6)


def test_the_variance_over_noises_has_its_closed_form():
    spread = NoisesSpread(12, 10, seed=1)
    result = float(watched(spread, gaussian, start_of(8000)).mean())
    one = torch.ones(1, 1, 1, 1, 1)
    gain = float([step.clean for step in ddim(gaussian, one, spread.grid)][-1])
    assert result == pytest.approx((20 * gain) ** 2, rel=0.03)


def test_a_path_that_ends_before_the_parting_level_has_no_tails():
    assert watched(TailsSpread(3, 0), gaussian, start_of(8), steps=1) is None


@pytest.mark.parametrize("paths", [2, 9])
def test_no_result_of_a_tail_or_a_noise_is_kept(paths):
    for spread in (TailsSpread(paths, 0), NoisesSpread(paths, 6, 0)):
        alive, most = [], 0

        def denoiser(noisy, level, alive=alive):
            nonlocal most
            most = max(most, sum(result() is not None for result in alive))
            alive.append(weakref.ref(clean := noisy / (1 + level.sigma**2)))
            return clean

        for step in ddim(gaussian, start_of(8), log_snr_levels(6)):
            spread.watch(step)
        spread.variance(denoiser, start_of(8))
        assert most <= 2


class FeaturedSystem(PointwiseSystem):
    """The pointwise generator with features a head can read."""

    def encode(self, conditions):
        maps = super().encode(conditions)
        shape = maps.prior.shape[2:]
        half = (1, 8, *(n // 2 for n in shape))
        level = torch.nn.functional.avg_pool3d(maps.prior / 200, 2).expand(half).contiguous()
        features = Features((level,), (maps.prior / 1000).expand(1, 6, *shape).contiguous())
        object.__setattr__(features, "prior", maps.prior)
        return features


AT = MeasuredAt("generator", "ddim", 8, 0.8)


def a_head(seed=0):
    """A head that answers something: a fresh one's last weights are zero."""
    torch.manual_seed(seed)
    head = ErrorHead(8)
    torch.nn.init.normal_(head.answer.weight)
    return TrainedHead(head, AT)


def sampled(method, seed=0, tile=16, shape=SHAPE, head=None):
    prior = np.random.default_rng(0).normal(50, 200, shape).astype(np.float32)
    zeros = np.zeros(shape, np.float32)
    maps = ConditionMaps(prior, zeros, zeros, prior, prior, zeros, zeros.astype(np.int16), np.zeros((1, 15), np.float32))
    chosen = SynthesisSettings(sampler="ddim", steps=8, tile=tile, overlap=8, ssv=method)
    return sample_volume(FeaturedSystem(), maps, Geometry(shape), chosen, seed, head=head or a_head())


@pytest.mark.parametrize("method", ["tails", "noises", "head"])
def test_the_same_job_gives_the_same_map_bit_for_bit(method):
    one, same = (sampled(method).uncertainty.variance_hu2.voxels for _ in range(2))
    assert_array_equal(one, same)
    assert one.min() >= 0
    assert one.std() > 0.1 * one.mean()


@pytest.mark.parametrize(("method", "relative"), [("tails", 1e-3), ("noises", 1e-3), ("head", 3e-2)])
def test_tiles_give_the_map_of_one_pass(method, relative):
    """The head sees 3 voxels far, so beside a tile's border it sees less; the tiles' weight there is low."""
    one, tiled = (sampled(method, tile=tile, shape=(32, 24, 24)).uncertainty.variance_hu2.voxels for tile in (64, 16))
    assert_allclose(tiled, one, rtol=relative, atol=1e-2)


@pytest.mark.parametrize("method", ["tails", "noises", "head"])
def test_another_seed_gives_another_map(method):
    one, other = (sampled(method, seed=seed).uncertainty.variance_hu2.voxels for seed in (0, 1))
    assert np.abs(other - one).max() > 1


@pytest.mark.parametrize("method", [name for name in SSV_METHODS if name != "head"])
def test_the_calls_told_beforehand_are_the_calls_made(method):
    chosen = SynthesisSettings(ssv=method, ssv_paths=4, steps=7)
    spread, calls = spread_of(chosen, 0), 0

    def counting(noisy, level):
        nonlocal calls
        calls += 1
        return gaussian(noisy, level)

    for step in ddim(gaussian, start_of(8), log_snr_levels(7)):
        spread.watch(step)
    spread.variance(counting, start_of(8))
    assert calls == extra_calls(chosen) == spread.extra_calls


def test_every_method_has_its_memory_told():
    assert set(SPREAD_BYTES_PER_VOXEL) == set(SSV_METHODS)


def test_without_a_head_of_these_weights_the_head_is_refused_in_one_line():
    assert shipped_head("no such weights") is None
    with pytest.raises(StructDiffError, match="no error head fits these weights"):
        spread_of(SynthesisSettings(ssv="head"), 0)


def test_no_gradient_of_the_head_reaches_the_generator():
    level = torch.randn(1, 8, 4, 4, 4, requires_grad=True)
    maps, clean = torch.randn(1, 6, 8, 8, 8, requires_grad=True), torch.randn(1, 1, 8, 8, 8, requires_grad=True)
    head = ErrorHead(8)
    torch.nn.init.normal_(head.answer.weight)
    likelihood_loss(head(level, maps, clean), torch.ones(1, 1, 8, 8, 8)).backward()
    assert [tensor.grad for tensor in (level, maps, clean)] == [None, None, None]
    assert head.look.weight.grad.abs().sum() > 0


def test_the_likelihood_is_best_at_the_true_variance():
    error = 3 * torch.randn(50000, generator=torch.Generator().manual_seed(0))
    grid = torch.linspace(0, 5, 101)
    losses = [float(likelihood_loss(torch.full_like(error, value), error)) for value in grid.tolist()]
    assert float(grid[int(np.argmin(losses))]) == pytest.approx(np.log(9), abs=0.1)


def test_a_head_comes_back_from_its_file_with_its_generators_name(tmp_path):
    head = a_head()
    head.save(tmp_path / "head.safetensors")
    found = TrainedHead.load(tmp_path / "head.safetensors")
    assert found.trained_at == AT
    assert found.generator_sha256 == "generator"
    shapes = (torch.randn(1, 8, 4, 4, 4), torch.randn(1, 6, 8, 8, 8), torch.randn(1, 1, 8, 8, 8))
    assert_allclose(found.head(*shapes).detach(), head.head(*shapes).detach(), atol=1e-2)
    assert head.head(*shapes).std() > 0.1


def test_calmer_noises_spread_less_in_step_with_the_temperature():
    def spread_at(temperature):
        chosen = SynthesisSettings(ssv="noises", ssv_paths=4, steps=8, temperature=temperature)
        return spread_of(chosen, 0).variance(gaussian, start_of(8))

    assert_allclose(spread_at(0.5), 0.25 * spread_at(1.0), rtol=1e-4)
    assert float(spread_at(1.0).mean()) > 0
