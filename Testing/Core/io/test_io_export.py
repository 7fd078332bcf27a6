"""Exports: read back by other tools, whole or not at all, and never without a passed verdict or a reason."""

from __future__ import annotations

import json

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from exported_pairs import PASSED, a_case, a_grid, a_sample, state

from StructDiffCore.domain import CARDIAC, Label, LabelMap, LabelScheme, StructDiffError, Volume
from StructDiffCore.io import export_cases, export_dataset
from StructDiffCore.io.export import FORMATS, export_pairs
from StructDiffCore.io.export_pair import ExportPair, read_sample, refusals, sample_folders
from StructDiffCore.io.files import (
    read_label_map,
    read_volume,
)


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
