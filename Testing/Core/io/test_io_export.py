"""Exports: read back by other tools, whole or not at all, and never without a passed verdict or a reason."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import load_decathlon_datalist

from StructDiffCore.domain import CARDIAC, Geometry, Label, LabelMap, LabelScheme, StructDiffError, Volume
from StructDiffCore.io import export, export_cases, export_dataset
from StructDiffCore.io.dicom import read_dicom_series
from StructDiffCore.io.dicom_export import write_ct_series
from StructDiffCore.io.export import FORMATS, export_pairs
from StructDiffCore.io.export_pair import ExportPair, read_sample, refusals, sample_folders
from StructDiffCore.io.files import (
    mask_id,
    read_label_map,
    read_volume,
    template_id,
    write_float_volume,
    write_label_map,
    write_volume,
)
from StructDiffCore.io.folds import families, fold_of_case
from StructDiffCore.io.layouts import cases

PASSED = {"topology": {"verdict": "pass"}, "quality": {"verdict": "pass", "off": []}}
OBLIQUE = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]


def a_grid(left_handed: bool = False) -> Geometry:
    direction = OBLIQUE * np.sign(np.linalg.det(OBLIQUE))
    if left_handed:
        direction = direction * (1, 1, -1)
    return Geometry((7, 6, 5), (0.5, 0.7, 0.9), (-12.25, 30.5, 101.125), direction)


def a_case(name="one", template="t1", mask_id="m1", seed=0, grid: Geometry | None = None, **told) -> ExportPair:
    grid = grid or a_grid()
    rng = np.random.default_rng(seed)
    image = Volume(rng.integers(-1000, 1500, grid.shape), grid)
    mask = LabelMap(rng.choice([0, 1, 6, 8], grid.shape).astype(np.uint8), grid, CARDIAC)
    unsure = Volume(rng.uniform(0, 50, grid.shape), grid)
    return ExportPair(name, image, mask, unsure, {**PASSED, "template": template, "mask_id": mask_id, "synthetic": True, **told})


def a_sample(folder: Path, pair: ExportPair, confidence: bool = True) -> Path:
    """A sample folder as synthesize leaves it."""
    folder.mkdir(parents=True)
    write_volume(pair.image, folder / "image.nii.gz")
    write_label_map(pair.mask, folder / "mask.nii.gz")
    files = {"image": "image.nii.gz", "mask": "mask.nii.gz"}
    if confidence:
        write_float_volume(pair.confidence, folder / "confidence.nii.gz")
    (folder / "manifest.json").write_text(json.dumps({**pair.manifest, "scheme": "cardiac", "files": files}))
    return folder


def state(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_sample_folder_is_read_with_its_confidence(tmp_path):
    pair = a_case()
    found = read_sample(a_sample(tmp_path / "run" / "sample-000", pair))
    assert found.name == "run_sample-000"
    assert found.mask.scheme == CARDIAC
    np.testing.assert_array_equal(found.image.voxels, pair.image.voxels)
    np.testing.assert_allclose(found.confidence.voxels, pair.confidence.voxels)
    assert read_sample(a_sample(tmp_path / "run" / "sample-001", pair, confidence=False)).confidence is None


def test_samples_are_found_below_a_folder_and_hidden_ones_are_not(tmp_path):
    for name in ("a/sample-000", "b/sample-000", "b/.sample-001.77.partial"):
        a_sample(tmp_path / name, a_case())
    (tmp_path / "b" / "manifest.json").write_text('{"verb": "masks"}')
    assert sample_folders([tmp_path]) == [tmp_path / "a/sample-000", tmp_path / "b/sample-000"]
    assert sample_folders([tmp_path / "a/sample-000", tmp_path]) == sample_folders([tmp_path])
    (tmp_path / "empty").mkdir()
    with pytest.raises(StructDiffError, match="holds no sample"):
        sample_folders([tmp_path, tmp_path / "empty"])


def test_labels_outside_a_shipped_scheme_keep_the_names_of_the_report(tmp_path):
    grid = a_grid()
    mask = LabelMap(np.full(grid.shape, 3), grid, LabelScheme("mine", (Label(3, "spleen"),)))
    topology = {"verdict": "pass", "labels": {"3": {"name": "spleen"}}}
    pair = ExportPair("x", Volume(np.zeros(grid.shape), grid), mask, None, {**PASSED, "topology": topology})
    folder = a_sample(tmp_path / "s", pair, confidence=False)
    told = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**told, "scheme": "mine"}))
    assert read_sample(folder).mask.scheme[3].name == "spleen"


@pytest.mark.parametrize("form", ["nrrd", "nifti"])
def test_case_folders_read_back_voxel_by_voxel(tmp_path, form):
    pair = a_case()
    (folder,) = export_pairs([pair], form, tmp_path / "out").paths
    told = json.loads((folder / "manifest.json").read_text())
    files = told["files"]
    image = read_volume(folder / files["image"])
    np.testing.assert_array_equal(image.voxels, pair.image.voxels)
    assert image.geometry.same_as(pair.image.geometry, 1e-3)
    mask = read_label_map(folder / files["mask"], CARDIAC)
    np.testing.assert_array_equal(mask.voxels, pair.mask.voxels)
    np.testing.assert_allclose(read_volume(folder / files["confidence"]).voxels, pair.confidence.voxels)
    assert (told["synthetic"], told["template"], told["export"]["format"]) == (True, "t1", form)
    assert sitk.ReadImage(str(folder / files["image"])).GetPixelID() == sitk.sitkInt16


def test_nifti_on_the_same_place_for_nibabel(tmp_path):
    pair = a_case()
    (folder,) = export_pairs([pair], "nifti", tmp_path / "out").paths
    read = nibabel.load(folder / "image.nii.gz")
    np.testing.assert_allclose(read.affine, pair.image.geometry.affine, atol=1e-4)
    np.testing.assert_array_equal(np.asarray(read.dataobj), pair.image.voxels)


@pytest.mark.parametrize("verdicts", [{"topology": {"verdict": "fail"}}, {"quality": {"verdict": "look", "off": ["aorta"]}}])
@pytest.mark.parametrize("form", FORMATS)
def test_a_failed_verdict_stays_unless_forced_with_a_reason(tmp_path, form, verdicts):
    pair = a_case(**verdicts)
    for no_reason in (None, "", "  "):
        with pytest.raises(StructDiffError, match="did not pass"):
            export_pairs([a_case("fine"), pair], form, tmp_path / "out", force=no_reason)
        assert not (tmp_path / "out").exists()
    export_pairs([pair], form, tmp_path / "out", force="looked at by hand")
    place = tmp_path / "out" / ("one/manifest.json" if form in export_cases.WRITERS else "manifests/one.json")
    told = json.loads(place.read_text())["export"]
    assert told["forced_because"] == "looked at by hand"
    assert len(told["failed"]) == 1


def test_a_missing_verdict_counts_as_failed_and_a_passed_one_needs_nothing():
    assert refusals(PASSED) == []
    assert refusals({}) == ["the topology verdict is missing", "the quality verdict is missing"]
    assert "aorta" in refusals({**PASSED, "quality": {"verdict": "look", "off": ["aorta"]}})[0]


@pytest.mark.parametrize("form", FORMATS)
def test_a_disk_that_fails_midway_leaves_nothing_new(tmp_path, form, monkeypatch):
    out = tmp_path / "out"
    export_pairs([a_case("before")], form, out)
    earlier = state(out)
    calls = []

    def failing(*given):
        calls.append(given)
        raise OSError(28, "No space left on device")

    for module in (export_cases, export_dataset):
        monkeypatch.setattr(module, "write_float_volume", failing)
    with pytest.raises(StructDiffError, match="could not be written"):
        export_pairs([a_case("next")], form, out)
    assert calls
    assert state(out) == earlier
    with pytest.raises(StructDiffError):
        export_pairs([a_case("next")], form, tmp_path / "fresh")
    assert not (tmp_path / "fresh").exists()


@pytest.mark.parametrize("form", FORMATS)
def test_cases_are_added_and_never_overwritten(tmp_path, form):
    out = tmp_path / "out"
    export_pairs([a_case("a", seed=1)], form, out)
    export_pairs([a_case("b", "t2", "m2", seed=2)], form, out)
    before = state(out)
    with pytest.raises(StructDiffError, match="already"):
        export_pairs([a_case("c", seed=3), a_case("a", seed=4)], form, out)
    assert state(out) == before


@pytest.mark.parametrize("form", FORMATS)
def test_a_folder_of_something_else_is_refused(tmp_path, form):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(StructDiffError):
        export_pairs([a_case()], form, tmp_path)
    assert state(tmp_path) == {"thesis.txt": b"mine"}


def test_what_a_killed_export_left_does_not_stand_in_the_way(tmp_path):
    (tmp_path / "out" / ".export.999999.partial" / "half").mkdir(parents=True)
    assert export_pairs([a_case()], "nnunet", tmp_path / "out").paths
    assert (tmp_path / "out" / "dataset.json").is_file()


@pytest.mark.parametrize("form", FORMATS)
def test_what_a_file_browser_leaves_does_not_stand_in_the_way(tmp_path, form):
    (tmp_path / ".DS_Store").write_bytes(b"x")
    assert export_pairs([a_case("a")], form, tmp_path).paths
    assert export_pairs([a_case("b", seed=1)], form, tmp_path).paths


def test_names_that_only_some_file_systems_take_are_made_plain(tmp_path):
    (folder,) = export_pairs([a_case("Herz Ü / 1")], "nrrd", tmp_path / "out").paths
    assert folder.name == "Herz_1"


def test_nothing_to_export_and_unknown_formats_are_refused(tmp_path):
    with pytest.raises(StructDiffError, match="nothing to export"):
        export_pairs([], "nnunet", tmp_path / "out")
    with pytest.raises(StructDiffError, match="unknown format 'bundle'"):
        export_pairs([a_case()], "bundle", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nnunet_finds_true_hu_its_labels_and_the_number_of_cases(tmp_path):
    """Fields as nnU-Net's documentation/dataset_format.md asks for them."""
    pairs = [a_case("a", "t1", "m1", 1), a_case("b", "t2", "m2", 2)]
    export_pairs(pairs, "nnunet", tmp_path)
    told = json.loads((tmp_path / "dataset.json").read_text())
    assert told["channel_names"] == {"0": "CT"}
    assert told["labels"] == {"background": 0} | {label.name: label.value for label in CARDIAC.labels}
    assert (told["numTraining"], told["file_ending"]) == (2, ".nii.gz")
    image = sitk.ReadImage(str(tmp_path / "imagesTr" / "a_0000.nii.gz"))
    label = sitk.ReadImage(str(tmp_path / "labelsTr" / "a.nii.gz"))
    assert image.GetPixelID() == sitk.sitkInt16
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image).transpose(2, 1, 0), pairs[0].image.voxels)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(label).transpose(2, 1, 0), pairs[0].mask.voxels)
    assert (image.GetOrigin(), image.GetDirection()) == (label.GetOrigin(), label.GetDirection())
    assert [case.id for case in cases(tmp_path)] == ["a", "b"]
    files = {path.name for path in tmp_path.iterdir()}
    assert {"imagesTr", "labelsTr", "confidenceTr", "manifests", "dataset.json", "splits_final.json"} <= files


