"""The split of a scan into anatomy and noise: the noise goes, the edges stay, and the parts add up."""

import numpy as np
import pytest
from scipy import ndimage

from StructDiffCore.measures.noise_split import split_noise

SIGMA_HU = 20.0


@pytest.fixture(scope="module")
def a_scan():
    """Two tissues and a thin vessel, with correlated noise."""
    rng = np.random.default_rng(0)
    truth = np.full((60, 60, 24), 40.0, np.float32)
    truth[30:] = -90.0
    truth[12:15, :, 10:13] = 300.0
    noise = ndimage.gaussian_filter(rng.normal(0, 1, truth.shape), (0.6, 0.6, 0.3))
    noise *= SIGMA_HU / noise.std()
    regions = np.where(truth > 0, 1, 2)
    regions[8:19, :, 6:17] = 0
    return truth, noise.astype(np.float32), split_noise((truth + noise).astype(np.float32), regions, (1.0, 1.0, 2.0))


def test_the_parts_add_up(a_scan):
    truth, noise, split = a_scan
    np.testing.assert_allclose(split.clean + split.noise, truth + noise, atol=1e-3)


def test_most_of_the_noise_is_taken_off_and_what_is_taken_is_noise(a_scan):
    truth, noise, split = a_scan
    flat = np.zeros(truth.shape, bool)
    flat[2:8, 4:-4, 3:-3] = flat[36:-4, 4:-4, 3:-3] = True
    assert (split.clean - truth)[flat].std() < 0.45 * SIGMA_HU
    assert np.corrcoef(split.noise[flat], noise[flat])[0, 1] > 0.9


def test_edges_and_vessels_keep_their_height(a_scan):
    _, _, split = a_scan
    assert split.clean[13, 5:-5, 11].mean() == pytest.approx(300, abs=12)
    step = split.clean[29, 5:-5, 3:-3].mean() - split.clean[30, 5:-5, 3:-3].mean()
    assert step == pytest.approx(130, abs=12)
