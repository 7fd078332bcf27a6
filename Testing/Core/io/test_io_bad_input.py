"""Bad input: one clear line each, and the word that helps."""

from __future__ import annotations

import gzip
import os
import struct

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, StructDiffError, Volume
from StructDiffCore.io.files import read_label_map, read_pair, read_volume, write_label_map, write_volume

GRID = Geometry((12, 11, 10), (0.8, 0.8, 1.0))
FORMATS = (".nrrd", ".nii", ".nii.gz", ".mha")


def noise(shape=GRID.shape) -> np.ndarray:
    return np.random.default_rng(0).integers(-1000, 1000, shape).astype(np.float32)


def refused(read, *arguments) -> str:
    """The one line of a refusal."""
    with pytest.raises(StructDiffError) as caught:
        read(*arguments)
    line = str(caught.value)
    assert caught.value.category == "bad_input"
    assert "\n" not in line
    assert caught.value.remedy
    return line


@pytest.fixture
def an_image(tmp_path):
    def write(ending=".nii.gz"):
        write_volume(Volume(noise(), GRID), tmp_path / f"image{ending}")
        return tmp_path / f"image{ending}"

    return write


@pytest.mark.parametrize("ending", FORMATS)
def test_a_missing_file_is_named(tmp_path, ending):
    assert "does not exist" in refused(read_volume, tmp_path / f"nothing{ending}")


@pytest.mark.parametrize("ending", FORMATS)
def test_an_empty_file_is_refused(tmp_path, ending):
    (tmp_path / f"empty{ending}").touch()
    assert "is empty" in refused(read_volume, tmp_path / f"empty{ending}")


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("share", [0.03, 0.3, 0.97])
def test_a_truncated_file_is_refused(an_image, ending, share):
    path = an_image(ending)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert str(path) in refused(read_volume, path)


@pytest.mark.parametrize("ending", [".nii.gz", ".mha"])
def test_damaged_compressed_voxels_are_refused(an_image, ending):
    path = an_image(ending)
    content = bytearray(path.read_bytes())
    middle = 3 * len(content) // 4
    content[middle : middle + 20] = bytes(20)
    path.write_bytes(content)
    assert "damaged" in refused(read_volume, path)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_text_file_with_an_image_name_is_refused(tmp_path, ending):
    (tmp_path / f"words{ending}").write_text("no image at all\n" * 100)
    assert f"words{ending}" in refused(read_volume, tmp_path / f"words{ending}")


@pytest.mark.parametrize("name", ["slice.dcm", "scan.mhd", "scan.hdr", "picture.png", "notes.txt", "no_ending"])
def test_other_kinds_of_files_are_refused_with_a_remedy(tmp_path, name):
    (tmp_path / name).write_bytes(b"12345678" * 100)
    assert name in refused(read_volume, tmp_path / name)


@pytest.mark.parametrize("content", ["ElementDataFile = ../other.raw", "ElementDataFile = /etc/passwd"])
def test_a_header_that_points_to_another_file_is_refused(tmp_path, content):
    header = "ObjectType = Image\nNDims = 3\nElementSpacing = 1 1 1\nDimSize = 4 4 4\nElementType = MET_SHORT\n"
    (tmp_path / "x.mha").write_text(header + content + "\n")
    assert "another file" in refused(read_volume, tmp_path / "x.mha")
    nrrd = "NRRD0004\ntype: short\ndimension: 3\nsizes: 4 4 4\nencoding: raw\nendian: little\ndata file: ../other.raw\n\n"
    (tmp_path / "x.nrrd").write_text(nrrd)
    assert "another file" in refused(read_volume, tmp_path / "x.nrrd")


@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 1), (8, 9, 10, 2)])
@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_2d_and_4d_images_are_refused(tmp_path, shape, ending):
    if ending == ".nii.gz":
        nibabel.save(nibabel.Nifti1Image(np.zeros(shape, np.int16), np.eye(4)), tmp_path / "x.nii.gz")
    else:
        sitk.WriteImage(sitk.GetImageFromArray(np.zeros(shape[::-1], np.int16), isVector=False), str(tmp_path / f"x{ending}"))
    assert "three dimensions" in refused(read_volume, tmp_path / f"x{ending}")


def test_colour_images_are_refused(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 5, 6, 3), np.uint8), isVector=True), str(tmp_path / "x.nrrd"))
    assert "3 values per voxel" in refused(read_volume, tmp_path / "x.nrrd")