def test_uncertain_voxels_become_the_ignore_label_which_is_the_highest(tmp_path):
    pair = a_case()
    export_pairs([pair], "nnunet", tmp_path, ignore_above_hu=30.0)
    labels = json.loads((tmp_path / "dataset.json").read_text())["labels"]
    assert labels["ignore"] == max(labels.values()) == 10
    stored = read_volume(tmp_path / "labelsTr" / "one.nii.gz").voxels
    unsure = pair.confidence.voxels > 30
    assert (stored[unsure] == 10).all()
    np.testing.assert_array_equal(stored[~unsure], pair.mask.voxels[~unsure])


def test_the_ignore_label_needs_a_confidence_map_and_a_data_set(tmp_path):
    bare = a_case()
    bare = ExportPair(bare.name, bare.image, bare.mask, None, bare.manifest)
    with pytest.raises(StructDiffError, match="no confidence map"):
        export_pairs([bare], "nnunet", tmp_path / "a", ignore_above_hu=30.0)
    with pytest.raises(StructDiffError, match="for nnunet and msd"):
        export_pairs([a_case()], "nrrd", tmp_path / "a", ignore_above_hu=30.0)
    assert list(tmp_path.iterdir()) == []


def a_calibrated_case(name="one", seed=0, confidence=None) -> ExportPair:
    pair = a_case(name, f"t{seed}", f"m{seed}", seed)
    share = np.random.default_rng(seed).uniform(0, 1, pair.image.voxels.shape) if confidence is None else confidence
    return ExportPair(name, pair.image, pair.mask, pair.confidence, pair.manifest, Volume(share, pair.image.geometry))


