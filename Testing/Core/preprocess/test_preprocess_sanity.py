"""What is no CT in HU is refused with its numbers; what is one passes."""

from __future__ import annotations

import numpy as np
import pytest

from StructDiffCore.config.resources import shared_data_folder
from StructDiffCore.domain import Geometry, StructDiffError, Volume
from StructDiffCore.io.files import read_volume
from StructDiffCore.preprocess.sanity import check_hu

DATA = shared_data_folder()
GRID = Geometry((30, 30, 30))


def a_chest() -> np.ndarray:
    """Lung, fat, muscle and contrast medium with noise."""
    rng = np.random.default_rng(0)
    means = rng.choice([-850.0, -100.0, 50.0, 400.0], p=[0.3, 0.2, 0.3, 0.2], size=GRID.shape)
    return np.rint(means + rng.normal(0, 20, GRID.shape))


def refusal(voxels: np.ndarray) -> str:
    with pytest.raises(StructDiffError) as caught:
        check_hu(Volume(voxels, GRID), "the template image")
    assert str(caught.value).startswith("the template image")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_ct_passes():
    facts = check_hu(Volume(a_chest(), GRID))
    assert facts.lowest < -800
    assert facts.whole_numbers


def test_an_image_in_unit_range_is_refused():
    assert "[0, 1]" in refusal((a_chest() + 1000) / 1600)


def test_a_normalised_image_is_refused():
    chest = a_chest()
    assert "normalised" in refusal((chest - chest.mean()) / chest.std())


def test_an_8_bit_picture_is_refused():
    chest = np.rint((a_chest() + 1000) / 1600 * 255)
    assert "8-bit" in refusal(np.clip(chest, 0, 255))


def test_an_offset_of_1024_is_recognised():
    assert "1024 added" in refusal(np.maximum(a_chest() + 1024, 0))


def test_an_mr_is_refused():
    rng = np.random.default_rng(0)
    assert "an MR?" in refusal(np.rint(np.abs(rng.normal(300, 150, GRID.shape))))


def test_unscaled_numbers_are_refused():
    assert "rescale" in refusal(a_chest() * 30)


@pytest.mark.skipif(DATA is None, reason="the folder of real scans is not beside this checkout")
@pytest.mark.parametrize("name", ["ts_thorax_cta_1p5mm_ct", "ts_abdomen_ct_3mm_ct", "ts_aorta_cta_1p5mm_ct"])
def test_real_scans_pass(name):
    assert check_hu(read_volume(DATA / f"{name}.nii.gz")).p999 > 200
