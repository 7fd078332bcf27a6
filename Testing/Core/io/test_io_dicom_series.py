"""DICOM CT series written by pydicom, read back in HU at the right place, or refused."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from scipy.spatial.transform import Rotation

from StructDiffCore.domain import StructDiffError
from StructDiffCore.io.dicom import read_dicom_series
from StructDiffCore.io.files import read_label_map, read_volume

ROWS, COLUMNS, SLICES = 7, 6, 5
AXIAL = (1.0, 0, 0, 0, 1, 0)


def stored_values() -> np.ndarray:
    """Stored pixels (slice, row, column); HU = stored - 1024."""
    return np.random.default_rng(0).integers(0, 3000, (SLICES, ROWS, COLUMNS)).astype(np.uint16)


def write_slice(path, pixels, position, orientation=AXIAL, series="1.2.3", number=3, **changes):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    ds.Modality, ds.SeriesInstanceUID, ds.SeriesNumber, ds.StudyInstanceUID = "CT", series, number, "1.2"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.PatientName, ds.PatientID = "Nobody^Test", "0"
    ds.Rows, ds.Columns = pixels.shape
    ds.PixelSpacing, ds.SliceThickness = [0.7, 0.5], 1.25
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [f"{p:.4f}" for p in position], [f"{o:.8f}" for o in orientation]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.RescaleSlope, ds.RescaleIntercept = "1", "-1024"
    ds.PixelData = pixels.tobytes()
    for tag, value in changes.items():
        if value is None:
            del ds[tag]
        else:
            setattr(ds, tag, value)
    ds.save_as(path, enforce_file_format=True)


def write_series(folder, positions, orientation=AXIAL, **changes):
    folder.mkdir(exist_ok=True)
    order = np.random.default_rng(1).permutation(len(positions))
    for n, (pixels, position) in enumerate(zip(np.resize(stored_values(), (len(positions), ROWS, COLUMNS)), positions)):
        write_slice(folder / f"IM{order[n]:04d}{changes.get('series', '')}", pixels, position, orientation, **changes)


def straight(normal=(0, 0, 1.0), gap=1.25, count=SLICES, start=(-10.0, -20.0, 30.0)):
    return [tuple(np.add(start, np.multiply(normal, gap * n))) for n in range(count)]


def test_a_series_reads_in_hu_at_its_place_whatever_its_file_names(tmp_path):
    write_series(tmp_path / "ct", straight())
    volume = read_volume(tmp_path / "ct")
    expected = np.maximum(stored_values().astype(float).transpose(2, 1, 0) - 1024, -1024)
    np.testing.assert_array_equal(volume.voxels, expected)
    np.testing.assert_allclose(volume.geometry.spacing, (0.5, 0.7, 1.25))
    np.testing.assert_allclose(volume.geometry.origin, (10, 20, 30))
    np.testing.assert_allclose(volume.geometry.direction, np.diag([-1, -1, 1]), atol=1e-7)


def test_an_oblique_series_is_placed_by_its_tags(tmp_path):
    turn = Rotation.from_euler("xyz", (12, -7, 25), degrees=True).as_matrix()
    row, column, normal = turn.T
    write_series(tmp_path / "ct", straight(normal), (*row, *column))
    grid = read_dicom_series(tmp_path / "ct").geometry
    lps = np.array((-10.0, -20.0, 30.0)) + 3 * 0.5 * row + 2 * 0.7 * column + 4 * 1.25 * normal
    np.testing.assert_allclose(grid.to_world((3, 2, 4)), lps * (-1, -1, 1), atol=1e-3)


def test_slope_and_intercept_are_applied_and_padding_reads_as_air(tmp_path):
    write_series(tmp_path / "ct", straight(), RescaleSlope="2", RescaleIntercept="-3000")
    expected = np.maximum(2.0 * stored_values().transpose(2, 1, 0) - 3000, -1024)
    np.testing.assert_array_equal(read_volume(tmp_path / "ct").voxels, expected)


def test_a_scout_and_other_files_beside_the_series_are_passed_over(tmp_path):
    write_series(tmp_path / "ct", straight())
    write_slice(
        tmp_path / "ct" / "scout", stored_values()[0], (0, 0, 0), series="9.9", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]
    )
    (tmp_path / "ct" / "notes.txt").write_text("hello")
    assert read_volume(tmp_path / "ct").geometry.shape == (COLUMNS, ROWS, SLICES)


def refused(folder) -> str:
    with pytest.raises(StructDiffError) as caught:
        read_volume(folder)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy
    return str(caught.value)


def test_gantry_tilt_is_refused(tmp_path):
    write_series(tmp_path / "ct", straight(normal=(0, np.sin(0.2), np.cos(0.2))))
    assert "tilted by 11.5 degrees" in refused(tmp_path / "ct")


def test_a_missing_slice_is_refused(tmp_path):
    positions = straight(count=6)
    write_series(tmp_path / "ct", positions[:2] + positions[3:])
    assert "slices are missing" in refused(tmp_path / "ct")


def test_irregular_spacing_is_refused(tmp_path):
    positions = straight()
    positions[-1] = (*positions[-1][:2], positions[-1][2] + 0.3)
    write_series(tmp_path / "ct", positions)
    assert "irregular" in refused(tmp_path / "ct")


def test_rounded_positions_are_no_irregular_spacing(tmp_path):
    positions = [(*p[:2], round(p[2], 1)) for p in straight(gap=0.625, count=8)]
    positions = [(x, y, round(30 + 0.625 * n, 2)) for n, (x, y, _) in enumerate(positions)]
    write_series(tmp_path / "ct", positions)
    assert read_volume(tmp_path / "ct").geometry.spacing[2] == pytest.approx(0.625, abs=2e-3)


def test_two_phases_at_one_place_are_refused(tmp_path):
    write_series(tmp_path / "ct", straight())
    for n, position in enumerate(straight()):
        write_slice(tmp_path / "ct" / f"second{n}", stored_values()[n], position)
    assert "one place" in refused(tmp_path / "ct")


def test_several_series_are_listed_and_one_may_be_chosen(tmp_path):
    write_series(tmp_path / "ct", straight(), series="1.1", number=3)
    write_series(tmp_path / "ct", straight(gap=3.0, count=4), series="1.2", number=4)
    line = refused(tmp_path / "ct")
    assert "number 3: 5 slices" in line
    assert "number 4: 4 slices" in line
    assert read_dicom_series(tmp_path / "ct", series=4).geometry.shape[2] == 4
    with pytest.raises(StructDiffError, match="number 7"):
        read_dicom_series(tmp_path / "ct", series=7)


def test_an_mr_series_is_refused_by_its_modality(tmp_path):
    write_series(tmp_path / "mr", straight(), Modality="MR")
    assert "modality MR" in refused(tmp_path / "mr")


def test_a_series_without_rescale_is_refused(tmp_path):
    write_series(tmp_path / "ct", straight(), RescaleIntercept=None)
    assert "rescale" in refused(tmp_path / "ct")


def test_a_slice_of_another_size_or_without_place_is_refused(tmp_path):
    write_series(tmp_path / "ct", straight())
    write_slice(tmp_path / "ct" / "odd", np.zeros((9, 9), np.uint16), (-10, -20, 36.25))
    assert "another size" in refused(tmp_path / "ct")
    write_slice(tmp_path / "ct" / "odd", np.zeros((7, 6), np.uint16), (0, 0, 0), ImagePositionPatient=None)
    assert "odd lacks" in refused(tmp_path / "ct")


def test_a_cut_slice_is_refused(tmp_path):
    write_series(tmp_path / "ct", straight())
    path = next((tmp_path / "ct").iterdir())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 30])
    assert str(path.name) in refused(tmp_path / "ct")


def test_one_slice_many_frames_no_dicom_and_a_mask_are_refused(tmp_path):
    write_series(tmp_path / "one", straight(count=1))
    assert "one slice" in refused(tmp_path / "one")
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "x.txt").write_text("x")
    assert "no DICOM" in refused(tmp_path / "none")
    (tmp_path / "many").mkdir()
    write_slice(tmp_path / "many" / "x", stored_values()[0], (0, 0, 0), NumberOfFrames=20)
    assert "many frames" in refused(tmp_path / "many")
    with pytest.raises(StructDiffError, match="is a folder"):
        read_label_map(tmp_path / "one")


def test_no_patient_data_reaches_what_we_write(tmp_path):
    from StructDiffCore.io.files import write_volume

    write_series(tmp_path / "ct", straight())
    volume = read_volume(tmp_path / "ct")
    for ending in (".nii", ".nrrd", ".mha"):
        write_volume(volume, tmp_path / f"out{ending}")
        assert b"Nobody" not in (tmp_path / f"out{ending}").read_bytes()
    assert "Nobody" in str(pydicom.dcmread(next((tmp_path / "ct").iterdir())).PatientName)
