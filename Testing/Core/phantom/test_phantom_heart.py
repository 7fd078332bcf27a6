"""The digital heart: sizes, truth on the grid, reproducibility, any grid. Oracles: scikit-image and scipy.ndimage."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, label
from skimage.measure import euler_number

from StructDiffCore.domain import CARDIAC, Geometry, StructDiffError
from StructDiffCore.phantom.anatomy import HeartSettings, draw_anatomy
from StructDiffCore.phantom.heart import Heart, digital_heart
from StructDiffCore.phantom.tissues import LABEL_OF_TISSUE, Tissue, cardiac_labels

FAST_SEEDS = (1, 2, 4)
TOUCH = np.ones((3, 3, 3), bool)


@cache
def a_heart(seed: int) -> Heart:
    return digital_heart(seed)


def betti(mask: np.ndarray) -> tuple[int, int, int]:
    padded = np.pad(mask, 1)
    pieces, cavities = label(padded, TOUCH)[1], label(~padded)[1] - 1
    return pieces, pieces + cavities - euler_number(padded, 3), cavities


def assert_true_on_the_grid(heart: Heart) -> None:
    voxels = heart.mask.voxels
    for structure in CARDIAC.labels:
        found, expected = betti(voxels == structure.value), structure.expected
        assert found[0] == 1, f"{structure.name} has {found[0]} pieces (seed {heart.seed})"
        assert found[1] == 0 or expected.loops is None, f"{structure.name} has {found[1]} loops (seed {heart.seed})"
        assert found[2] == 0, f"{structure.name} has {found[2]} cavities (seed {heart.seed})"
    aorta = binary_dilation(voxels == CARDIAC.named("aorta").value, TOUCH)
    left, right = (voxels == CARDIAC.named(f"{side} coronary tree").value for side in ("left", "right"))
    assert label(left & aorta, TOUCH)[1] == label(right & aorta, TOUCH)[1] == 1
    assert not (binary_dilation(left, TOUCH) & right).any()


def covered(heart: Heart, side: str) -> float:
    values = (CARDIAC.named("aorta").value, CARDIAC.named(f"{side} coronary tree").value)
    points = np.concatenate([branch.points_mm for branch in heart.trees[side].branches])
    index = np.rint(heart.geometry.to_index(points)).astype(int)
    return float(np.isin(heart.mask.voxels[tuple(index.T)], values).mean())


@pytest.mark.parametrize("seed", FAST_SEEDS)
def test_every_label_is_whole_and_each_tree_touches_the_aorta_once(seed: int) -> None:
    assert_true_on_the_grid(a_heart(seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20, 36))
def test_sixteen_more_hearts_are_true_on_the_grid(seed: int) -> None:
    heart = digital_heart(seed)
    assert_true_on_the_grid(heart)
    assert min(covered(heart, side) for side in ("left", "right")) >= 0.97


@pytest.mark.slow
def test_a_finer_grid_keeps_the_truth_too() -> None:
    heart = digital_heart(3, Geometry((208,) * 3, (0.5,) * 3, tuple(a_heart(3).geometry.origin)))
    assert_true_on_the_grid(heart)
    thinnest = min(branch.radii_mm.min() for tree in heart.trees.values() for branch in tree.branches)
    assert 0.375 - 1e-6 <= thinnest < 0.5


@pytest.mark.parametrize("seed", FAST_SEEDS)
def test_the_label_covers_the_centrelines(seed: int) -> None:
    assert min(covered(a_heart(seed), side) for side in ("left", "right")) >= 0.97


@pytest.mark.parametrize("seed", FAST_SEEDS)
def test_sizes_lie_in_human_ranges(seed: int) -> None:
    heart = a_heart(seed)
    millilitres = {tissue: float((heart.tissue == tissue).sum()) * heart.geometry.voxel_volume_mm3 / 1000 for tissue in Tissue}
    assert 50 <= millilitres[Tissue.LV] <= 160
    assert 40 <= millilitres[Tissue.RV] <= 180
    assert 35 <= millilitres[Tissue.LA] <= 110
    assert 40 <= millilitres[Tissue.MYOCARDIUM] <= 150
    proportions = draw_anatomy(seed).proportions
    assert 6.0 <= proportions.wall <= 12.0
    assert 24.0 <= 2 * proportions.scale * proportions.aorta_radius * proportions.root_gain <= 41.0


@pytest.mark.parametrize("seed", FAST_SEEDS)
def test_coronaries_carry_their_names_and_radii(seed: int) -> None:
    heart = a_heart(seed)
    assert {"LM", "LAD", "LCx"} <= set(heart.trees["left"].names)
    assert "RCA" in heart.trees["right"].names
    assert ("PDA" in heart.trees["left"].names) == (heart.dominance == "left")
    for tree in heart.trees.values():
        assert 1.4 <= tree.branches[0].radii_mm[0] <= 2.31
        assert min(branch.radii_mm.min() for branch in tree.branches) >= 0.6 - 1e-6


@pytest.mark.parametrize("seed", FAST_SEEDS)
def test_coronaries_run_outside_the_chambers(seed: int) -> None:
    heart = a_heart(seed)
    pools = np.isin(heart.tissue, (Tissue.LV, Tissue.RV, Tissue.LA, Tissue.RA))
    lumen = np.isin(heart.tissue, (Tissue.LEFT_CORONARY, Tissue.RIGHT_CORONARY))
    assert not (binary_dilation(pools, TOUCH) & lumen).any()


def test_the_same_seed_gives_the_same_voxels_and_another_seed_does_not() -> None:
    again = digital_heart(2)
    for name in ("tissue", "second", "share"):
        np.testing.assert_array_equal(getattr(again, name), getattr(a_heart(2), name))
    assert np.mean(a_heart(1).tissue != a_heart(2).tissue) > 0.05


def test_a_turned_and_flipped_grid_shows_the_same_tissue_at_the_same_place() -> None:
    heart = a_heart(1)
    ni, nj, nk = heart.geometry.shape
    turned = Geometry(
        (nk, ni, nj), heart.geometry.spacing, tuple(heart.geometry.to_world((ni - 1, 0, 0))), ((0, -1, 0), (0, 0, 1), (1, 0, 0))
    )
    seen = digital_heart(1, turned).tissue.transpose(1, 2, 0)[::-1]
    assert np.mean(seen != heart.tissue) < 2e-4


def test_a_grid_inside_the_heart_shows_its_part_of_the_body() -> None:
    whole = a_heart(4)
    part = whole.geometry.cropped((50, 40, 30), (40, 50, 60))
    box = np.s_[50:90, 40:90, 30:90]
    seen = digital_heart(4, part).tissue
    coronary = np.isin(whole.tissue[box], (Tissue.LEFT_CORONARY, Tissue.RIGHT_CORONARY)) | (seen == Tissue.VESSEL_WALL)
    assert np.mean((seen != whole.tissue[box]) & ~coronary) < 0.01


def test_the_mask_follows_from_the_dominant_material_and_shares_are_shares() -> None:
    heart = a_heart(1)
    np.testing.assert_array_equal(heart.mask.voxels, cardiac_labels(heart.tissue))
    assert heart.share.min() >= 85
    assert np.all(heart.share[heart.tissue == heart.second] == 255) or heart.share[heart.tissue == heart.second].min() >= 85
    assert LABEL_OF_TISSUE[Tissue.CALCIFIED_PLAQUE] == LABEL_OF_TISSUE[Tissue.SOFT_PLAQUE] == 0


def test_disease_leaves_plaque_between_lumen_and_outer_wall() -> None:
    heart = digital_heart(5, settings=HeartSettings(diseased=1.0, heavy_calcium=True))
    plaque = heart.tissue == Tissue.CALCIFIED_PLAQUE
    lumen = np.isin(heart.tissue, (Tissue.LEFT_CORONARY, Tissue.RIGHT_CORONARY))
    assert plaque.sum() * heart.geometry.voxel_volume_mm3 > 20.0
    assert (plaque & binary_dilation(lumen, TOUCH, iterations=4)).sum() > 0.9 * plaque.sum()
    assert_true_on_the_grid(heart)


def test_dominance_can_be_asked_for() -> None:
    heart = digital_heart(1, settings=HeartSettings(dominance="left"))
    assert heart.dominance == "left"
    assert "PDA" in heart.trees["left"].names


def test_a_crop_is_a_view_of_the_same_heart_and_refuses_to_leave_the_grid() -> None:
    heart = a_heart(1)
    crop = heart.cropped((10, 20, 30), (32, 16, 8))
    np.testing.assert_array_equal(crop.tissue, heart.tissue[10:42, 20:36, 30:38])
    np.testing.assert_allclose(crop.geometry.to_world((0, 0, 0)), heart.geometry.to_world((10, 20, 30)))
    with pytest.raises(StructDiffError, match="leaves the heart's grid"):
        heart.cropped((100, 0, 0), (64, 64, 64))
