"""SSV: closed forms on a linear-Gaussian denoiser, Welford against numpy, the same job the same map."""

import weakref
from itertools import pairwise

import numpy as np
import pytest
import torch
from analytic_system import NeighbourSystem, PointwiseSystem
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.testing import assert_allclose, assert_array_equal

from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.diffusion.levels import SIGMA_MAX, SIGMA_MIN, log_snr_levels
from StructDiffCore.diffusion.sampling import SamplingStep, start_noise
from StructDiffCore.domain import Geometry, StructDiffError
from StructDiffCore.models.conditioning import ConditionMaps
from StructDiffCore.synthesis.running_variance import RunningVariance
from StructDiffCore.synthesis.ssv import DECIDING_SIGMA, SkippedPathsSpread, TrajectorySpread, skipped_levels
from StructDiffCore.synthesis.tiles import plan_tiles
from StructDiffCore.synthesis.volume import sample_volume, synthesize_volume

SHAPE = (24, 20, 17)
UNIT_HU = 50.0


def a_condition(shape, offset=0.0):
    prior = np.random.default_rng(0).normal(50, 200, shape).astype(np.float32) + np.float32(offset)
    zeros = np.zeros(shape, np.float32)
    return ConditionMaps(prior, zeros, zeros, prior, prior, zeros, zeros.astype(np.int16), np.zeros((1, 15), np.float32))


def sampled(method="trajectory", steps=8, seed=0, system=None, tile=16, shape=SHAPE, sampler="ddim", paths=5, **more):
    chosen = SynthesisSettings(sampler=sampler, steps=steps, tile=tile, overlap=8, ssv=method, ssv_paths=paths, temperature=1.0)
    return sample_volume(system or PointwiseSystem(), a_condition(shape), Geometry(shape), chosen, seed, **more)


def variance_of(*given, **named):
    return sampled(*given, **named).uncertainty.variance_hu2.voxels


def estimate_gains(levels):
    """Of data N(m, 1): (clean estimate - m) / (start - m) at each level of a DDIM path, from its definition."""
    gains, left = [], 1.0
    for level, following in pairwise(levels):
        share = 1 / (1 + level.sigma**2)
        gains.append(left * share)
        ratio = following.sigma / level.sigma
        left *= share + ratio * (1 - share)
    return np.array(gains)


def start_from_mean(seed=0, shape=SHAPE):
    """Start noise minus the mean of the data, on the volume's own grid."""
    padded = plan_tiles(shape, 16, 8).padded
    noise = start_noise((1, 1, *padded), [torch.Generator().manual_seed(seed)])[0, 0].numpy() * SIGMA_MAX
    i, j, k = shape
    return noise[:i, :j, :k].astype(float) - a_condition(shape).prior_hu / 1000


@pytest.mark.parametrize("steps", [3, 8, 20])
def test_the_trajectorys_variance_has_its_closed_form(steps):
    levels = log_snr_levels(steps)
    low, high = DECIDING_SIGMA
    enter = np.array([low <= level.sigma <= high for level in levels[:-2]] + [True])
    wanted = (UNIT_HU * start_from_mean()) ** 2 * np.var(estimate_gains(levels)[enter], ddof=1)
    assert_allclose(variance_of(steps=steps), wanted, rtol=2e-3, atol=1e-2)


@pytest.mark.parametrize("paths", [2, 5])
def test_the_skipped_paths_variance_has_its_closed_form(paths):
    grids = SkippedPathsSpread(paths, 12, seed=3).grids
    results = [estimate_gains(grid)[-1] for grid in grids]
    wanted = (UNIT_HU * start_from_mean(seed=3)) ** 2 * np.var(results, ddof=1)
    assert_allclose(variance_of("full", steps=12, seed=3, paths=paths), wanted, rtol=2e-2, atol=0.1)


def test_a_denoiser_that_is_sure_has_no_spread():
    class Sure(PointwiseSystem):
        def denoiser(self, features):
            return lambda noisy, level: features.prior / 1000

    for method in ("trajectory", "full"):
        assert variance_of(method, system=Sure()).max() < 1e-6


@pytest.mark.parametrize("method", ["trajectory", "full"])
def test_the_same_job_gives_the_same_map_bit_for_bit(method):
    assert_array_equal(variance_of(method, seed=4), variance_of(method, seed=4))
    assert np.abs(variance_of(method, seed=4) - variance_of(method, seed=5)).max() > 1


@pytest.mark.parametrize("method", ["trajectory", "full"])
def test_tiles_give_the_map_of_one_pass(method):
    one, tiled = (variance_of(method, tile=tile, shape=(32, 24, 24)) for tile in (64, 16))
    assert_allclose(tiled, one, rtol=1e-3, atol=1e-2)


def test_a_denoiser_that_sees_its_neighbours_leaves_no_seam_in_the_map():
    one, tiled = (np.sqrt(variance_of(tile=tile, shape=(40, 40, 40), system=NeighbourSystem())) for tile in (64, 24))
    assert np.abs(tiled - one).max() < 5


@pytest.mark.parametrize("sampler", ["dpm_solver_pp_2m", "ddim", "ddpm", "euler", "heun"])
@pytest.mark.parametrize("method", ["trajectory", "full"])
def test_asking_for_a_map_never_changes_the_volume(sampler, method):
    with_map = sampled(method, sampler=sampler, steps=4).volume.voxels
    chosen = SynthesisSettings(sampler=sampler, steps=4, tile=16, overlap=8, temperature=1.0)
    without = synthesize_volume(PointwiseSystem(), a_condition(SHAPE), Geometry(SHAPE), chosen, 0).voxels
    assert_array_equal(with_map, without)


