"""The "real" domain: what training never shows, motion and streaks, on a grid cut to a cube."""

import numpy as np
import pytest

from StructDiffCore.domain import CARDIAC, Geometry, ImageMaskPair, LabelMap, StructDiffError, Volume
from StructDiffCore.evaluation.downstream.far_errors import far_and_near
from StructDiffCore.evaluation.downstream.far_errors import main as far_errors_main
from StructDiffCore.evaluation.downstream.few_real import FewReal, starts_masks
from StructDiffCore.evaluation.downstream.real_domain import FIRST_SEED, _look, patient, tissue_of
from StructDiffCore.evaluation.downstream.streaks import with_streaks
from StructDiffCore.phantom.domains import HELD_OUT
from StructDiffCore.phantom.tissues import Tissue


def looks(count=60):
    return [_look(np.random.default_rng([FIRST_SEED, number])) for number in range(count)]


def test_every_look_is_held_out_and_half_of_them_move():
    found = looks()
    assert {look.noise.texture for look in found} == {HELD_OUT.noise_texture}
    assert {look.phase for look in found} == {HELD_OUT.contrast_phase}
    assert 0.3 < np.mean([look.motion.kind != "none" for look in found]) < 0.7


def test_streaks_change_the_slices_of_the_calcium_alone_and_average_out_around_it():
    grid = Geometry((64, 64, 40), (0.8, 0.8, 0.8))
    dense = np.zeros(grid.shape, bool)
    dense[30:33, 30:33, 18:22] = True
    image = Volume(np.zeros(grid.shape, np.float32), grid)
    change = with_streaks(image, dense, np.random.default_rng(0)).voxels
    assert np.abs(change[..., 19]).max() > 20
    assert np.abs(change[..., :5]).max() < 0.1
    assert abs(change[16:48, 16:48, 19].mean()) < 0.1 * np.abs(change[..., 19]).mean()
    assert np.abs(change[..., 19]).max() <= 80.1


def test_without_calcium_there_are_no_streaks():
    image = Volume(np.zeros((8, 8, 8), np.float32), Geometry((8, 8, 8)))
    assert with_streaks(image, np.zeros((8, 8, 8), bool), np.random.default_rng(0)) is image


def test_a_find_is_far_beyond_four_voxels_from_every_label_and_counts_for_its_tissue():
    labelled, found = np.zeros((2, 20, 9, 9), bool)
    labelled[0:3, 4, 4] = True
    found[0:10, 4, 4] = True
    tissue = np.full(found.shape, Tissue.LUNG, np.uint8)
    tissue[8:] = Tissue.BONE_CORTEX
    far, near = far_and_near(found, labelled, tissue)
    assert far == {"LUNG": 1, "BONE_CORTEX": 2}
    assert near == pytest.approx(2 * 3 / (7 + 3))


def test_far_errors_without_any_training_are_one_line(tmp_path, capsys):
    (tmp_path / "proof.yaml").write_text("{few: 1, window: 64, spacing_mm: 1.5}")
    assert far_errors_main([str(tmp_path / "proof.yaml"), "--out", str(tmp_path), "--hearts", "0"]) == 2
    assert "run the proof first" in capsys.readouterr().err


@pytest.mark.slow
def test_the_tissues_lie_under_the_scan():
    pair, tissue = patient(3, 1.5, 64), tissue_of(3, 1.5, 64)
    assert tissue.shape == pair.geometry.shape
    hu = [np.median(pair.image.voxels[tissue == kind]) for kind in (Tissue.LUNG, Tissue.MYOCARDIUM, Tissue.LV)]
    assert hu == sorted(hu)
    assert (pair.mask.voxels[tissue == Tissue.LV] == 3).mean() > 0.9


@pytest.mark.slow
def test_a_patient_is_a_cube_of_the_asked_size_and_the_same_every_time():
    one, again = (patient(3, 1.5, 64) for _ in range(2))
    assert one.geometry.shape == (64, 64, 64)
    np.testing.assert_array_equal(one.image.voxels, again.image.voxels)
    assert {1, 3, 6, 8} <= set(one.mask.present)
    with pytest.raises(StructDiffError, match="999 voxels"):
        patient(3, 1.5, 999)


def test_around_an_empty_mask_no_new_masks_can_be_made():
    grid = Geometry((16, 16, 16))
    pair = ImageMaskPair(Volume(np.zeros(grid.shape, np.float32), grid), LabelMap(np.zeros(grid.shape, np.uint8), grid, CARDIAC))
    assert not starts_masks(pair)


def test_a_new_mask_is_seen_in_the_field_of_view_of_its_parents_scan():
    scanned, made = Geometry((16, 16, 16), origin=(4.0, 4.0, 4.0)), Geometry((24, 24, 24))
    pair = ImageMaskPair(
        Volume(np.zeros(scanned.shape, np.float32), scanned), LabelMap(np.zeros(scanned.shape, np.uint8), scanned, CARDIAC)
    )
    labels = np.zeros(made.shape, np.uint8)
    labels[10, 11, 12], labels[1, 1, 1] = 8, 9
    seen = FewReal(("p",), (pair,)).as_scanned(LabelMap(labels, made, CARDIAC), 0)
    assert seen.geometry.same_as(scanned)
    assert np.argwhere(seen.voxels).tolist() == [[6, 7, 8]]
    assert seen.voxels[6, 7, 8] == 8


@pytest.mark.slow
def test_a_patient_that_is_not_wanted_gives_way_to_the_next_heart():
    seen = []

    def wanted(pair):
        seen.append(pair)
        return len(seen) == 2

    chosen = patient(3, 1.5, 64, wanted)
    assert chosen is seen[1]
    np.testing.assert_array_equal(seen[0].image.voxels, patient(3, 1.5, 64).image.voxels)
    assert not np.array_equal(chosen.mask.voxels, seen[0].mask.voxels)


@pytest.mark.slow
def test_a_digital_heart_on_a_fine_grid_starts_masks():
    assert starts_masks(patient(0, 0.8, 120))
