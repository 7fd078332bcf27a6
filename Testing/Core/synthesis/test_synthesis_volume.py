"""Whole volumes by tiles: the tile plan, equality with one pass, seeds, seams, memory, stopping."""

import numpy as np
import pytest
from analytic_system import NeighbourSystem, PointwiseSystem
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.domain import Geometry, StructDiffError
from StructDiffCore.models.conditioning import ConditionMaps
from StructDiffCore.synthesis.tiles import plan_tiles
from StructDiffCore.synthesis.volume import synthesize_volume


def a_condition(shape, seed=0):
    prior = np.random.default_rng(seed).normal(50, 200, shape).astype(np.float32)
    zeros = np.zeros(shape, np.float32)
    return ConditionMaps(prior, zeros, zeros, prior, prior, zeros, zeros.astype(np.int16), np.zeros((1, 15), np.float32))


def made(shape, tile, seed=0, system=None, sampler="dpm_solver_pp_2m", steps=3, **more):
    chosen = SynthesisSettings(sampler=sampler, steps=steps, tile=tile, overlap=8, temperature=1.0)
    system = system or PointwiseSystem()
    return synthesize_volume(system, a_condition(shape), Geometry(shape), chosen, seed, **more).voxels


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.tuples(*[st.integers(1, 90)] * 3), st.sampled_from([16, 32, 64]), st.sampled_from([0, 8]))
def test_the_windows_of_any_plan_add_up_to_one(shape, tile, overlap):
    plan = plan_tiles(shape, tile, overlap)
    total = np.zeros(plan.padded, np.float32)
    for piece in plan.tiles:
        assert piece.shape == plan.tile_shape
        assert all(s % 8 == 0 and n % 8 == 0 for s, n in zip(piece.start, piece.shape))
        total[piece.box] += piece.weight
    assert_allclose(total, 1, atol=1e-5)
    assert all(p >= n for p, n in zip(plan.padded, shape))


@settings(max_examples=12, derandomize=True, deadline=None)
@given(st.tuples(*[st.integers(1, 45)] * 3))
def test_a_volume_of_any_size_comes_out_with_its_own_size(shape):
    voxels = made(shape, 16, steps=2)
    assert voxels.shape == shape
    assert np.isfinite(voxels).all()


@pytest.mark.parametrize("sampler", ["dpm_solver_pp_2m", "ddim", "ddpm", "euler", "heun"])
def test_tiles_give_what_one_pass_gives(sampler):
    one, tiled = (made((40, 33, 26), tile, sampler=sampler) for tile in (64, 16))
    assert_allclose(tiled, one, atol=0.02)


def test_a_denoiser_that_sees_its_neighbours_leaves_no_seam():
    one, tiled = (made((48, 40, 40), tile, system=NeighbourSystem()) for tile in (64, 24))
    difference = tiled - one
    assert np.sqrt((difference**2).mean()) < 1
    assert np.abs(difference).max() < 10


def test_the_same_seed_gives_the_same_voxels_and_another_one_others():
    assert_array_equal(made((20, 20, 20), 16, seed=5), made((20, 20, 20), 16, seed=5))
    assert np.abs(made((20, 20, 20), 16, seed=5) - made((20, 20, 20), 16, seed=6)).mean() > 10


def test_the_result_has_the_spread_and_the_mean_of_the_gaussian():
    shape = (40, 40, 40)
    residual = (made(shape, 24, steps=12) - a_condition(shape).prior_hu) / 50
    error = residual - a_condition(shape).prior_hu / 1000
    assert error.mean() == pytest.approx(0, abs=0.02)
    assert error.std() == pytest.approx(1, abs=0.05)


def test_the_network_sees_no_more_than_a_tile():
    system = PointwiseSystem()
    made((48, 48, 48), 16, system=system)
    assert system.largest == 16**3


def test_features_are_made_once_per_tile_within_the_budget():
    shape, tiles = (32, 16, 16), 3
    for budget_mib, rounds in ((64, 1), (0, 4)):
        system = PointwiseSystem()
        chosen = SynthesisSettings(steps=4, tile=16, overlap=8, feature_cache_mib=budget_mib)
        synthesize_volume(system, a_condition(shape), Geometry(shape), chosen, 0)
        assert system.encoded == tiles * rounds


@pytest.mark.parametrize(("sampler", "calls"), [("ddim", 3), ("heun", 5)])
def test_progress_counts_network_calls_to_the_last(sampler, calls):
    heard = []
    made((32, 16, 16), 16, sampler=sampler, on_step=lambda *step: heard.append(step))
    assert heard == [("synthesize", n + 1, 3 * calls) for n in range(3 * calls)]


def test_a_caller_can_stop_between_two_network_calls():
    def stop(stage, done, total):
        if done == 4:
            raise StructDiffError("cancelled", "", "cancelled")

    system = PointwiseSystem()
    with pytest.raises(StructDiffError, match="cancelled"):
        made((32, 16, 16), 16, system=system, on_step=stop)


def test_hu_stay_in_the_range_of_ct():
    shape = (16, 16, 16)
    prior = np.where(np.indices(shape)[0] < 8, -5000.0, 9000.0).astype(np.float32)
    condition = a_condition(shape)
    extreme = ConditionMaps(prior, *(getattr(condition, n) for n in list(condition.__dataclass_fields__)[1:]))
    voxels = synthesize_volume(PointwiseSystem(), extreme, Geometry(shape), SynthesisSettings(steps=2), 0).voxels
    assert (voxels.min(), voxels.max()) == (-1024, 3071)


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"tile": 20}, {"tile": 8}, {"overlap": 9}, {"overlap": 72}, {"sampler": "x"}, {"precision": "int8"}]
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(StructDiffError) as refusal:
        SynthesisSettings(**wrong)
    assert refusal.value.exit_code == 2
    assert refusal.value.remedy
