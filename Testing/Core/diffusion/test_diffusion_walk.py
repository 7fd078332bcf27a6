"""What every sampler owes: its steps, the same voxels for the same generators, independence within the batch, refusals."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from StructDiffCore.diffusion.ddpm import ddpm
from StructDiffCore.diffusion.denoiser import EDMDenoiser
from StructDiffCore.diffusion.levels import Level, flow_levels, linear_alpha_bar, log_snr_levels, vp_levels
from StructDiffCore.diffusion.samplers import SAMPLERS, ddim, dpm_solver_pp_2m, heun, last_clean, sampler_named, start_noise
from StructDiffCore.domain import StructDiffError

few = settings(max_examples=12, derandomize=True, deadline=None)
STOCHASTIC = {"ddpm": ddpm, "ddim eta 1": lambda *arguments: ddim(*arguments, eta=1.0)}
EVERY = {**SAMPLERS, **STOCHASTIC}
grids = st.sampled_from([log_snr_levels(6), vp_levels(linear_alpha_bar(), 5), flow_levels(4)])


def a_denoiser():
    return EDMDenoiser(lambda noisy, c_noise: torch.tanh(noisy - c_noise.reshape(-1, 1, 1, 1, 1)))


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def a_sample(sampler, levels, seeds):
    drawn = generators(*seeds)
    start = levels[0].sigma * start_noise((len(seeds), 1, 4, 4, 4), drawn)
    return last_clean(EVERY[sampler](a_denoiser(), start, levels, drawn))


@few
@given(sampler=st.sampled_from(sorted(EVERY)), levels=grids, seed=st.integers(0, 2**31))
def test_the_same_generators_give_the_same_voxels_and_others_give_others(sampler, levels, seed):
    sample = a_sample(sampler, levels, [seed])
    assert torch.equal(sample, a_sample(sampler, levels, [seed]))
    assert not torch.equal(sample, a_sample(sampler, levels, [seed + 1]))


@few
@given(sampler=st.sampled_from(sorted(EVERY)), levels=grids, seeds=st.lists(st.integers(0, 999), min_size=2, max_size=4))
def test_a_sample_does_not_depend_on_who_else_is_in_the_batch(sampler, levels, seeds):
    together = a_sample(sampler, levels, seeds)
    for b, seed in enumerate(seeds):
        assert torch.equal(together[b : b + 1], a_sample(sampler, levels, [seed]))


@pytest.mark.parametrize("sampler", sorted(EVERY))
@pytest.mark.parametrize("levels", [log_snr_levels(5), vp_levels(linear_alpha_bar(), 5), flow_levels(5), log_snr_levels(1)])
def test_a_walk_hands_out_every_level_with_its_clean_estimate(sampler, levels):
    drawn, denoiser = generators(0, 1), a_denoiser()
    start = levels[0].sigma * start_noise((2, 1, 4, 4, 4), drawn)
    steps = list(EVERY[sampler](denoiser, start, levels, drawn))
    assert [(step.index, step.total) for step in steps] == [(i, len(levels) - 1) for i in range(len(levels) - 1)]
    assert [step.level for step in steps] == levels[:-1]
    assert torch.equal(steps[0].noisy, start)
    for step in steps:
        assert torch.equal(step.clean, denoiser(step.noisy, step.level))


@pytest.mark.parametrize("sampler", sorted(EVERY))
def test_the_start_is_left_as_it_was(sampler):
    drawn, levels = generators(0), log_snr_levels(4)
    start = start_noise((1, 1, 4, 4, 4), drawn)
    before = start.clone()
    last_clean(EVERY[sampler](a_denoiser(), start, levels, drawn))
    assert torch.equal(start, before)


@pytest.mark.parametrize(("sampler", "calls"), [(dpm_solver_pp_2m, 8), (ddim, 8), (heun, 15)])
def test_network_calls_are_counted(sampler, calls):
    asked = []

    def counting(noisy, level):
        asked.append(level)
        return 0.5 * noisy

    last_clean(sampler(counting, torch.ones((1, 1, 2, 2, 2)), log_snr_levels(8), ()))
    assert len(asked) == calls
    assert all(level.sigma > 0 for level in asked)


def test_a_walk_continues_from_any_step_it_handed_out():
    levels, start = log_snr_levels(6), 20 * start_noise((1, 1, 4, 4, 4), generators(0))
    steps = list(ddim(a_denoiser(), start, levels))
    rest = last_clean(ddim(a_denoiser(), steps[3].noisy, levels[3:]))
    assert torch.equal(rest, steps[-1].clean)


def test_no_gradients_are_kept_and_the_callers_mode_is_untouched():
    weight = torch.ones((), requires_grad=True)
    for step in ddim(lambda noisy, level: weight * noisy, torch.ones((1, 1, 2, 2, 2)), log_snr_levels(3)):
        assert not step.clean.requires_grad
        assert torch.is_grad_enabled()


def test_start_noise_is_unit_noise_of_the_asked_shape_and_type():
    noise = start_noise((2, 1, 32, 32, 32), generators(0, 1), dtype=torch.float64)
    assert (noise.shape, noise.dtype) == ((2, 1, 32, 32, 32), torch.float64)
    assert noise.mean().item() == pytest.approx(0.0, abs=0.02)
    assert noise.std().item() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("sampler", sorted(EVERY))
@pytest.mark.parametrize("levels", [[Level(1, 0)], [Level(1, 2), Level(1, 1)], [Level(1, 1), Level(1, 2), Level(1, 0)]])
def test_a_bad_grid_is_refused_before_the_first_step(sampler, levels):
    with pytest.raises(StructDiffError):
        EVERY[sampler](a_denoiser(), torch.zeros((1, 1, 2, 2, 2)), levels, generators(0))


@pytest.mark.parametrize("sampler", sorted(STOCHASTIC))
@pytest.mark.parametrize("drawn", [[], generators(0), generators(0, 1, 2), generators(0) * 2])
def test_every_sample_needs_a_generator_of_its_own(sampler, drawn):
    with pytest.raises(StructDiffError):
        STOCHASTIC[sampler](a_denoiser(), torch.zeros((2, 1, 2, 2, 2)), log_snr_levels(3), drawn)
    with pytest.raises(StructDiffError):
        start_noise((2, 1, 2, 2, 2), drawn)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ddim(a_denoiser(), torch.zeros((1, 1, 2, 2, 2)), log_snr_levels(3), generators(0), eta=1.1),
        lambda: ddim(a_denoiser(), torch.zeros((1, 1, 2, 2, 2)), log_snr_levels(3), generators(0), eta=-0.1),
        lambda: ddpm(a_denoiser(), torch.zeros((1, 1, 2, 2, 2)), log_snr_levels(3), generators(0), data_spread=-1.0),
        lambda: sampler_named("plms"),
    ],
)
def test_settings_out_of_range_are_refused(make):
    with pytest.raises(StructDiffError):
        make()


def test_samplers_are_found_by_name():
    assert sampler_named("dpm_solver_pp_2m") is dpm_solver_pp_2m
