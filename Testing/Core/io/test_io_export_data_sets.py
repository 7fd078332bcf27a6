"""Exported data sets: nnU-Net and MSD read them, uncertain voxels are ignored, relatives stay on one side."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from exported_pairs import PASSED, a_case, a_grid, a_sample
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import load_decathlon_datalist

from StructDiffCore.domain import CARDIAC, Label, LabelMap, LabelScheme, StructDiffError, Volume
from StructDiffCore.io import export_cases
from StructDiffCore.io.export import FORMATS, export_pairs
from StructDiffCore.io.export_pair import ExportPair, read_sample
from StructDiffCore.io.files import (
    mask_id,
    read_volume,
    template_id,
    write_float_volume,
    write_label_map,
    write_volume,
)
from StructDiffCore.io.folds import families, fold_of_case
from StructDiffCore.io.layouts import cases


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