@settings(max_examples=10, derandomize=True, deadline=None)
@given(st.tuples(*[st.integers(1, 30)] * 3), st.sampled_from(["trajectory", "full"]), st.integers(3, 9))
def test_the_map_of_any_volume_has_its_grid_and_is_finite_and_never_negative(shape, method, steps):
    found = sampled(method, steps=steps, shape=shape).uncertainty
    assert found.variance_hu2.voxels.shape == shape
    assert found.variance_hu2.voxels.min() >= 0
    assert_allclose(found.deviation_hu.voxels**2, found.variance_hu2.voxels, rtol=1e-5, atol=1e-5)


def test_without_a_method_or_with_one_estimate_there_is_no_map():
    assert sampled("off").uncertainty is None
    assert sampled("trajectory", steps=1).uncertainty is None


def test_features_of_the_template_are_made_once_for_all_paths():
    system = PointwiseSystem()
    sampled("full", system=system, shape=(16, 16, 16))
    assert system.encoded == 1


def test_progress_counts_the_calls_of_all_paths():
    heard = []
    sampled("full", steps=8, shape=(16, 16, 16), on_step=lambda *step: heard.append(step))
    extra = SkippedPathsSpread(5, 8, 0).extra_calls
    assert heard == [("synthesize", n + 1, 8 + extra) for n in range(8 + extra)]


def test_a_caller_can_stop_between_two_network_calls_of_the_skipped_paths():
    heard = []

    def stop(stage, done, total):
        heard.append(done)
        if done == 8 + 7:
            raise StructDiffError("cancelled", "", "cancelled")

    with pytest.raises(StructDiffError, match="cancelled"):
        sampled("full", steps=8, shape=(16, 16, 16), on_step=stop)
    assert heard[-1] == 15


@settings(max_examples=25, derandomize=True, deadline=None)
@given(arrays.arrays(np.float64, st.tuples(st.integers(2, 12), st.integers(1, 6)), elements=st.floats(-3000, 3000)))
def test_the_running_variance_is_numpys(values):
    running = RunningVariance()
    for row in values:
        running.add(torch.from_numpy(row))
    assert_allclose(running.variance().numpy(), values.var(axis=0, ddof=1), rtol=1e-9, atol=1e-7)


def test_a_small_spread_on_a_large_mean_survives_float32():
    rows = 1000 + np.random.default_rng(0).normal(0, 0.05, (40, 500)).astype(np.float32)
    running = RunningVariance()
    for row in rows:
        running.add(torch.from_numpy(row))
    assert_allclose(running.variance().numpy(), rows.astype(float).var(axis=0, ddof=1), rtol=0.01)


def test_one_tensor_has_no_variance():
    running = RunningVariance()
    running.add(torch.zeros(3))
    assert running.variance() is None


@pytest.mark.parametrize("paths", [2, 9])
def test_no_paths_result_is_kept(paths):
    alive, most = [], 0

    def denoiser(noisy, level):
        nonlocal most
        most = max(most, sum(result() is not None for result in alive))
        clean = noisy / (1 + level.sigma**2)
        alive.append(weakref.ref(clean))
        return clean

    SkippedPathsSpread(paths, 6, 0).variance(denoiser, torch.ones(1, 1, 4, 4, 4))
    assert most <= 2


def test_the_trajectory_keeps_no_estimate():
    spread, alive = TrajectorySpread(), []
    for index, level in enumerate(log_snr_levels(12)[:-1]):
        clean = torch.full((1, 1, 2, 2, 2), float(index))
        alive.append(weakref.ref(clean))
        spread.watch(SamplingStep(index, 12, level, clean, clean))
    del clean
    assert [result() for result in alive] == [None] * 12


@settings(max_examples=30, derandomize=True, deadline=None)
@given(st.integers(1, 60), st.integers(0, 2**32))
def test_a_skipped_grid_walks_down_through_the_deciding_levels_in_half_the_steps(steps, seed):
    grid = skipped_levels(steps, np.random.default_rng(seed))
    sigmas = [level.sigma for level in grid]
    assert sigmas == sorted(set(sigmas), reverse=True)
    assert (sigmas[0], sigmas[-1]) == (SIGMA_MAX, 0)
    assert sigmas[-2] == pytest.approx(SIGMA_MIN)
    assert all(DECIDING_SIGMA[0] <= sigma <= DECIDING_SIGMA[1] for sigma in sigmas[1:-2])
    assert len(grid) - 1 <= max(3, steps // 2)


def test_the_grids_of_a_job_differ_from_path_to_path_and_hang_on_the_seed():
    grids = [tuple(level.sigma for level in grid) for grid in SkippedPathsSpread(5, 16, 0).grids]
    assert len(set(grids)) == 5
    assert SkippedPathsSpread(5, 16, 1).grids != SkippedPathsSpread(5, 16, 0).grids
    assert SkippedPathsSpread(5, 16, 0).grids == SkippedPathsSpread(5, 16, 0).grids


@pytest.mark.parametrize("method", ["trajectory", "full"])
def test_the_record_tells_how_the_map_was_made(method):
    record = sampled(method).uncertainty.record
    assert record["method"] == method
    assert len(record["sigmas" if method == "trajectory" else "grids"]) == (4 if method == "trajectory" else 5)