def test_voxels_below_a_calibrated_confidence_become_the_ignore_label(tmp_path):
    pair = a_calibrated_case()
    export_pairs([pair], "nnunet", tmp_path, ignore_above_hu=40.0, ignore_below=0.3)
    stored = read_volume(tmp_path / "labelsTr" / "one.nii.gz").voxels
    unsure = (pair.confidence.voxels > 40) | (pair.calibrated.voxels < 0.3)
    assert 0.3 < unsure.mean() < 0.6
    assert (stored[unsure] == 10).all()
    np.testing.assert_array_equal(stored[~unsure], pair.mask.voxels[~unsure])
    told = json.loads((tmp_path / "manifests" / "one.json").read_text())["export"]
    assert (told["ignore_above_hu"], told["ignore_below"]) == (40.0, 0.3)


@pytest.mark.parametrize("form", FORMATS)
def test_the_calibrated_map_travels_with_every_format(tmp_path, form):
    pair = a_calibrated_case()
    export_pairs([pair], form, tmp_path)
    manifest = tmp_path / ("one/manifest.json" if form in export_cases.WRITERS else "manifests/one.json")
    name = json.loads(manifest.read_text())["files"]["confidence_0_to_1"]
    stored = read_volume((manifest.parent if form in export_cases.WRITERS else tmp_path) / name)
    np.testing.assert_allclose(stored.voxels, pair.calibrated.voxels)


