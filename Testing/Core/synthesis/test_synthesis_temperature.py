"""Temperature: weaker start noise, calmer answers, down to one that no seed changes."""

import numpy as np
import pytest
from analytic_system import PointwiseSystem
from numpy.testing import assert_array_equal

from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.domain import Geometry, StructDiffError
from StructDiffCore.models.conditioning import ConditionMaps
from StructDiffCore.synthesis.volume import synthesize_volume

SHAPE = (32, 32, 32)


def made(temperature, seed=0):
    prior, zeros = np.full(SHAPE, 50.0, np.float32), np.zeros(SHAPE, np.float32)
    maps = (prior, zeros, zeros, prior, prior, zeros)
    condition = ConditionMaps(*maps, zeros.astype(np.int16), np.zeros((1, 15), np.float32))
    chosen = SynthesisSettings(steps=10, tile=32, overlap=8, temperature=temperature)
    return synthesize_volume(PointwiseSystem(), condition, Geometry(SHAPE), chosen, seed).voxels


def test_the_spread_of_a_gaussians_samples_follows_the_temperature():
    whole, half = made(1.0).std(), made(0.5).std()
    assert half / whole == pytest.approx(0.5, abs=0.03)


def test_without_start_noise_no_seed_changes_the_answer():
    assert_array_equal(made(0.0, seed=1), made(0.0, seed=2))


@pytest.mark.parametrize("temperature", [-0.1, 1.5, float("nan")])
def test_other_temperatures_are_refused(temperature):
    with pytest.raises(StructDiffError, match="temperature"):
        SynthesisSettings(temperature=temperature)
