"""The samplers against Gaussian data, where the answer is known in closed form."""

import pytest
import torch
from analytic_gaussian import GaussianData, KnownImage
from fine_noise import fine_noise_table

from StructDiffCore.diffusion.ddpm import ddpm
from StructDiffCore.diffusion.levels import flow_levels, linear_alpha_bar, log_snr_levels, vp_levels
from StructDiffCore.diffusion.samplers import ddim, dpm_solver_pp_2m, euler, heun, last_clean

GRIDS = {
    "exploding": log_snr_levels,
    "preserving": lambda steps: vp_levels(linear_alpha_bar(), steps),
    "flow": flow_levels,
}
SHAPE = (2, 1, 8, 8, 8)


def a_generator(seed=5):
    return [torch.Generator().manual_seed(seed)]


def last_step(steps):
    *_, step = steps
    return step


def flow_error(sampler, levels, data):
    """Largest distance from the closed-form probability-flow map at the last noisy level."""
    start = data.start(levels[0], SHAPE)
    step = last_step(sampler(data, start, levels))
    return (step.noisy - data.flow(start, levels[0], step.level)).abs().max().item()


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(("sampler", "order"), [(ddim, 1), (euler, 1), (dpm_solver_pp_2m, 2), (heun, 2)])
def test_deterministic_samplers_converge_to_the_probability_flow_at_their_order(sampler, order, grid):
    data = GaussianData()
    coarse, fine = (flow_error(sampler, GRIDS[grid](steps), data) for steps in (160, 320))
    assert fine < (0.02 if order == 1 else 0.002)
    assert coarse / fine == pytest.approx(2**order, rel=0.25)


@pytest.mark.parametrize("sampler", [ddim, euler, dpm_solver_pp_2m, heun])
def test_the_sample_is_the_probability_flow_of_the_start(sampler):
    data, levels = GaussianData(mean=-1.2, spread=0.8), log_snr_levels(400, sigma_min=0.002)
    start = data.start(levels[0], SHAPE)
    sample = last_clean(sampler(data, start, levels))
    torch.testing.assert_close(sample, data.flow(start, levels[0], levels[-1]), rtol=0, atol=0.02)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("sampler", [ddim, euler, heun, dpm_solver_pp_2m, ddpm])
def test_the_mean_of_the_data_is_kept_in_five_steps(sampler, grid):
    data, levels = GaussianData(mean=2.0, spread=1e-6), GRIDS[grid](5)
    sample = last_clean(sampler(data, data.start(levels[0], (1, 1, 8, 8, 8)), levels, a_generator()))
    torch.testing.assert_close(sample, torch.full_like(sample, 2.0), rtol=0, atol=1e-3)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("steps", [3, 10, 50])
def test_ancestral_chains_have_exact_marginals_at_any_stride_when_the_image_is_known(grid, steps):
    image = torch.linspace(-1, 1, 64**3, dtype=torch.float64).reshape(1, 1, 64, 64, 64)
    levels = GRIDS[grid](steps)
    for chain in (ddpm, lambda *arguments: ddim(*arguments, eta=1.0)):
        noise = GaussianData(0.0, 0.0).start(levels[0], image.shape)
        start = levels[0].alpha * image + noise
        for step in chain(KnownImage(image), start, levels, a_generator()):
            unit = (step.noisy - step.level.alpha * image) / step.level.sigma
            assert unit.std().item() == pytest.approx(1.0, abs=0.01)
            assert unit.mean().item() == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("grid", ["exploding", "preserving"])
def test_ddpm_and_ancestral_ddim_are_one_chain(grid):
    data, levels = GaussianData(), GRIDS[grid](7)
    start = data.start(levels[0], (1, 1, 8, 8, 8))
    one = last_clean(ddpm(data, start, levels, a_generator()))
    torch.testing.assert_close(one, last_clean(ddim(data, start, levels, a_generator(), eta=1.0)))


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_every_eta_has_exact_marginals_when_the_image_is_known(grid, eta):
    image, levels = torch.zeros((1, 1, 64, 64, 64), dtype=torch.float64), GRIDS[grid](6)
    start = GaussianData(0.0, 0.0).start(levels[0], image.shape)
    step = last_step(ddim(KnownImage(image), start, levels, a_generator(), eta=eta))
    assert (step.noisy.std() / step.level.sigma).item() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("grid", "steps", "tolerance"),
    [("exploding", 5, 0.01), ("exploding", 20, 0.01), ("preserving", 20, 0.02), ("preserving", 50, 0.01)],
)
def test_ddpm_that_knows_the_spread_reproduces_it_in_few_strided_steps(grid, steps, tolerance):
    data, levels = GaussianData(spread=1.0), GRIDS[grid](steps)
    start = data.start(levels[0], (1, 1, 64, 64, 64))
    sample = last_clean(ddpm(data, start, levels, a_generator(), data_spread=1.0))
    assert sample.std().item() == pytest.approx(1.0, abs=tolerance)
    assert sample.mean().item() == pytest.approx(data.mean, abs=0.01)


@pytest.mark.parametrize("grid", ["exploding", "preserving"])
def test_the_plain_posterior_never_adds_spread_and_approaches_it_with_the_steps(grid):
    data, lost = GaussianData(spread=1.0), []
    for steps in (10, 50, 250):
        levels = GRIDS[grid](steps)
        start = data.start(levels[0], (1, 1, 48, 48, 48))
        lost.append(1 - last_clean(ddpm(data, start, levels, a_generator())).std().item())
    assert 0.3 > lost[0] > lost[1] > lost[2] > 0
    assert lost[1] < 0.08
    assert lost[2] < 0.03


def test_dpm_solver_on_log_snr_keeps_fine_noise_in_ten_calls_and_uniform_t_loses_it():
    kept = dict(fine_noise_table(calls=10, hu_per_unit=1000))
    assert kept["DPM-Solver++ 2M, log-SNR"] == pytest.approx(1.0, abs=0.05)
    assert kept["DDIM, uniform t"] < 0.1
    assert kept["Euler, flow, uniform t"] < 0.35


def test_at_the_residual_scale_ten_calls_keep_fine_noise_where_ddim_and_heun_do_not():
    kept = dict(fine_noise_table(calls=10, hu_per_unit=50))
    assert kept["DPM-Solver++ 2M, log-SNR"] == pytest.approx(1.0, abs=0.03)
    for name in ("Heun, log-SNR", "DDIM, log-SNR", "DDIM, uniform t", "Euler, flow, uniform t"):
        assert abs(1 - kept[name]) > 0.1