def test_a_sample_folder_is_read_with_its_calibrated_confidence(tmp_path):
    pair = a_calibrated_case()
    folder = a_sample(tmp_path / "s", pair)
    assert read_sample(folder).calibrated is None
    write_float_volume(pair.calibrated, folder / "confidence_0_to_1.nii.gz")
    np.testing.assert_allclose(read_sample(folder).calibrated.voxels, pair.calibrated.voxels)


def test_a_calibrated_confidence_that_is_none_or_missing_is_refused(tmp_path):
    with pytest.raises(StructDiffError, match=r"leaves \[0, 1\]"):
        a_calibrated_case(confidence=np.full(a_grid().shape, 1.5))
    with pytest.raises(StructDiffError, match="one has no calibrated confidence map"):
        export_pairs([a_case()], "nnunet", tmp_path / "a", ignore_below=0.5)
    for wrong in (0.0, 1.5, float("nan")):
        with pytest.raises(StructDiffError, match="would be ignored"):
            export_pairs([a_calibrated_case()], "nnunet", tmp_path / "a", ignore_below=wrong)
    assert list(tmp_path.iterdir()) == []


def test_labels_with_gaps_are_renumbered_for_nnunet(tmp_path):
    grid = a_grid()
    scheme = LabelScheme("organs", (Label(7, "liver"), Label(3, "spleen"), Label(40, "liver")))
    voxels = np.random.default_rng(0).choice([0, 3, 7, 40], grid.shape)
    pair = ExportPair("x", Volume(np.zeros(grid.shape), grid), LabelMap(voxels, grid, scheme), None, PASSED)
    export_pairs([pair], "nnunet", tmp_path)
    labels = json.loads((tmp_path / "dataset.json").read_text())["labels"]
    assert labels == {"background": 0, "spleen": 1, "liver 7": 2, "liver 40": 3}
    stored = read_volume(tmp_path / "labelsTr" / "x.nii.gz").voxels
    for old, new in ((0, 0), (3, 1), (7, 2), (40, 3)):
        np.testing.assert_array_equal(stored == new, voxels == old)


