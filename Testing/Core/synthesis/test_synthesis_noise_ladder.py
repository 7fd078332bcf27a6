"""Acquisition noise from model to voxels and back; memory said before and climbed down from."""

import json

import numpy as np
import pytest
import torch
from analytic_system import ForgetfulSystem
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.domain import Geometry, StructDiffError
from StructDiffCore.measures.noise import NoiseModel, fit_noise
from StructDiffCore.synthesis.acquisition_noise import sample_noise
from StructDiffCore.synthesis.ladder import Rung, climb_down, ladder, refuse_what_cannot_fit
from StructDiffCore.synthesis.memory import memory_needed

SHAPE = (80, 84, 72)
BANDS = (0.05, 0.2, 0.35, 0.5, 0.62)


@pytest.fixture(scope="module")
def a_scan():
    labels = np.full(SHAPE, 1)
    labels[40:] = 2
    noise = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal(SHAPE), (0.7, 0.7, 0.4))
    return labels, np.where(labels == 1, -90, 60) + (20 * noise / noise.std()).astype(np.float32)


@pytest.fixture(scope="module")
def a_model(a_scan):
    return fit_noise(a_scan[1], a_scan[0], (0.8, 0.8, 0.8))


def test_sampled_noise_is_fitted_like_the_scans(a_scan, a_model):
    labels, _ = a_scan
    noise = sample_noise(a_model, Geometry(SHAPE, (0.8, 0.8, 0.8)), seed=1)
    again = fit_noise(noise, labels, (0.8, 0.8, 0.8))
    assert again.amplitude_hu == pytest.approx(a_model.amplitude_hu, rel=0.1)
    assert_allclose(again.band_amplitudes(BANDS), a_model.band_amplitudes(BANDS), rtol=0.2)
    assert noise.std() == pytest.approx(20, rel=0.1)


def test_a_finer_grid_gets_no_invented_detail(a_model):
    geometry = Geometry((96, 96, 96), (0.4, 0.4, 0.4))
    noise = sample_noise(a_model, geometry, seed=2)
    power = np.abs(np.fft.fftn(noise)) ** 2
    f = np.fft.fftfreq(96, 0.4)
    beyond = (np.abs(f)[:, None, None] > 0.66) | (np.abs(f)[None, :, None] > 0.66) | (np.abs(f)[None, None] > 0.66)
    assert power[beyond].sum() < 0.01 * power.sum()
    assert noise.std() == pytest.approx(20, rel=0.12)


def test_the_patients_axis_may_be_any_index_axis(a_model):
    lying = Geometry((60, 70, 80), (0.8, 0.8, 0.8), direction=((0, 0, 1), (0, 1, 0), (1, 0, 0)))
    along, across = a_model.axial_power, a_model.plane_power
    assert len(along) != len(across) or not np.allclose(along, across)
    noise = sample_noise(a_model, lying, seed=0)
    neighbours = [np.mean(np.take(noise, range(1, 60), a) * np.take(noise, range(59), a)) / noise.var() for a in range(3)]
    assert neighbours[0] < min(neighbours[1:]) - 0.1


def test_noise_has_its_own_seed(a_model):
    geometry = Geometry((24, 24, 24), (0.8, 0.8, 0.8))
    assert_array_equal(sample_noise(a_model, geometry, 3), sample_noise(a_model, geometry, 3))
    assert np.abs(sample_noise(a_model, geometry, 3) - sample_noise(a_model, geometry, 4)).mean() > 5


def test_noise_is_the_same_after_the_model_went_through_json(a_model):
    stored = NoiseModel.from_dict(json.loads(json.dumps(a_model.as_dict())))
    geometry = Geometry((16, 16, 16), (0.8, 0.8, 0.8))
    assert_array_equal(sample_noise(stored, geometry, 0), sample_noise(a_model, geometry, 0))


def test_a_volume_that_cannot_fit_is_refused_with_numbers():
    with pytest.raises(StructDiffError, match=r"4096x4096x4096 .* GiB .* 8\.0 GiB are free") as refusal:
        refuse_what_cannot_fit((4096, 4096, 4096), 10**6, available=8 * 2**30)
    assert refusal.value.exit_code == 2
    refuse_what_cannot_fit((128, 128, 128), 128**3, available=2 * 2**30)


def test_memory_grows_with_the_tile_and_the_volume():
    def needed(shape, tile, **settings):
        return memory_needed(shape, 1, SynthesisSettings(tile=tile, **settings), "float32").total

    assert needed((256,) * 3, 128) > needed((256,) * 3, 64) > needed((128,) * 3, 64)
    assert needed((256,) * 3, 64, template_detail=True) - needed((256,) * 3, 64) == 4 * 256**3


def test_the_ladder_goes_to_bf16_then_smaller_tiles_then_the_cpu():
    cuda = torch.device("cuda:0")
    rungs = ladder(cuda, torch.float32, 96)
    assert [(r.device.type, r.dtype, r.tile) for r in rungs] == [
        ("cuda", torch.float32, 96),
        ("cuda", torch.bfloat16, 96),
        ("cuda", torch.bfloat16, 64),
        ("cuda", torch.bfloat16, 48),
        ("cuda", torch.bfloat16, 32),
        ("cpu", torch.float32, 64),
    ]


def _attempt(rung):
    from test_synthesis_volume import a_condition

    from StructDiffCore.synthesis.volume import synthesize_volume

    settings = SynthesisSettings(steps=1, tile=rung.tile, overlap=8)
    return synthesize_volume(ForgetfulSystem(40**3), a_condition((72, 40, 40)), Geometry((72, 40, 40)), settings, 0)


def test_running_out_of_memory_leads_to_smaller_tiles_and_is_told():
    heard = []
    made, steps = climb_down(_attempt, ladder(torch.device("cpu"), torch.bfloat16, 64), heard.append)
    assert made.voxels.shape == (72, 40, 40)
    assert heard == steps
    assert len(steps) == 2
    assert "tile 48" in steps[0]
    assert steps[-1].endswith("tile 32")


def test_below_the_last_rung_memory_is_out():
    def attempt(rung):
        raise MemoryError

    with pytest.raises(StructDiffError) as refusal:
        climb_down(attempt, [Rung(torch.device("cpu"), torch.float32, 32)], lambda words: None)
    assert refusal.value.category == "out_of_memory"
    assert refusal.value.exit_code == 4


def test_other_errors_are_not_taken_for_memory():
    def attempt(rung):
        raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape"):
        climb_down(attempt, ladder(torch.device("cpu"), torch.float32, 64), lambda words: None)