def test_image_and_mask_on_different_grids_are_refused_or_resampled(tmp_path):
    write_volume(Volume(noise(), GRID), tmp_path / "image.nii.gz")
    coarse = GRID.with_spacing((1.6, 1.6, 2.0))
    labels = np.zeros(coarse.shape, np.uint8)
    labels[2:4, 2:4, 2:4] = 3
    write_label_map(LabelMap(labels, coarse, CARDIAC), tmp_path / "mask.nii.gz")
    line = refused(read_pair, tmp_path / "image.nii.gz", tmp_path / "mask.nii.gz")
    assert "different grids" in line
    assert "--resample" in line
    pair = read_pair(tmp_path / "image.nii.gz", tmp_path / "mask.nii.gz", CARDIAC, resample=True)
    expected = np.zeros(GRID.shape, np.uint8)
    expected[4:8, 4:8, 4:8] = 3
    np.testing.assert_array_equal(pair.mask.voxels, expected)


def test_a_mask_on_a_block_of_the_image_grid_is_completed(tmp_path):
    """Slicer saves segmentations cropped to their extent."""
    write_volume(Volume(noise(), GRID), tmp_path / "image.nrrd")
    part = LabelMap(np.full((4, 3, 2), 6), GRID.cropped((5, 4, 3), (4, 3, 2)), CARDIAC)
    write_label_map(part, tmp_path / "mask.seg.nrrd")
    pair = read_pair(tmp_path / "image.nrrd", tmp_path / "mask.seg.nrrd")
    assert np.all(pair.mask.voxels[5:9, 4:7, 3:5] == 6)
    assert (pair.mask.voxels > 0).sum() == 24


def test_a_mask_far_from_the_image_is_refused_even_when_resampled(tmp_path):
    write_volume(Volume(noise(), GRID), tmp_path / "image.nii.gz")
    far = Geometry(GRID.shape, GRID.spacing, (500, 0, 0))
    write_label_map(LabelMap(np.ones(GRID.shape, int), far, CARDIAC), tmp_path / "mask.nii.gz")
    with pytest.raises(StructDiffError, match="field of view"):
        read_pair(tmp_path / "image.nii.gz", tmp_path / "mask.nii.gz", resample=True)


def test_fractions_between_labels_are_refused(tmp_path):
    labels = np.zeros(GRID.shape, np.float32)
    labels[3] = 1.5
    nibabel.save(nibabel.Nifti1Image(labels, np.eye(4)), tmp_path / "mask.nii.gz")
    assert "fractions" in refused(read_label_map, tmp_path / "mask.nii.gz")


def test_labels_that_a_scale_factor_left_almost_whole_are_accepted(tmp_path):
    labels = np.zeros(GRID.shape, np.float32)
    labels[3], labels[4] = 0.99999, 2.00001
    nibabel.save(nibabel.Nifti1Image(labels, np.eye(4)), tmp_path / "mask.nii.gz")
    assert read_label_map(tmp_path / "mask.nii.gz").present == (1, 2)


def test_labels_outside_a_given_scheme_are_refused(tmp_path):
    labels = np.zeros(GRID.shape, np.uint8)
    labels[3], labels[4] = 6, 44
    nibabel.save(nibabel.Nifti1Image(labels, np.eye(4)), tmp_path / "mask.nii.gz")
    assert "[44]" in refused(read_label_map, tmp_path / "mask.nii.gz", CARDIAC)
    assert read_label_map(tmp_path / "mask.nii.gz").present == (6, 44)


def test_an_image_given_as_mask_is_refused(an_image):
    assert "not an image" in refused(read_label_map, an_image())


def test_an_empty_mask_is_refused(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros(GRID.shape, np.uint8), np.eye(4)), tmp_path / "mask.nii.gz")
    assert "empty" in refused(read_label_map, tmp_path / "mask.nii.gz")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_nan_and_inf_are_refused(tmp_path, bad, ending):
    voxels = noise()
    voxels[1, 2, 3] = bad
    if ending == ".nii.gz":
        nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), tmp_path / "x.nii.gz")
    else:
        sitk.WriteImage(sitk.GetImageFromArray(voxels), str(tmp_path / f"x{ending}"))
    assert "NaN or infinite" in refused(read_volume, tmp_path / f"x{ending}")


@pytest.mark.parametrize("spacing", [0.0, -0.5, float("nan"), float("inf")])
def test_bad_spacings_in_nifti_are_refused(tmp_path, spacing):
    """ITK turns a zero spacing into 1 without a word."""
    nibabel.save(nibabel.Nifti1Image(noise(), np.eye(4)), tmp_path / "x.nii")
    content = bytearray((tmp_path / "x.nii").read_bytes())
    struct.pack_into("<f", content, 76 + 4, spacing)
    (tmp_path / "x.nii").write_bytes(content)
    assert "spacing" in refused(read_volume, tmp_path / "x.nii")


