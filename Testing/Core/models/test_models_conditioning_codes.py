"""Region codes: robust statistics, partial volume inverted, and where a missing code comes from."""

import numpy as np
import pytest
from scipy import ndimage

from StructDiffCore.domain import CARDIAC, LabelScheme
from StructDiffCore.models.region_code import CODE_LENGTH, NULL_CODE, RegionCode, code_for, region_codes

SPACING = (0.8, 0.8, 0.8)


def a_vessel(radius_mm, seed, background=(-90.0, -90.0), wall_hu=None, true_hu=400.0, size=36, fine=5):
    """An oblique tube of ``true_hu`` drawn on a fine grid, averaged to 0.8 mm voxels, blurred by 0.6 mm; noise 15 HU."""
    rng = np.random.default_rng(seed)
    through = rng.uniform(0.45, 0.55, 3) * size * 0.8
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    centres = np.moveaxis(np.indices((size,) * 3), 0, -1) * 0.8 + 0.4

    def away(points):
        offset = points - through
        return np.linalg.norm(offset - (offset @ direction)[..., None] * direction, axis=-1)

    lumen, wall = np.zeros((size,) * 3), np.zeros((size,) * 3)
    steps = (np.arange(fine) - (fine - 1) / 2) * 0.8 / fine
    for shift in np.stack(np.meshgrid(steps, steps, steps), -1).reshape(-1, 3):
        distance = away(centres + shift)
        lumen += (distance < radius_mm) / fine**3
        wall += ((distance >= radius_mm) & (distance < radius_mm + 0.7)) / fine**3
    around = np.where(centres[..., 0] < size * 0.4, *background)
    hu = around + lumen * (true_hu - around) + (0 if wall_hu is None else wall * (wall_hu - around))
    image = ndimage.gaussian_filter(hu, 0.6 / 0.8) + rng.normal(0, 15, hu.shape)
    tissue = np.where(centres[..., 0] < size * 0.4, 100_002, 100_003)
    return image.astype(np.float32), np.where(away(centres) < radius_mm, 8, tissue)


@pytest.mark.parametrize("background", [(-90.0, -90.0), (-90.0, 110.0)])
@pytest.mark.parametrize("radius_mm", [0.45, 0.6, 1.0, 1.5])
def test_a_vessel_thinner_than_the_blur_reads_its_true_hu(radius_mm, background):
    for seed in (0, 1):
        image, labels = a_vessel(radius_mm, seed, background)
        code = region_codes(image, labels, SPACING, thin_values=(8,))[8]
        naive = np.median(image[labels == 8])
        assert code.median_hu == pytest.approx(400, abs=60)
        assert code.inverted
        assert naive < 320


def test_the_thinnest_vessel_reads_less_than_a_quarter_when_taken_naively():
    image, labels = a_vessel(0.45, 0)
    assert np.median(image[labels == 8]) < 100
    assert region_codes(image, labels, SPACING, (8,))[8].median_hu == pytest.approx(400, abs=60)


def test_a_vessels_wall_is_not_counted_as_lumen():
    image, labels = a_vessel(1.5, 3, wall_hu=70.0)
    assert region_codes(image, labels, SPACING, (8,))[8].median_hu == pytest.approx(400, abs=60)


def test_a_thick_label_is_read_in_its_interior():
    rng = np.random.default_rng(0)
    labels = np.ones((40, 40, 40), int)
    labels[10:30, 10:30, 10:30] = 2
    image = ndimage.gaussian_filter(np.where(labels == 2, 300.0, -100.0), 1) + rng.normal(0, 20, labels.shape)
    code = region_codes(image.astype(np.float32), labels, SPACING)[2]
    assert code.median_hu == pytest.approx(300, abs=3)
    assert code.band_fine_hu == pytest.approx(20, rel=0.15)
    assert code.p90_hu - code.p10_hu == pytest.approx(2 * 1.28 * 20, rel=0.25)
    assert code.volume_mm3 == pytest.approx(20**3 * 0.8**3)
    assert code.thickness_mm == pytest.approx(20 * 0.8 / 6)
    assert abs(code.autocorrelation_in_plane) < 0.15
    assert not code.inverted


def test_correlated_noise_shows_in_the_bands_and_the_autocorrelation():
    rng = np.random.default_rng(0)
    labels = np.ones((40, 40, 40), int)
    white = rng.standard_normal(labels.shape)
    smooth = ndimage.gaussian_filter(white, (1.2, 1.2, 0))
    fine = region_codes((20 * white).astype(np.float32), labels, SPACING)[1]
    coarse = region_codes((20 * smooth / smooth.std()).astype(np.float32), labels, SPACING)[1]
    assert coarse.autocorrelation_in_plane > 0.5
    assert abs(coarse.autocorrelation_axial) < 0.2
    assert coarse.band_middle_hu / coarse.band_fine_hu > 2 * fine.band_middle_hu / fine.band_fine_hu


def test_every_code_has_the_same_length_and_the_null_code_is_zero():
    assert NULL_CODE.vector.shape == (CODE_LENGTH,)
    assert not NULL_CODE.vector.any()
    code = RegionCode(400, 350, 450, 20, 8, 4, 0.3, 0.4, 1e4, 5, known=True)
    assert code.vector.shape == (CODE_LENGTH,)
    assert np.abs(code.vector).max() <= 4


@pytest.fixture
def some_codes():
    return {
        3: RegionCode(420, volume_mm3=9e4, known=True),
        6: RegionCode(400, volume_mm3=2e4, known=True),
        1: RegionCode(110, volume_mm3=8e4, known=True),
    }


def test_a_missing_coronary_looks_like_the_aorta_it_touches(some_codes):
    code, origin = code_for(8, some_codes, CARDIAC)
    assert (code.median_hu, code.borrowed, origin) == (400, True, "group:6")


def test_a_missing_atrium_looks_like_the_largest_blood_pool(some_codes):
    assert code_for(2, some_codes, CARDIAC)[1] == "group:3"


def test_a_present_label_is_its_own(some_codes):
    code, origin = code_for(6, some_codes, CARDIAC)
    assert (code.borrowed, origin) == (False, "template")


def test_without_groups_a_missing_label_gets_the_null_code(some_codes):
    scheme = LabelScheme.from_values([5, 6])
    assert code_for(5, some_codes, scheme) == (NULL_CODE, "null")
    assert code_for(6, some_codes, scheme)[1] == "template"


def test_a_correspondence_replaces_equal_values(some_codes):
    scheme = LabelScheme.from_values([5, 6])
    code, origin = code_for(5, some_codes, scheme, {5: 3})
    assert (code.median_hu, origin) == (420, "correspondence:3")
    assert code_for(6, some_codes, scheme, {5: 3})[1] == "null"


def test_a_group_is_found_through_the_correspondence(some_codes):
    assert code_for(8, some_codes, CARDIAC, {6: 3})[1] == "group:3"
