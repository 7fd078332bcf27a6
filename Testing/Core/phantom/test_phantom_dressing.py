"""Dressing: labels keep their tissue, surroundings are invented around them, the result can be scanned."""

import numpy as np
import pytest

from StructDiffCore.config.resources import shared_data_folder
from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, LabelScheme, StructDiffError
from StructDiffCore.phantom.appearance import draw_appearance
from StructDiffCore.phantom.dressing import LABELS_CARDIAC, LABELS_HRA, dress
from StructDiffCore.phantom.formation import render
from StructDiffCore.phantom.tissues import Tissue


def a_ball_heart(n: int = 64, spacing: float = 2.0) -> LabelMap:
    """A ventricle of 20 mm radius in a wall of 10 mm, with a vessel one voxel wide on it."""
    geometry = Geometry((n, n, n), (spacing,) * 3, (-0.5 * n * spacing + 30.0,) * 3)
    world = geometry.to_world(np.stack(np.indices(geometry.shape), axis=-1))
    away = np.linalg.norm(world - geometry.to_world((n / 2, n / 2, n / 2)), axis=-1)
    labels = np.where(away < 20.0, 3, np.where(away < 30.0, 1, 0)).astype(np.uint8)
    labels[n // 2, n // 2 : n // 2 + 12, n // 2 + 17] = 8
    return LabelMap(labels, geometry, CARDIAC)


def test_every_label_keeps_its_tissue_as_the_larger_part_of_its_voxels():
    mask = a_ball_heart()
    body = dress(mask, LABELS_CARDIAC, np.random.default_rng(0))
    for label in mask.present:
        own = body.tissue[mask.voxels == label] == LABELS_CARDIAC[label]
        assert own.mean() > 0.9, f"label {label}"
    assert (body.tissue[mask.voxels == 8] == Tissue.LEFT_CORONARY).all()


def test_fat_lung_bone_muscle_and_air_are_invented_around_the_heart():
    body = dress(a_ball_heart(96, 2.5), LABELS_CARDIAC, np.random.default_rng(0))
    outer = (Tissue.MUSCLE, Tissue.AIR, Tissue.BONE_CORTEX, Tissue.MARROW)
    assert {Tissue.PERICARDIAL_FAT, Tissue.LUNG, Tissue.LUNG_VESSEL, *outer} <= set(np.unique(body.tissue))


def test_partial_volume_lies_at_surfaces_only():
    mask = a_ball_heart()
    body = dress(mask, LABELS_CARDIAC, np.random.default_rng(0))
    world = mask.geometry.to_world(np.stack(np.indices(mask.geometry.shape), axis=-1))
    away = np.linalg.norm(world - mask.geometry.to_world((32, 32, 32)), axis=-1)
    assert (body.share[away < 15.0] == 255).all()
    shell = np.abs(away - 20.0) < 0.7
    assert np.median(body.share[shell]) < 250


def test_a_dressed_map_can_be_scanned_and_the_same_seed_gives_the_same_scan():
    mask = a_ball_heart()
    look = draw_appearance(np.random.default_rng(1))
    scans = [render(dress(mask, LABELS_CARDIAC, np.random.default_rng(2)), look, np.random.default_rng(3)) for _ in range(2)]
    np.testing.assert_array_equal(scans[0].noisy.voxels, scans[1].noisy.voxels)
    blood = scans[0].clean.voxels[mask.voxels == 3]
    assert np.median(blood) == pytest.approx(look.hu["LV"], abs=60.0)


def test_a_map_without_any_known_label_is_refused():
    labels = np.full((8, 8, 8), 40, np.uint8)
    mask = LabelMap(labels, Geometry((8, 8, 8)), LabelScheme.from_values([40]))
    with pytest.raises(StructDiffError, match="has a tissue"):
        dress(mask, LABELS_CARDIAC, np.random.default_rng(0))


def test_the_visible_human_heart_is_dressed():
    folder = shared_data_folder()
    if folder is None:
        pytest.skip("no ../shared/data beside this checkout")
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.ReadImage(str(folder / "hra_VH_F_heart_coronary_labels_0p5mm.nii.gz"))
    labels = sitk.GetArrayFromImage(image).transpose(2, 1, 0)[::4, ::4, ::4]
    lps = np.diag([-1.0, -1.0, 1.0])
    direction = lps @ np.array(image.GetDirection()).reshape(3, 3)
    geometry = Geometry(labels.shape, (2.0, 2.0, 2.0), tuple(lps @ image.GetOrigin()), direction)
    mask = LabelMap(labels, geometry, LabelScheme.from_values(np.unique(labels)))
    body = dress(mask, LABELS_HRA, np.random.default_rng(0))
    for label in (1, 3, 4, 9, 17):
        assert (body.tissue[labels == label] == LABELS_HRA[label]).mean() > 0.9, f"label {label}"
    lung = np.argwhere(body.tissue == Tissue.LUNG)
    assert len(lung) > 1000