@pytest.mark.parametrize("spacing", ["0", "-0.5", "nan", "inf"])
def test_bad_spacings_in_nrrd_and_metaimage_are_refused(tmp_path, spacing):
    voxels = noise((4, 5, 6)).astype("<i2").tobytes()
    meta = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = False\n"
        f"TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\nElementSpacing = {spacing} 1 1\nDimSize = 4 5 6\n"
        "ElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    )
    (tmp_path / "x.mha").write_bytes(meta.encode() + voxels)
    assert "spacing" in refused(read_volume, tmp_path / "x.mha")
    head = "NRRD0004\ntype: short\ndimension: 3\nsizes: 4 5 6\nencoding: raw\nendian: little\n"
    for line in (f"spacings: {spacing} 1 1", f"space: RAS\nspace directions: ({spacing},0,0) (0,1,0) (0,0,1)"):
        if spacing == "-0.5" and "directions" in line:
            continue  # there a minus is a direction, not a size
        (tmp_path / "x.nrrd").write_bytes((head + line + "\n\n").encode() + voxels)
        refused(read_volume, tmp_path / "x.nrrd")


@pytest.mark.parametrize("qform_code", [0, 1])
def test_a_sheared_nifti_is_refused(tmp_path, qform_code):
    """ITK makes the matrix orthogonal without a word."""
    matrix = np.diag([0.5, 0.6, 0.7, 1.0])
    matrix[0, 1] = 0.05
    image = nibabel.Nifti1Image(noise(), matrix)
    image.set_qform(np.diag([0.5, 0.6, 0.7, 1.0]), code=qform_code)
    nibabel.save(image, tmp_path / "x.nii.gz")
    assert "sheared" in refused(read_volume, tmp_path / "x.nii.gz")


def test_a_sheared_nrrd_is_refused(tmp_path):
    head = "NRRD0004\ntype: short\ndimension: 3\nspace: RAS\nsizes: 4 5 6\nspace directions: (1,0,0) (0.2,1,0) (0,0,1)\n"
    (tmp_path / "x.nrrd").write_bytes(
        (head + "encoding: raw\nendian: little\n\n").encode() + noise((4, 5, 6)).astype("<i2").tobytes()
    )
    assert "sheared" in refused(read_volume, tmp_path / "x.nrrd")


def test_a_nifti_without_orientation_or_in_metres_is_refused(tmp_path):
    image = nibabel.Nifti1Image(noise(), None)
    image.set_qform(None, code=0)
    image.set_sform(None, code=0)
    nibabel.save(image, tmp_path / "x.nii.gz")
    assert "orientation" in refused(read_volume, tmp_path / "x.nii.gz")
    metres = nibabel.Nifti1Image(noise(), np.eye(4))
    metres.header.set_xyzt_units("meter")
    nibabel.save(metres, tmp_path / "m.nii.gz")
    assert "mm" in refused(read_volume, tmp_path / "m.nii.gz")


def test_a_gzip_of_something_else_is_refused(tmp_path):
    with gzip.open(tmp_path / "x.nii.gz", "wb") as stream:
        stream.write(b"not a scan " * 200)
    assert "NIfTI header" in refused(read_volume, tmp_path / "x.nii.gz")


def test_an_absurd_size_is_refused_before_any_memory_is_taken(tmp_path):
    nibabel.save(nibabel.Nifti1Image(noise(), np.eye(4)), tmp_path / "x.nii")
    content = bytearray((tmp_path / "x.nii").read_bytes())
    struct.pack_into("<3h", content, 42, 30000, 30000, 30000)
    (tmp_path / "x.nii").write_bytes(content)
    assert "cut" in refused(read_volume, tmp_path / "x.nii")


def test_an_output_in_a_missing_folder_or_under_a_file_is_refused(tmp_path):
    volume = Volume(noise(), GRID)
    assert "does not exist" in refused(write_volume, volume, tmp_path / "nowhere" / "x.nii.gz")
    (tmp_path / "file").write_text("x")
    assert "does not exist" in refused(write_volume, volume, tmp_path / "file" / "x.nii.gz")
    assert "no volume file" in refused(write_volume, volume, tmp_path / "x.tiff")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    assert "permission" in refused(write_volume, Volume(noise(), GRID), tmp_path / "x.nii.gz")
    tmp_path.chmod(0o700)
