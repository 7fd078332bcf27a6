"""Exported DICOM: where the volume lies, marked as synthetic, without a patient."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from exported_pairs import a_case, a_grid

from StructDiffCore.domain import Geometry, Volume
from StructDiffCore.io import export, export_cases
from StructDiffCore.io.dicom import read_dicom_series
from StructDiffCore.io.dicom_export import write_ct_series
from StructDiffCore.io.export import export_pairs


@pytest.mark.parametrize("left_handed", [False, True])
def test_a_dicom_series_lies_where_the_volume_lies(tmp_path, left_handed):
    """Our reader's and SimpleITK's world positions of every HU value, oblique and left-handed grids included."""
    grid = a_grid(left_handed)
    hu = np.random.default_rng(0).permutation(np.prod(grid.shape)).reshape(grid.shape) - 100
    write_ct_series(Volume(hu, grid), tmp_path / "CT", "case")
    where = {int(value): grid.to_world(index) for index, value in np.ndenumerate(hu)}
    ours = read_dicom_series(tmp_path / "CT")
    for index, value in np.ndenumerate(ours.voxels):
        np.testing.assert_allclose(ours.geometry.to_world(index), where[int(value)], atol=1e-3)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "CT")))
    theirs = reader.Execute()
    for k, j, i in ((0, 0, 0), (4, 5, 6), (2, 3, 1)):
        value = sitk.GetArrayFromImage(theirs)[k, j, i]
        x, y, z = theirs.TransformIndexToPhysicalPoint((i, j, k))
        np.testing.assert_allclose((-x, -y, z), where[int(value)], atol=1e-3)


def test_dicom_says_synthetic_and_carries_no_patient(tmp_path):
    export_pairs([a_case("one")], "dicom", tmp_path)
    slices = [pydicom.dcmread(path) for path in sorted((tmp_path / "one" / "CT").iterdir())]
    first = slices[0]
    assert list(first.ImageType)[:2] == ["DERIVED", "SECONDARY"]
    assert "SYNTHETIC" in first.SeriesDescription
    assert first.PatientName == "SYNTHETIC^one"
    assert (first.PatientBirthDate, first.PatientSex, first.PatientIdentityRemoved) == ("", "", "YES")
    assert first.SOPClassUID.name == "CT Image Storage"
    assert len({s.SOPInstanceUID for s in slices}) == len(slices) == 5
    assert len({s.SeriesInstanceUID for s in slices}) == 1
    np.testing.assert_array_equal(first.pixel_array.T, a_case("one").image.voxels[:, :, 0])
    assert (tmp_path / "one" / "mask.seg.nrrd").is_file()


def test_two_dicom_exports_share_no_identifier(tmp_path):
    export_pairs([a_case("a"), a_case("b")], "dicom", tmp_path)
    read = [pydicom.dcmread(tmp_path / name / "CT" / "slice-0000.dcm") for name in "ab"]
    for field in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert read[0][field].value != read[1][field].value


def test_dicom_clips_what_int16_cannot_hold(tmp_path):
    grid = Geometry((4, 4, 3))
    write_ct_series(Volume(np.full(grid.shape, 1e6), grid), tmp_path / "CT", "x")
    assert read_dicom_series(tmp_path / "CT").voxels.max() == 32767


@pytest.mark.parametrize("left_handed", [False, True])
def test_the_dicom_segmentation_lies_on_the_series_for_highdicom(tmp_path, left_handed):
    """Every label's voxels at the same world positions, read by highdicom."""
    highdicom = pytest.importorskip("highdicom")
    pair = a_case("one", grid=a_grid(left_handed))
    export_pairs([pair], "dicom", tmp_path)
    read = highdicom.seg.segread(tmp_path / "one" / "segmentation.dcm")
    volume = read.get_volume(combine_segments=True)
    names = [read.get_segment_description(number).segment_label for number in (1, 2, 3)]
    assert names == ["myocardium", "aorta", "left coronary tree"]
    assert "SYNTHETIC" in read.SeriesDescription
    stored = pydicom.dcmread(tmp_path / "one" / "CT" / "slice-0000.dcm")
    assert (read.StudyInstanceUID, read.FrameOfReferenceUID) == (stored.StudyInstanceUID, stored.FrameOfReferenceUID)
    for number, value in ((1, 1), (2, 6), (3, 8)):
        theirs = np.argwhere(volume.array == number)
        world = (np.c_[theirs, np.ones(len(theirs))] @ volume.affine.T)[:, :3] * (-1, -1, 1)
        ours = pair.mask.geometry.to_world(np.argwhere(pair.mask.voxels == value))
        assert len(world) == len(ours)
        np.testing.assert_allclose(sorted(map(tuple, world.round(2))), sorted(map(tuple, ours.round(2))), atol=0.011)


def test_without_highdicom_the_mask_lies_beside_the_series_and_the_export_says_so(tmp_path, monkeypatch):
    for module in (export_cases, export):
        monkeypatch.setattr(module, "can_write_segmentations", lambda: False)
    exported = export_pairs([a_case("one")], "dicom", tmp_path)
    assert "highdicom" in exported.notes[0]
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == [
        "CT",
        "confidence.nrrd",
        "manifest.json",
        "mask.seg.nrrd",
    ]