@pytest.mark.parametrize("relation", ["template", "mask_id", "mask_references", "template_mask_id"])
def test_children_of_a_real_case_stay_on_its_side_in_a_data_set_with_the_same_labels_only(tmp_path, relation):
    (tmp_path / "imagesTr").mkdir()
    (tmp_path / "labelsTr").mkdir()
    for seed, name in enumerate(("real", "other")):
        pair = a_case(name, seed=seed)
        write_volume(pair.image, tmp_path / "imagesTr" / f"{name}_0000.nii.gz")
        write_label_map(pair.mask, tmp_path / "labelsTr" / f"{name}.nii.gz")
    labels = {"background": 0} | {label.name: label.value for label in CARDIAC.labels}
    described = {"channel_names": {"0": "CT"}, "labels": labels, "numTraining": 2, "file_ending": ".nii.gz", "name": "Real"}
    (tmp_path / "dataset.json").write_text(json.dumps(described))
    real = _stored_pair(tmp_path, "real")
    ids = {"template": template_id(real), "mask_references": [mask_id(real.mask)]}
    child = a_case("child", **{relation: ids.get(relation, mask_id(real.mask))})
    export_pairs([child], "nnunet", tmp_path)
    told = json.loads((tmp_path / "dataset.json").read_text())
    assert (told["numTraining"], told["name"], "synthetic" in told) == (3, "Real", False)
    for fold in json.loads((tmp_path / "splits_final.json").read_text()):
        sides = [side for side in ("train", "val") for case in fold[side] if case in ("real", "child")]
        assert len(set(sides)) == 1
    with pytest.raises(StructDiffError, match="has the labels"):
        export_pairs([a_case("more")], "nnunet", tmp_path, ignore_above_hu=5.0)


def _stored_pair(folder: Path, case: str):
    from StructDiffCore.io.files import read_pair

    return read_pair(folder / "imagesTr" / f"{case}_0000.nii.gz", folder / "labelsTr" / f"{case}.nii.gz")


def test_monai_reads_the_datalist(tmp_path):
    export_pairs([a_case("a", "t1", "m1", 1), a_case("b", "t2", "m2", 2)], "msd", tmp_path)
    listed = load_decathlon_datalist(str(tmp_path / "dataset.json"), True, "training")
    assert [Path(entry["image"]).name for entry in listed] == ["a.nii.gz", "b.nii.gz"]
    assert all(Path(entry["image"]).is_file() and Path(entry["label"]).is_file() for entry in listed)
    assert {entry["fold"] for entry in listed} == {0, 1}
    assert all(entry["synthetic"] is True for entry in listed)
    assert all((tmp_path / entry["confidence"]).is_file() for entry in listed)
    assert [case.id for case in cases(tmp_path)] == ["a", "b"]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    parents=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=20),
)
def test_relatives_are_always_in_one_fold(parents):
    ancestors = {f"c{n}": [f"template {t}", f"mask {m}"] for n, (t, m) in enumerate(parents)}
    folds = fold_of_case(ancestors)
    for one, known in ancestors.items():
        for other, theirs in ancestors.items():
            if set(known) & set(theirs):
                assert folds[one] == folds[other]
    assert sorted(case for family in families(ancestors) for case in family) == sorted(ancestors)


def test_one_family_gives_no_split_and_says_so(tmp_path):
    exported = export_pairs([a_case("a", seed=1), a_case("b", seed=2)], "nnunet", tmp_path)
    assert not (tmp_path / "splits_final.json").exists()
    assert "no honest split" in exported.notes[0]


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
