"""Training pairs: what crops hold, what is never shown, what repeats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage
from toy_hearts import fill_with_toys, toy_heart, toy_settings

from StructDiffCore.domain import StructDiffError
from StructDiffCore.phantom.appearance import draw_appearance
from StructDiffCore.phantom.heart import Heart
from StructDiffCore.phantom.storage import save_heart
from StructDiffCore.phantom.tissues import Tissue
from StructDiffCore.training import pairs as pairs_module
from StructDiffCore.training.crops import TrainingCrop, crop_start, stack_crops, thin_weights
from StructDiffCore.training.deformation import Deformation
from StructDiffCore.training.label_augmentation import LabelAugmentation, wandering_labels
from StructDiffCore.training.loader import GroupMaker, Loader
from StructDiffCore.training.misalignment import Misalignment
from StructDiffCore.training.pairs import PairStream
from StructDiffCore.training.pool import calcium_mm3, open_pool, pool_paths
from StructDiffCore.training.seeds import numpy_generator
from StructDiffCore.training.settings import TrainSettings


@pytest.fixture
def a_pool_folder(tmp_path: Path) -> Path:
    return fill_with_toys(tmp_path, toy_settings())


@pytest.fixture
def a_stream(a_pool_folder: Path) -> PairStream:
    settings = toy_settings()
    return PairStream(open_pool(a_pool_folder, settings.pairs, settings.seed), settings.pairs)


def _crops(stream: PairStream, seed: int = 3) -> list[TrainingCrop]:
    return list(stream.crops(toy_settings().phases[1], numpy_generator(seed)))


def test_a_pair_gives_crops_of_both_directions(a_stream: PairStream) -> None:
    crops = _crops(a_stream)
    assert len(crops) == 4
    assert all(crop.condition.shape == crop.target_hu.shape == crop.weight.shape == (16, 16, 16) for crop in crops)


def test_the_same_seed_gives_the_same_crops(a_stream: PairStream) -> None:
    for one, other in zip(_crops(a_stream), _crops(a_stream)):
        np.testing.assert_array_equal(one.target_hu, other.target_hu)
        np.testing.assert_array_equal(one.condition.template_hu, other.condition.template_hu)


def test_the_target_is_noise_free_and_the_template_noisy(a_stream: PairStream) -> None:
    crop = _crops(a_stream)[0]
    still = [np.median(np.abs(ndimage.laplace(image))) for image in (crop.target_hu, crop.condition.template_hu)]
    assert still[0] < still[1]


def test_template_and_target_share_their_look(a_stream: PairStream) -> None:
    plain = replace(a_stream, settings=replace(a_stream.settings, label_augmentation=0.0, template_label_lost=0.0))
    off = []
    for crop in (crop for seed in range(4) for crop in _crops(plain, seed)):
        wall = (np.abs(crop.condition.edge_distance_mm) > 3) & (crop.condition.prior_hu > 60)
        off.append(np.median((crop.target_hu - crop.condition.prior_hu)[wall]) if wall.any() else 0.0)
    assert np.median(np.abs(off)) < 15


def test_a_withheld_template_leaves_only_the_prior(a_stream: PairStream) -> None:
    crop = _crops(a_stream)[0].without_template()
    np.testing.assert_array_equal(crop.condition.template_hu, crop.condition.prior_hu)
    np.testing.assert_array_equal(crop.condition.template_prior_hu, crop.condition.prior_hu)
    assert not crop.condition.template_known.any()


def test_training_never_draws_a_held_out_look(a_stream: PairStream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs_module, "draw_appearance", lambda rng, domain: draw_appearance(rng, "held_out"))
    with pytest.raises(StructDiffError, match="held out"):
        _crops(a_stream)


@pytest.mark.parametrize("kind", ["left dominance", "heavy calcium"])
def test_training_never_reads_a_held_out_heart(a_pool_folder: Path, kind: str) -> None:
    settings, heart = toy_settings(), toy_heart(9, 24)
    tissue = heart.tissue.copy()
    if kind == "heavy calcium":
        tissue[tissue == Tissue.MYOCARDIUM] = Tissue.CALCIFIED_PLAQUE
    dominance = "left" if kind == "left dominance" else "right"
    bad = Heart.of_materials((tissue, heart.second, heart.share), heart.geometry, {}, dominance, 9)
    save_heart(bad, pool_paths(a_pool_folder, settings.pairs, settings.seed)[1])
    with pytest.raises(StructDiffError, match="held-out"):
        open_pool(a_pool_folder, settings.pairs, settings.seed)[1]


def test_calcium_is_the_plaques_share_of_each_voxel() -> None:
    heart = toy_heart(1, 8, 2.0)
    tissue, second, share = (np.zeros((8, 8, 8), np.uint8) for _ in range(3))
    share[:] = 255
    tissue[0, 0, 0] = Tissue.CALCIFIED_PLAQUE
    second[0, 0, 1], share[0, 0, 1] = Tissue.CALCIFIED_PLAQUE, 204
    plaque = Heart.of_materials((tissue, second, share), heart.geometry, {}, "right", 1)
    assert calcium_mm3(plaque) == pytest.approx(1.2 * 8.0)


def test_batches_do_not_depend_on_where_the_loader_starts(a_pool_folder: Path) -> None:
    settings = toy_settings(8)
    whole = list(Loader(GroupMaker(a_pool_folder, settings), 0, workers=0))
    assert len(whole) == 8
    for start in (1, 3, 4, 6):
        later = list(Loader(GroupMaker(a_pool_folder, settings), start, workers=0))
        assert len(later) == 8 - start
        for one, other in zip(whole[start:], later):
            torch.testing.assert_close(one.residual, other.residual, rtol=0, atol=0)


def test_ranks_share_out_the_batch_of_one_device(a_pool_folder: Path) -> None:
    settings = toy_settings()
    whole = next(iter(Loader(GroupMaker(a_pool_folder, settings), 0, workers=0)))
    parts = [next(iter(Loader(GroupMaker(a_pool_folder, settings), 0, workers=0, rank=r, world_size=2))) for r in range(2)]
    torch.testing.assert_close(torch.cat([part.residual for part in parts]), whole.residual, rtol=0, atol=0)


def test_a_batch_holds_the_residual_in_units_of_its_scale(a_stream: PairStream) -> None:
    crop = _crops(a_stream)[0]
    batch = stack_crops([crop], 50.0)
    np.testing.assert_allclose(
        batch.residual[0, 0].numpy(), (crop.target_hu - crop.condition.prior_hu) / 50, rtol=1e-5, atol=1e-5
    )
    torch.testing.assert_close(batch.condition.occupancy.sum(1), torch.ones(1, 8, 8, 8))


def test_thin_voxels_and_what_lies_two_voxels_around_weigh_four_times() -> None:
    thin = np.zeros((5, 5, 5), bool)
    thin[2, 2, 2] = True
    weight = thin_weights(thin, 4.0)
    assert weight[2, 2, 2] == weight[1, 2, 2] == 4
    assert (weight == 4).sum() == 1 + 6 + 18


def test_a_vessel_crop_holds_its_vessel_voxel() -> None:
    for seed in range(20):
        start = np.array(crop_start(np.array([[3, 20, 31]]), True, (32, 32, 32), 16, np.random.default_rng(seed)))
        assert (start <= (3, 20, 31)).all()
        assert (start + 16 > (3, 20, 31)).all()


def test_wandering_labels_differ_from_the_truth_only_beside_borders() -> None:
    heart = toy_heart(2)
    labels = wandering_labels(heart, 0.35, np.random.default_rng(0))
    changed = labels != heart.mask.voxels
    truth = heart.mask.voxels
    border = ndimage.maximum_filter(truth, 3) != ndimage.minimum_filter(truth, 3)
    assert changed.any()
    assert not (changed & ~border).any()


def test_merged_and_dropped_labels_follow_the_draw() -> None:
    augmentation = LabelAugmentation(merged=((8, 9),), dropped=(6,), boundary_spread=0.0)
    found = set(np.unique(augmentation.apply(toy_heart(2), np.random.default_rng(0))))
    assert found == {0, 1, 3, 8}


def test_no_displacement_leaves_a_heart_as_it_is() -> None:
    heart = toy_heart(4)
    still = Deformation(np.zeros((3, 3, 3, 3), np.float32)).apply(heart)
    clear = heart.share[:-1, :-1, :-1] > 135
    np.testing.assert_array_equal(still.tissue[:-1, :-1, :-1][clear], heart.tissue[:-1, :-1, :-1][clear])


def test_a_constant_displacement_shifts_a_heart() -> None:
    heart = toy_heart(4)
    knots = np.zeros((3, 3, 3, 3), np.float32)
    knots[0] = 2 * heart.geometry.spacing[0]
    moved = Deformation(knots).apply(heart)
    clear = heart.share[2:-2, :-4, :-4] > 135
    np.testing.assert_array_equal(moved.tissue[:-4, :-4, :-4][clear], heart.tissue[2:-2, :-4, :-4][clear])


def test_no_misalignment_covers_and_changes_nothing() -> None:
    image = np.random.default_rng(0).normal(size=(6, 7, 8)).astype(np.float32)
    labels = (image > 0).astype(np.uint8)
    aligned = Misalignment(np.eye(3), np.zeros(3)).apply(image, labels)
    np.testing.assert_allclose(aligned.image, image, atol=1e-6)
    np.testing.assert_array_equal(aligned.labels, labels)
    assert aligned.covered.all()


def test_a_shifted_template_is_not_known_where_it_ended() -> None:
    image = np.zeros((6, 6, 6), np.float32)
    aligned = Misalignment(np.eye(3), np.array([2.0, 0, 0])).apply(image, image.astype(np.uint8))
    assert aligned.covered[:4].all()
    assert not aligned.covered[4:].any()


def test_unknown_settings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"learning_rat": 1}')
    with pytest.raises(StructDiffError, match="learning_rat"):
        TrainSettings.read(tmp_path / "a.json")


def test_settings_survive_json_and_yaml(tmp_path: Path) -> None:
    import yaml

    settings = toy_settings()
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(settings.as_dict()))
    assert TrainSettings.read(tmp_path / "a.yaml") == settings
