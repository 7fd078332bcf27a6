"""Made pairs: picture and label move together; a dose changes the lost place alone; Gaussians fill the window."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from StructDiffCore.domain import CARDIAC, Geometry, ImageMaskPair, LabelMap, Volume
from StructDiffCore.evaluation.downstream import maker as making
from StructDiffCore.evaluation.downstream import real_domain
from StructDiffCore.evaluation.downstream.augmented import augmented
from StructDiffCore.evaluation.downstream.dose import HALO_MM, shuffled_stretches
from StructDiffCore.evaluation.downstream.few_real import FewReal
from StructDiffCore.evaluation.downstream.gaussians import MEAN_HU, gaussian_picture
from StructDiffCore.evaluation.downstream.labeller import relabelled
from StructDiffCore.evaluation.downstream.maker import Maker
from StructDiffCore.evaluation.downstream.proof_settings import ProofSettings
from StructDiffCore.io.files import read_label_map, read_volume
from StructDiffCore.phantom.anatomy import HeartSettings
from StructDiffCore.phantom.heart import digital_heart
from StructDiffCore.phantom.tissues import Tissue
from StructDiffCore.systems.structdiff import default_structdiff
from StructDiffCore.vessels.graph import Branch, VesselGraph

GRID = Geometry((48, 48, 48), (0.8, 0.8, 0.8))
SETTINGS = ProofSettings(few=1)


def a_ball(centre=(20, 26, 24), radius=9):
    inside = ((np.moveaxis(np.indices(GRID.shape), 0, -1) - centre) ** 2).sum(-1) < radius**2
    return inside


def a_ball_pair():
    ball = a_ball()
    labels = LabelMap(np.where(ball, 3, 0).astype(np.uint8), GRID, CARDIAC)
    noise = np.random.default_rng(0).normal(0, 5, GRID.shape)
    return ImageMaskPair(Volume((np.where(ball, 400.0, -80.0) + noise).astype(np.float32), GRID), labels)


@pytest.mark.parametrize("seed", range(6))
def test_an_augmented_ball_stays_under_its_label(seed):
    made = augmented(a_ball_pair(), seed)
    label = made.mask.voxels == 3
    hu = made.image.voxels
    bright = hu > 0.5 * (np.median(hu[label]) + np.median(hu[~label]))
    core = ndimage.binary_opening(bright, iterations=2)
    centres = [np.array(ndimage.center_of_mass(part)) for part in (core, label)]
    np.testing.assert_allclose(*centres, atol=0.35)
    assert not np.array_equal(label, a_ball())


def a_vessel():
    """A straight vessel along the first axis: mask, trees and noise-free picture."""
    at = GRID.to_world(np.moveaxis(np.indices(GRID.shape), 0, -1))
    inside = (np.hypot(at[..., 1] - 19, at[..., 2] - 19) < 1.5) & (at[..., 0] > 4) & (at[..., 0] < 34)
    along = np.linspace(4, 34, 31)
    points = np.column_stack([along, np.full(31, 19.0), np.full(31, 19.0)])
    trees = {8: VesselGraph((Branch(points, np.full(31, 1.5), "LAD", None),), points[0])}
    labels = LabelMap(np.where(inside, 8, 0).astype(np.uint8), GRID, CARDIAC)
    return labels, trees, Volume(np.where(inside, 400.0, -80.0).astype(np.float32), GRID)


def a_maker(pairs=(), system=None):
    few = FewReal(tuple(f"p{n}" for n in range(len(pairs))), tuple(pairs))
    return Maker(SETTINGS, system or SimpleNamespace(sha256="0" * 64), few)  # type: ignore[arg-type]


def test_doses_differ_only_around_the_lost_vessel_and_share_their_noise(tmp_path):
    target, trees, clean = a_vessel()
    noise = np.rint(np.random.default_rng(0).normal(0, 20, GRID.shape)).astype(np.float32)
    made = SimpleNamespace(clean=clean, noisy=Volume(clean.voxels + noise, GRID), uncertainty=None)
    stretches = shuffled_stretches(trees, np.random.default_rng(1))
    counts = [a_maker()._write_dose(dose, made, None, target, trees, stretches, 5, tmp_path) for dose in (0, 30)]
    whole, less = (read_volume(tmp_path / f"synthetic-{dose}.nii.gz").voxels for dose in (0, 30))
    lost = read_volume(tmp_path / "truth-30.nii.gz").voxels == 0
    assert counts == [0, lost.sum()]
    assert 0.2 < lost.sum() / (target.voxels == 8).sum() < 0.4
    changed = whole != less
    assert changed[lost].all()
    far = ndimage.distance_transform_edt(~lost, sampling=GRID.spacing) > HALO_MM
    assert not (changed & far).any()
    np.testing.assert_array_equal(whole[far], (clean.voxels + noise)[far])
    assert (less[lost] - noise[lost]).mean() < 0
    assert (read_volume(tmp_path / "truth-0.nii.gz").voxels == 1).all()


def test_gaussians_are_pictures_of_the_pairs_own_mask_in_different_contrasts(tmp_path, monkeypatch):
    pair = a_ball_pair()
    maker = a_maker([pair])
    folder, out = tmp_path / "pair", tmp_path / "gaussians"
    folder.mkdir(), out.mkdir()
    real_domain.write_pair(pair, folder)
    (folder / "note.json").write_text(json.dumps({"template": maker.few.template(0).id}))
    monkeypatch.setattr(making, "PICTURES", 3)
    maker.write_gaussians(folder, 7, out)
    pictures = [read_volume(out / f"gaussians-{n}.nii.gz").voxels for n in range(3)]
    inside = read_label_map(out / "mask.nii.gz", CARDIAC).voxels == 3
    np.testing.assert_array_equal(inside, a_ball())
    jumps = [picture[inside].mean() - picture[~inside].mean() for picture in pictures]
    assert min(np.abs(np.diff(jumps))) > 5
    assert min(np.abs(jumps)) > 20


def test_a_detailed_picture_shows_what_the_template_shows_beside_its_labels(tmp_path):
    pair = a_ball_pair()
    at = np.indices(GRID.shape)
    rod, marrow = np.hypot(at[0] - 40, at[1] - 8) < 2, (at[0] > 40) & (at[1] > 34)
    hu = np.select([rod, marrow], [700.0, 400.0], pair.image.voxels).astype(np.float32)
    maker = a_maker([ImageMaskPair(Volume(hu, GRID), pair.mask)], default_structdiff())
    folder, out = tmp_path / "pair", tmp_path / "detailed"
    folder.mkdir(), out.mkdir()
    real_domain.write_pair(pair, folder)
    (folder / "note.json").write_text(json.dumps({"template": maker.few.template(0).id}))
    maker.write_detailed(folder, 7, out)
    assert read_volume(out / "detailed.nii.gz").voxels[rod].mean() > 550
    np.testing.assert_array_equal(read_label_map(out / "mask.nii.gz", CARDIAC).voxels, pair.mask.voxels)
    assert json.loads((out / "note.json").read_text()) == json.loads((folder / "note.json").read_text())


def test_a_gaussian_picture_fills_the_window_that_segmenters_see():
    regions = np.repeat(np.arange(6), 8)[:, None, None] * np.ones((1, 48, 48), int)
    for seed in range(5):
        found = gaussian_picture(regions, GRID, np.random.default_rng(seed)).voxels
        assert np.quantile(found, (0.001, 0.999)) == pytest.approx(MEAN_HU, abs=1)


@pytest.fixture(scope="module")
def heart():
    return digital_heart(real_domain.FIRST_SEED, spacing_mm=1.5, settings=HeartSettings(dominance="left", heavy_calcium=True))


@pytest.mark.slow
def test_a_patient_is_drawn_by_the_other_labeller_and_sometimes_streaked(heart, monkeypatch):
    streaked = []
    monkeypatch.setattr(real_domain, "with_streaks", lambda image, dense, rng: streaked.append(dense.sum()) or image)
    pairs = [real_domain._scanned(heart, np.random.default_rng(seed), 64) for seed in range(6)]
    start = [(n - 64) // 2 for n in heart.geometry.shape]
    box = tuple(slice(a, a + 64) for a in start)
    np.testing.assert_array_equal(pairs[0].mask.voxels, relabelled(heart).voxels[box])
    assert not np.array_equal(pairs[0].mask.voxels, heart.mask.voxels[box])
    assert 0 < len(streaked) < 6
    assert min(streaked) == (heart.tissue == Tissue.CALCIFIED_PLAQUE).sum() > 0


@pytest.mark.slow
def test_patients_come_from_left_dominant_hearts_with_heavy_calcium():
    found = next(real_domain._hearts(real_domain.FIRST_SEED, 1.5))
    light = digital_heart(real_domain.FIRST_SEED, spacing_mm=1.5, settings=HeartSettings(dominance="left"))
    assert found.dominance == "left"
    assert (found.tissue == Tissue.CALCIFIED_PLAQUE).sum() > (light.tissue == Tissue.CALCIFIED_PLAQUE).sum()


@pytest.mark.slow
def test_a_warped_pairs_picture_moves_with_its_mask(tmp_path: Path):
    pair = real_domain.patient(0, 0.8, 120)
    a_maker([pair]).write_warped(3, tmp_path)
    made = read_volume(tmp_path / "image.nii.gz").voxels
    mask = read_label_map(tmp_path / "mask.nii.gz", CARDIAC).voxels
    blood = (3, 6)
    before = [np.median(pair.image.voxels[pair.mask.voxels == value]) for value in blood]
    after = [np.median(made[mask == value]) for value in blood]
    np.testing.assert_allclose(after, before, atol=15)
    inner = ndimage.binary_erosion(mask == 3, iterations=2)
    wrong = np.roll(inner, 4, axis=0) & (mask != 3)
    assert abs(np.median(made[wrong]) - before[0]) > 3 * abs(np.median(made[inner]) - before[0])
    assert not np.array_equal(mask, pair.mask.voxels)
