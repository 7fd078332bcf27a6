"""Pairs from real scans: nothing held aside is shown, the target's noise never reaches the template, masks mean something."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from toy_hearts import fill_with_toys, toy_settings

from StructDiffCore.domain import StructDiffError
from StructDiffCore.phantom.appearance import draw_appearance
from StructDiffCore.training import scan_pairs
from StructDiffCore.training.label_augmentation import LabelAugmentation
from StructDiffCore.training.loader import GroupMaker, Loader
from StructDiffCore.training.pairs import sharpened
from StructDiffCore.training.scan_pairs import ScanPairStream, ToneCurve, deformed
from StructDiffCore.training.scan_regions import draw_regions, jittered
from StructDiffCore.training.scans import ScanCard, ScanPool, open_scans, write_scan
from StructDiffCore.training.seeds import numpy_generator
from StructDiffCore.training.settings import PairSettings, Phase

SHAPE = (64, 64, 70)
LAST = 36
PHASE = Phase(1, 16, 1, crops_per_direction=2)


def anatomy() -> np.ndarray:
    i, j, k = np.indices(SHAPE)
    ball = np.sqrt((i - 32) ** 2 + (j - 32) ** 2 + (k - 18) ** 2)
    return np.select([ball < 9, ball < 16, ball < 26], [300.0, 60.0, -90.0], -820.0).astype(np.float32)


@pytest.fixture
def a_folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    noise = ndimage.gaussian_filter(rng.normal(0, 40, SHAPE), 0.6)
    clean = anatomy()
    clean[..., LAST:] = 2000.0
    write_scan(tmp_path / "scans", ScanCard("toy@1.5", (1.5,) * 3, (0, LAST)), (clean, noise, np.zeros(SHAPE)))
    return tmp_path / "scans"


@pytest.fixture
def a_stream(a_folder: Path) -> ScanPairStream:
    return ScanPairStream(open_scans(a_folder), PairSettings(label_jitter=0.5))


def crops(stream: ScanPairStream, seed: int) -> list[scan_pairs.TrainingCrop]:
    return list(stream.crops(PHASE, numpy_generator(seed)))


def test_a_pair_of_regions_gives_as_many_crops_as_a_pair_of_hearts(a_stream: ScanPairStream) -> None:
    found = crops(a_stream, 1)
    assert len(found) == 2 * PHASE.crops_per_direction
    assert all(crop.condition.shape == crop.target_hu.shape == (16, 16, 16) for crop in found)


def test_the_same_seed_gives_the_same_crops(a_stream: ScanPairStream) -> None:
    for one, other in zip(crops(a_stream, 2), crops(a_stream, 2)):
        np.testing.assert_array_equal(one.target_hu, other.target_hu)
        np.testing.assert_array_equal(one.condition.template_hu, other.condition.template_hu)


def test_slices_held_aside_are_never_shown(a_stream: ScanPairStream) -> None:
    assert all(crop.target_hu.max() < 1000 for seed in range(6) for crop in crops(a_stream, seed))
    aside = replace(a_stream, held_aside=True)
    assert all(crop.target_hu.min() > 1000 for crop in crops(aside, 0))


def test_the_template_holds_noise_of_another_place(a_stream: ScanPairStream, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no deformation, template minus target is the noise shown; it must not be the target's own."""
    scan = a_stream.pool[0]
    margin = scan_pairs._margin(scan)
    box = a_stream._box(scan, margin, np.random.default_rng(5))
    own = scan.read("noise", box)[tuple(slice(m, -m) for m in margin)]
    amplitude = np.full(own.shape, 30.0, np.float32)
    flips = [slice(None, None, -1), slice(None), slice(None)]
    for seed in range(4):
        shown = a_stream._foreign_noise(scan, amplitude, flips, np.random.default_rng(seed))
        assert shown.shape == own.shape
        assert abs(np.corrcoef(shown.ravel(), own.ravel())[0, 1]) < 0.1
        assert 5 < shown.std() < 60


def test_a_deformed_region_keeps_its_mask_on_its_anatomy(a_stream: ScanPairStream) -> None:
    scan = a_stream.pool[0]
    still = [slice(None)] * 3
    region = a_stream._region(scan, ToneCurve(0, 0, 0), still, np.random.default_rng(1))
    mask = (region.clean > 180).astype(np.int32)
    moved = deformed(region, mask, np.asarray(scan.card.spacing_mm), np.random.default_rng(2))
    inside = ndimage.binary_erosion(moved.labels == 1)
    assert inside.any()
    assert np.median(moved.image[inside]) == pytest.approx(300, abs=15)
    assert (moved.labels != mask[region.inner]).any()


def test_regions_are_few_small_numbers_and_own_labels_are_kept_or_dropped() -> None:
    clean, spacing = anatomy(), np.full(3, 1.5)
    own = np.zeros(SHAPE, np.int32)
    own[20:40, 20:40, 10:30] = 7
    seen = set()
    for seed in range(12):
        regions = draw_regions(clean, own, spacing, np.random.default_rng(seed))
        assert regions.min() >= 0
        assert regions.max() < 20
        seen |= set(np.unique(regions).tolist())
    assert 7 in seen
    assert 0 in seen


def test_borders_wander_by_no_more_than_asked() -> None:
    labels = (anatomy() > 0).astype(np.int32)
    moved = jittered(labels, 0.5, np.ones(3), np.random.default_rng(0))
    border = ndimage.maximum_filter(labels, 3) != ndimage.minimum_filter(labels, 3)
    assert (moved != labels).any()
    assert not ((moved != labels) & ~border).any()


def test_the_tone_curve_never_turns_dark_and_bright_around() -> None:
    hu = np.linspace(-1024, 1500, 4000, dtype=np.float32)
    for seed in range(20):
        assert (np.diff(ToneCurve.draw(np.random.default_rng(seed))(hu)) > -0.05).all()


def test_batches_of_hearts_and_scans_do_not_depend_on_where_the_loader_starts(tmp_path: Path, a_folder: Path) -> None:
    pairs = PairSettings(hearts=2, spacings_mm=(1.5,), pairs_per_group=1, real_share=0.5)
    settings = toy_settings(8, pairs=pairs)
    maker = GroupMaker(fill_with_toys(tmp_path / "hearts", settings), settings, a_folder)
    whole = list(Loader(maker, 0, workers=0))
    for start in (3, 6):
        later = list(Loader(maker, start, workers=0))
        assert all(bool((a.residual == b.residual).all()) for a, b in zip(whole[start:], later))


def test_a_folder_without_scans_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StructDiffError, match="no cached scan"):
        open_scans(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "card.json").write_text("{}")
    with pytest.raises(StructDiffError, match="no scan card"):
        open_scans(tmp_path)


def test_the_pools_hash_sees_every_voxel(a_folder: Path) -> None:
    before = open_scans(a_folder).data_hash
    noise = np.load(a_folder / "toy@1.5" / "noise.npy")
    noise[3, 4, 5] += 1
    np.save(a_folder / "toy@1.5" / "noise.npy", noise)
    assert open_scans(a_folder).data_hash != before
    assert len(ScanPool(())) == 0


def test_a_whole_heart_is_one_label_and_a_sharper_look_is_sharper() -> None:
    merged = LabelAugmentation().with_whole_heart()
    assert merged.merged == ((1, 2, 3, 4, 5),)
    look = draw_appearance(np.random.default_rng(1), "training")
    assert sharpened(look, 0.5).point_spread.sigma_mm == pytest.approx(0.5 * look.point_spread.sigma_mm)
    assert sharpened(look, 0.5).noise == look.noise
