"""Levels and grids: counted by hand, checked where bad, and the schedules of diffusers."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from StructDiffCore.diffusion.levels import (
    Level,
    LevelBatch,
    check_levels,
    flow_levels,
    linear_alpha_bar,
    log_snr_levels,
    trailing_timesteps,
    vp_levels,
)
from StructDiffCore.domain import StructDiffError

few = settings(max_examples=30, derandomize=True, deadline=None)


def test_the_log_snr_grid_of_three_steps_is_what_one_counts():
    levels = log_snr_levels(3, sigma_max=10.0, sigma_min=0.1)
    assert [level.alpha for level in levels] == [1.0] * 4
    np.testing.assert_allclose([level.sigma for level in levels], [10.0, 1.0, 0.1, 0.0], rtol=1e-12)


def test_one_step_goes_straight_from_the_noisiest_level_to_zero():
    assert [level.sigma for level in log_snr_levels(1)] == [20.0, 0.0]


@few
@given(steps=st.integers(2, 200), sigma_max=st.floats(1.0, 100.0), ratio=st.floats(2.0, 1e5))
def test_log_snr_levels_are_uniform_in_log_snr_and_end_at_zero(steps, sigma_max, ratio):
    levels = log_snr_levels(steps, sigma_max, sigma_max / ratio)
    check_levels(levels)
    assert len(levels) == steps + 1
    strides = np.diff([level.log_snr for level in levels[:-1]])
    np.testing.assert_allclose(strides, 2 * math.log(ratio) / (steps - 1), rtol=1e-6)
    assert levels[-1] == Level(1.0, 0.0)


@few
@given(steps=st.integers(1, 1000))
def test_variance_preserving_and_flow_levels_are_walkable_and_keep_their_law(steps):
    preserving, flow = vp_levels(linear_alpha_bar(), steps), flow_levels(steps)
    check_levels(preserving)
    check_levels(flow)
    assert len(preserving) == len(flow) == steps + 1
    np.testing.assert_allclose([level.alpha**2 + level.sigma**2 for level in preserving], 1.0, rtol=1e-12)
    np.testing.assert_allclose([level.alpha + level.sigma for level in flow], 1.0, rtol=1e-12)


def test_log_snr_counts_alpha_and_sigma_squared():
    assert Level(1.0, 0.1).log_snr == pytest.approx(math.log(100.0))
    assert Level(0.5, 0.5).log_snr == 0.0
    assert Level(1.0, 0.0).log_snr == math.inf


@pytest.mark.parametrize("steps", [1, 2, 4, 10, 20, 50, 1000])
def test_timesteps_are_those_of_diffusers(steps):
    diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
    scheduler = diffusers.DDIMScheduler(timestep_spacing="trailing")
    scheduler.set_timesteps(steps)
    assert scheduler.timesteps.tolist() == trailing_timesteps(1000, steps)
    np.testing.assert_allclose(linear_alpha_bar(), scheduler.alphas_cumprod.double(), rtol=1e-4)


@pytest.mark.parametrize(
    "levels",
    [
        [],
        [Level(1, 0)],
        [Level(1, 2), Level(1, 1)],
        [Level(1, 1), Level(1, 2), Level(1, 0)],
        [Level(1, 1), Level(1, 1), Level(1, 0)],
        [Level(1, 1), Level(1, 0), Level(1, 0)],
        [Level(1, 1), Level(0.5, 0.5), Level(1, 0)],
    ],
)
def test_a_grid_that_does_not_walk_down_to_zero_is_refused(levels):
    with pytest.raises(StructDiffError):
        check_levels(levels)


@pytest.mark.parametrize(
    ("alpha", "sigma"),
    [(0, 1), (-1, 1), (1, -0.1), (math.nan, 1), (1, math.inf), (1, torch.ones(2)), (1, "0.5"), (1, None)],
)
def test_a_level_is_two_finite_numbers(alpha, sigma):
    with pytest.raises(StructDiffError):
        Level(alpha, sigma)


def test_a_level_takes_numpy_numbers_and_holds_floats():
    level = Level(np.float32(1), np.int64(2))
    assert (type(level.alpha), type(level.sigma)) == (float, float)


@pytest.mark.parametrize(
    "make",
    [
        lambda: log_snr_levels(0),
        lambda: log_snr_levels(2.5),
        lambda: log_snr_levels(5, sigma_max=0.01),
        lambda: log_snr_levels(5, sigma_min=0.0),
        lambda: vp_levels([0.9, 0.5], 3),
        lambda: vp_levels([0.5, 0.9], 2),
        lambda: vp_levels([1.0, 0.9], 2),
        lambda: vp_levels([0.9, 0.0], 2),
        lambda: flow_levels(4, t_max=1.0),
        lambda: LevelBatch(torch.ones(2), torch.ones(3)),
        lambda: LevelBatch(torch.ones(2, 1), torch.ones(2, 1)),
    ],
)
def test_settings_that_make_no_grid_are_refused(make):
    with pytest.raises(StructDiffError):
        make()
