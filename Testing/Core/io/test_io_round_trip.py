"""Files come back as they were written, at the same place in the patient; nibabel is the oracle for places."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from StructDiffCore.config.resources import shared_data_folder
from StructDiffCore.domain import CARDIAC, ConfidenceMap, Geometry, LabelMap, LabelScheme, Volume
from StructDiffCore.io.files import (
    read_label_map,
    read_template,
    read_volume,
    write_confidence,
    write_float_volume,
    write_label_map,
    write_volume,
)
from StructDiffCore.io.nifti import read_nifti

FORMATS = (".nrrd", ".seg.nrrd", ".nii", ".nii.gz", ".mha")
DATA = shared_data_folder()
needs_data = pytest.mark.skipif(DATA is None, reason="the folder of real scans is not beside this checkout")


@st.composite
def geometries(draw):
    """Any spacing, rotation, handedness and origin on a small grid."""
    shape = tuple(draw(st.integers(2, 6)) for _ in range(3))
    spacing = tuple(draw(st.floats(0.2, 5.0)) for _ in range(3))
    origin = tuple(draw(st.floats(-900.0, 900.0)) for _ in range(3))
    turn = Rotation.from_euler("xyz", [draw(st.floats(-180, 180)) for _ in range(3)], degrees=True).as_matrix()
    flips = np.diag([draw(st.sampled_from([1.0, -1.0])) for _ in range(3)])
    return Geometry(shape, spacing, origin, turn @ flips)


def hu_on(grid: Geometry) -> np.ndarray:
    return np.random.default_rng(3).integers(-1024, 3000, grid.shape).astype(np.float32)


def labels_on(grid: Geometry) -> np.ndarray:
    labels = np.random.default_rng(4).integers(0, 10, grid.shape)
    labels[0, 0, 0] = 1
    return labels


@pytest.mark.parametrize("ending", [f for f in FORMATS if f != ".seg.nrrd"])
@given(grid=geometries())
@settings(max_examples=15, derandomize=True, deadline=None)
def test_a_volume_comes_back_at_the_same_place(tmp_path_factory, ending, grid):
    path = tmp_path_factory.mktemp("volume") / f"image{ending}"
    write_volume(Volume(hu_on(grid), grid), path)
    back = read_volume(path)
    np.testing.assert_array_equal(back.voxels, hu_on(grid))
    assert back.geometry.same_as(grid, tolerance_mm=2e-3)


@pytest.mark.parametrize("ending", FORMATS)
@given(grid=geometries())
@settings(max_examples=10, derandomize=True, deadline=None)
def test_a_mask_comes_back_at_the_same_place(tmp_path_factory, ending, grid):
    path = tmp_path_factory.mktemp("mask") / f"mask{ending}"
    write_label_map(LabelMap(labels_on(grid), grid, CARDIAC), path)
    back = read_label_map(path)
    np.testing.assert_array_equal(back.voxels, labels_on(grid))
    assert back.geometry.same_as(grid, tolerance_mm=2e-3)


@given(grid=geometries())
@settings(max_examples=15, derandomize=True, deadline=None)
def test_nibabel_reads_our_nifti_at_our_places_and_we_read_its(tmp_path_factory, grid):
    folder = tmp_path_factory.mktemp("oracle")
    write_volume(Volume(hu_on(grid), grid), folder / "ours.nii.gz")
    theirs = nibabel.load(folder / "ours.nii.gz")
    np.testing.assert_allclose(theirs.affine, grid.affine, atol=2e-3)
    np.testing.assert_array_equal(np.asarray(theirs.dataobj), hu_on(grid))
    nibabel.save(nibabel.Nifti1Image(hu_on(grid), grid.affine), folder / "theirs.nii")
    assert read_volume(folder / "theirs.nii").geometry.same_as(grid, tolerance_mm=2e-3)


def test_a_qform_alone_places_the_volume_as_nibabel_says(tmp_path):
    turn = Rotation.from_euler("xyz", (20, -35, 70), degrees=True).as_matrix() @ np.diag([1.0, 1.0, -1.0])
    grid = Geometry((4, 5, 6), (0.5, 0.7, 1.1), (10, -20, 30), turn)
    image = nibabel.Nifti1Image(hu_on(grid), None)
    image.set_qform(grid.affine, code=1)
    image.set_sform(None, code=0)
    nibabel.save(image, tmp_path / "qform.nii.gz")
    assert read_volume(tmp_path / "qform.nii.gz").geometry.same_as(grid, tolerance_mm=1e-3)


@pytest.mark.parametrize("version", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("kind", ["<i2", ">i2", "<f4", ">f8", "u1"])
def test_nifti_versions_byte_orders_and_scales_are_understood(tmp_path, version, kind):
    voxels = np.arange(60).reshape(3, 4, 5).astype(kind)
    image = version(voxels, np.diag([2.0, 3.0, 4.0, 1.0]), dtype=np.dtype(kind))
    image.header.set_slope_inter(2.0, -1024.0)
    nibabel.save(image, tmp_path / "scaled.nii")
    np.testing.assert_allclose(read_volume(tmp_path / "scaled.nii").voxels, nibabel.load(tmp_path / "scaled.nii").get_fdata())


def test_a_neighbour_with_the_same_stem_is_not_read_instead(tmp_path):
    """niftilib, and so ITK, takes the voxels of x.nii.gz from x.nii where both exist."""
    grid = Geometry((4, 4, 4))
    write_volume(Volume(np.full(grid.shape, 100.0), grid), tmp_path / "x.nii.gz")
    write_volume(Volume(np.full(grid.shape, 200.0), grid), tmp_path / "x.nii")
    assert np.all(read_volume(tmp_path / "x.nii.gz").voxels == 100)
    assert np.all(read_volume(tmp_path / "x.nii").voxels == 200)


def test_hu_are_written_as_true_int16_rounded_and_clipped(tmp_path):
    grid = Geometry((2, 2, 2))
    voxels = np.array([-40000.0, -1024.4, -0.6, 0.4, 99.6, 3071.0, 32767.4, 50000.0]).reshape(2, 2, 2)
    write_volume(Volume(voxels, grid), tmp_path / "image.nii.gz")
    stored = nibabel.load(tmp_path / "image.nii.gz")
    assert stored.header.get_data_dtype() == np.int16
    assert stored.header.get_slope_inter() in ((1.0, 0.0), (None, None))
    expected = np.array([-32768, -1024, -1, 0, 100, 3071, 32767, 32767]).reshape(2, 2, 2)
    np.testing.assert_array_equal(np.asarray(stored.dataobj), expected)


@pytest.mark.parametrize("ending", [".nrrd", ".nii.gz", ".mha"])
def test_confidence_and_float_maps_keep_their_fractions(tmp_path, ending):
    grid = Geometry((3, 3, 3), (0.5, 0.5, 0.5))
    unit = np.linspace(0, 1, 27, dtype=np.float32).reshape(3, 3, 3)
    write_confidence(ConfidenceMap(unit, grid), tmp_path / f"confidence{ending}")
    np.testing.assert_array_equal(read_volume(tmp_path / f"confidence{ending}").voxels, unit)
    write_float_volume(Volume(unit * 1e4, grid), tmp_path / f"variance{ending}")
    np.testing.assert_array_equal(read_volume(tmp_path / f"variance{ending}").voxels, unit * np.float32(1e4))


def test_labels_above_255_survive(tmp_path):
    labels = np.zeros((3, 3, 3), np.uint16)
    labels[1, 1, 1], labels[2, 2, 2] = 850, 205
    write_label_map(LabelMap(labels, Geometry((3, 3, 3)), LabelScheme.from_values([205, 850])), tmp_path / "mask.nii.gz")
    assert read_label_map(tmp_path / "mask.nii.gz").present == (205, 850)


def test_the_same_pair_has_one_template_id_in_every_format(tmp_path):
    grid = Geometry((4, 5, 6), (0.5, 0.6, 0.7), (1, 2, 3), np.diag([-1.0, 1.0, 1.0]))
    ids = set()
    for ending in (".nrrd", ".nii.gz", ".mha"):
        write_volume(Volume(hu_on(grid), grid), tmp_path / f"image{ending}")
        write_label_map(LabelMap(labels_on(grid), grid, CARDIAC), tmp_path / f"mask{ending}")
        ids.add(read_template(tmp_path / f"image{ending}", tmp_path / f"mask{ending}").id)
    assert len(ids) == 1
    write_volume(Volume(hu_on(grid) + 1, grid), tmp_path / "other.nii.gz")
    assert read_template(tmp_path / "other.nii.gz", tmp_path / "mask.nii.gz").id not in ids


@needs_data
def test_the_left_handed_whole_heart_keeps_its_places_through_every_format(tmp_path):
    path = DATA / "wholeheart_labels_mmwhs.nii.gz"
    voxels, grid = read_nifti(path)
    np.testing.assert_allclose(grid.affine, nibabel.load(path).affine, atol=1e-4)
    assert np.linalg.det(np.asarray(grid.direction)) < 0
    start, shape = (150, 180, 100), (120, 110, 60)
    block = voxels[tuple(slice(s, s + n) for s, n in zip(start, shape))]
    part = LabelMap(block, grid.cropped(start, shape), LabelScheme.from_values(range(1, 8)))
    for ending in FORMATS:
        write_label_map(part, tmp_path / f"heart{ending}")
        back = read_label_map(tmp_path / f"heart{ending}")
        np.testing.assert_array_equal(back.voxels, block)
        assert back.geometry.same_as(part.geometry, tolerance_mm=1e-3), ending
    np.testing.assert_allclose(nibabel.load(tmp_path / "heart.nii.gz").affine, part.geometry.affine, atol=1e-4)


@needs_data
def test_centrelines_in_lps_run_inside_their_vessels_in_ras():
    """The centreline files are independent of ours: a wrong conversion would put them outside the vessels."""
    mask = read_label_map(DATA / "coronary_narco119_aorta1_lca2_rca3_0p4mm.nii.gz")
    for vessel, label in (("aorta", 1), ("lca", 2), ("rca", 3)):
        points = np.loadtxt(DATA / f"coronary_narco119_centerline_{vessel}.csv", delimiter=",")
        index = np.rint(mask.geometry.to_index(points * (-1, -1, 1))).astype(int)
        inside = np.all((index >= 0) & (index < mask.geometry.shape), axis=1)
        assert inside.mean() > 0.9
        assert np.mean(mask.voxels[tuple(index[inside].T)] == label) > 0.85, vessel


@needs_data
def test_the_real_pair_reads_as_a_template():
    template = read_template(DATA / "ts_thorax_cta_1p5mm_ct.nii.gz", DATA / "ts_thorax_cta_1p5mm_labels.nii.gz")
    heart = template.pair.image.voxels[template.pair.mask.voxels == 1]
    assert 400 < np.median(heart) < 520
    assert template.pair.mask.present == (1, 2, 3, 4, 5, 6)
