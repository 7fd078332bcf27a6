"""Step by step the same as diffusers, on the same levels; in float64, but for its Euler and DPM-Solver, which cast to float32."""

import pytest
import torch

from StructDiffCore.diffusion.ddpm import ddpm
from StructDiffCore.diffusion.denoiser import EDMDenoiser
from StructDiffCore.diffusion.levels import Level, log_snr_levels, vp_levels
from StructDiffCore.diffusion.samplers import ddim, dpm_solver_pp_2m, euler, heun

diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")

SHAPE = (2, 1, 4, 4, 4)


def a_curved_denoiser(noisy, level):
    """No data set in particular: nonlinear in the image and in the level, so that a wrong coefficient cannot hide."""
    return torch.tanh(0.7 * noisy / (level.alpha + level.sigma) + 0.2) + 0.1 * level.sigma / (1 + level.sigma)


def a_start(level, dtype=torch.float64):
    return level.sigma * torch.randn(SHAPE, generator=torch.Generator().manual_seed(3), dtype=dtype)


def generators():
    return [torch.Generator().manual_seed(seed) for seed in (10, 11)]


def a_preserving_scheduler(name, steps, **settings):
    """A scheduler on 'trailing' timesteps with its table in float64."""
    scheduler = getattr(diffusers, name)(timestep_spacing="trailing", prediction_type="sample", clip_sample=False, **settings)
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
    scheduler.set_timesteps(steps)
    return scheduler, vp_levels(scheduler.alphas_cumprod, steps)


def on_sigmas(scheduler, sigmas):
    """Put a scheduler on given sigmas, the last 0, in float64."""
    scheduler.set_timesteps(len(sigmas) - 1)
    scheduler.sigmas = torch.tensor(sigmas, dtype=torch.float64)
    return scheduler


def assert_same_path(ours, theirs, **tolerance):
    theirs = list(theirs)
    assert len(ours) == len(theirs)
    for step, (noisy, clean) in zip(ours, theirs, strict=True):
        torch.testing.assert_close(step.noisy, noisy, **tolerance)
        torch.testing.assert_close(step.clean, clean, **tolerance)


def their_path(scheduler, start, levels, **arguments):
    """(noisy, clean) of every step of a first-order or multistep scheduler."""
    noisy = start
    for timestep, level in zip(scheduler.timesteps, levels[:-1], strict=True):
        clean = a_curved_denoiser(noisy, level)
        yield noisy, clean
        noisy = scheduler.step(clean, timestep, noisy, return_dict=False, **arguments)[0]


@pytest.mark.parametrize("steps", [10, 20, 50])
@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_ddim_walks_like_diffusers(steps, eta):
    scheduler, levels = a_preserving_scheduler("DDIMScheduler", steps)
    start = a_start(levels[0])
    ours = list(ddim(a_curved_denoiser, start, levels, generators(), eta=eta))
    assert_same_path(ours, their_path(scheduler, start, levels, eta=eta, generator=generators()), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("steps", [10, 20, 50])
@pytest.mark.parametrize(("variance", "data_spread"), [("fixed_small", 0.0), ("fixed_large", 1.0)])
def test_strided_ddpm_walks_like_diffusers_with_both_variances(steps, variance, data_spread):
    scheduler, levels = a_preserving_scheduler("DDPMScheduler", steps, variance_type=variance)
    start = a_start(levels[0])
    ours = list(ddpm(a_curved_denoiser, start, levels, generators(), data_spread=data_spread))
    assert_same_path(ours, their_path(scheduler, start, levels, generator=generators()), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("steps", [10, 20])
def test_euler_walks_like_diffusers_on_the_log_snr_grid(steps):
    levels = log_snr_levels(steps)
    scheduler = diffusers.EulerDiscreteScheduler(prediction_type="sample")
    scheduler.set_timesteps(sigmas=[level.sigma for level in levels])
    scheduler.is_scale_input_called = True
    start = a_start(levels[0], torch.float32)
    ours = list(euler(a_curved_denoiser, start, levels))
    assert_same_path(ours, their_path(scheduler, start, levels), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("steps", [5, 10, 20])
def test_heun_walks_like_diffusers_on_the_log_snr_grid(steps):
    levels = log_snr_levels(steps)
    sigmas = torch.tensor([level.sigma for level in levels], dtype=torch.float64)
    scheduler = diffusers.HeunDiscreteScheduler(prediction_type="sample")
    scheduler.set_timesteps(steps)
    scheduler.sigmas = torch.cat([sigmas[:1], sigmas[1:-1].repeat_interleave(2), sigmas[-1:]])
    start = noisy = a_start(levels[0])
    theirs = []
    for call, timestep in enumerate(scheduler.timesteps):
        clean = a_curved_denoiser(noisy, Level(1.0, scheduler.sigmas[call].item()))
        if scheduler.state_in_first_order:
            theirs.append((noisy, clean))
        noisy = scheduler.step(clean, timestep, noisy, return_dict=False)[0]
    assert_same_path(list(heun(a_curved_denoiser, start, levels)), theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("steps", [2, 10, 25])
def test_dpm_solver_walks_like_diffusers_on_preserving_levels(steps):
    scheduler = diffusers.DPMSolverMultistepScheduler(
        prediction_type="sample", final_sigmas_type="zero", timestep_spacing="trailing"
    )
    scheduler.set_timesteps(steps)
    levels = [Level(a := 1 / (1 + s**2) ** 0.5, s * a) for s in scheduler.sigmas.tolist()]
    start = a_start(levels[0], torch.float32)
    ours = list(dpm_solver_pp_2m(a_curved_denoiser, start, levels))
    assert_same_path(ours, their_path(scheduler, start, levels), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("steps", [2, 10, 25])
def test_dpm_solver_and_preconditioning_are_those_of_diffusers_edm(steps):
    def network(scaled, c_noise):
        return torch.tanh(1.3 * scaled + c_noise.reshape(-1, 1, 1, 1, 1))

    levels = log_snr_levels(steps)
    scheduler = diffusers.EDMDPMSolverMultistepScheduler(sigma_data=1.0, sigma_schedule="exponential")
    scheduler = on_sigmas(scheduler, [level.sigma for level in levels])
    start = noisy = a_start(levels[0])
    theirs = []
    for timestep, sigma in zip(scheduler.timesteps, scheduler.sigmas[:-1], strict=True):
        answer = network(scheduler.precondition_inputs(noisy, sigma), scheduler.precondition_noise(sigma).expand(2))
        theirs.append((noisy, scheduler.precondition_outputs(noisy, answer, sigma)))
        noisy = scheduler.step(answer, timestep, noisy, return_dict=False)[0]
    ours = list(dpm_solver_pp_2m(EDMDenoiser(network), start, levels))
    assert_same_path(ours, theirs, rtol=1e-9, atol=1e-9)
