"""Public data-set folders, rebuilt small: cases are found and their labels mean cardiac structures."""

from __future__ import annotations

import json

import numpy as np
import pytest

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, LabelScheme, StructDiffError, Volume
from StructDiffCore.io.cases import read_case
from StructDiffCore.io.coronary_sides import split_coronaries
from StructDiffCore.io.files import write_label_map, write_volume
from StructDiffCore.io.label_tables import cardiac_value
from StructDiffCore.io.layouts import cases, layout_of

GRID = Geometry((60, 20, 20), (1.0, 1.0, 1.0), (-30, 0, 0))
"""i grows to the patient's right."""


def write_image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(Volume(np.random.default_rng(0).normal(0, 100, GRID.shape), GRID), path)


def write_mask(path, blocks: dict[int, tuple[int, int]]):
    """Label value -> first and last plane along i."""
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = np.zeros(GRID.shape, np.uint16)
    for value, (start, stop) in blocks.items():
        labels[start:stop, 5:9, 5:9] = value
    write_label_map(LabelMap(labels, GRID, LabelScheme.from_values(list(blocks))), path)


def test_imagecas_coronaries_are_split_by_side(tmp_path):
    write_image(tmp_path / "1-200" / "2.img.nii.gz")
    labels = np.zeros(GRID.shape, np.uint8)
    labels[5:15, 4:8, 4:8], labels[40:52, 4:8, 4:8], labels[54, 5, 5] = 1, 1, 1
    write_label_map(LabelMap(labels, GRID, LabelScheme.from_values([1])), tmp_path / "1-200" / "2.label.nii.gz")
    write_image(tmp_path / "1-200" / "10.img.nii.gz")
    write_mask(tmp_path / "1-200" / "10.label.nii.gz", {1: (5, 30)})
    assert layout_of(tmp_path) == "imagecas"
    found = cases(tmp_path)
    assert [case.id for case in found] == ["2", "10"]
    data = read_case(found[0])
    assert data.pair.mask.scheme is CARDIAC
    assert np.all(data.pair.mask.voxels[5:15, 4:8, 4:8] == 8)
    assert np.all(data.pair.mask.voxels[40:52, 4:8, 4:8] == 9)
    assert data.pair.mask.voxels[54, 5, 5] == 9
    one_piece = read_case(found[1])
    assert one_piece.pair.mask.present == (8,)
    assert "one piece" in one_piece.notes[0]


def test_sides_follow_the_patient_not_the_index():
    both = np.zeros(GRID.shape, bool)
    both[5:15, 4:8, 4:8] = both[40:50, 4:8, 4:8] = True
    mirrored = Geometry(GRID.shape, GRID.spacing, (30, 0, 0), np.diag([-1.0, 1.0, 1.0]))
    assert split_coronaries(both, GRID).right[45, 5, 5]
    assert split_coronaries(both, mirrored).right[10, 5, 5]


def test_pieces_above_one_another_do_not_decide_the_side():
    both = np.zeros(GRID.shape, bool)
    both[20:30, 4:8, 2:6] = both[20:30, 4:8, 12:16] = True
    sides = split_coronaries(both, GRID)
    assert not sides.right.any()
    assert "apart" in sides.note


def test_asoca_images_find_their_annotations(tmp_path):
    for group in ("Normal", "Diseased"):
        write_image(tmp_path / group / "CTCA" / f"{group}_1.nrrd")
        write_mask(tmp_path / group / "Annotations" / f"{group}_1.nrrd", {1: (3, 9)})
    write_image(tmp_path / "Normal" / "CTCA" / "Normal_2.nrrd")
    assert layout_of(tmp_path) == "asoca"
    assert [case.id for case in cases(tmp_path)] == ["Diseased_1", "Normal_1"]
    assert read_case(cases(tmp_path)[0]).pair.mask.present == (8,)


def test_mmwhs_values_become_cardiac_ones(tmp_path):
    write_image(tmp_path / "ct_train" / "ct_train_1001_image.nii.gz")
    values = {500: 3, 600: 5, 420: 2, 550: 4, 205: 1, 820: 6, 850: 7, 421: None}
    blocks = {value: (5 * n, 5 * n + 4) for n, value in enumerate(values)}
    write_mask(tmp_path / "ct_train" / "ct_train_1001_label.nii.gz", blocks)
    write_image(tmp_path / "mr_train" / "mr_train_1001_image.nii.gz")
    write_image(tmp_path / "ct_test" / "ct_test_2001_image.nii.gz")
    assert layout_of(tmp_path) == "mmwhs"
    assert [case.id for case in cases(tmp_path)] == ["ct_train_1001"]
    data = read_case(cases(tmp_path)[0])
    for value, (start, _) in blocks.items():
        assert data.pair.mask.voxels[start, 6, 6] == (values[value] or 0)
    assert any("label 421" in note for note in data.notes)


def test_totalsegmentator_files_per_structure_are_put_together(tmp_path):
    subject = tmp_path / "s0001"
    write_image(subject / "ct.nii.gz")
    for name, plane in (
        ("heart_myocardium", 2),
        ("heart_atrium_left", 10),
        ("aorta", 20),
        ("liver", 30),
        ("coronary_arteries", 21),
    ):
        write_mask(subject / "segmentations" / f"{name}.nii.gz", {1: (plane, plane + 4)})
    empty = np.zeros(GRID.shape, np.uint8)
    write_label_map(LabelMap(empty, GRID, CARDIAC), subject / "segmentations" / "pulmonary_artery.nii.gz")
    assert layout_of(tmp_path) == "totalsegmentator"
    mask = read_case(cases(tmp_path)[0]).pair.mask
    assert mask.present == (1, 2, 6, 8)
    assert mask.voxels[20, 6, 6] == 6
    assert mask.voxels[22, 6, 6] == 8


@pytest.mark.parametrize(
    ("task", "given", "expected"),
    [
        ("heartchambers_highres", {1: (2, 4), 5: (10, 12), 7: (20, 22)}, (1, 5, 7)),
        ("total_v1", {7: (2, 4), 44: (10, 12), 5: (20, 22)}, (1, 6)),
    ],
)
def test_totalsegmentator_whole_files_go_by_their_task(tmp_path, task, given, expected):
    write_image(tmp_path / "s1" / "ct.nii.gz")
    write_mask(tmp_path / "s1" / f"{task}.nii.gz", given)
    assert read_case(cases(tmp_path)[0]).pair.mask.present == expected


def test_an_nnunet_folder_is_mapped_by_its_names(tmp_path):
    description = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "aorta": 1, "LV": 2, "tumour": 3},
        "file_ending": ".nii.gz",
        "numTraining": 1,
    }
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    write_image(tmp_path / "imagesTr" / "case_7_0000.nii.gz")
    write_mask(tmp_path / "labelsTr" / "case_7.nii.gz", {1: (2, 4), 2: (8, 10), 3: (20, 22)})
    assert layout_of(tmp_path) == "nnunet"
    data = read_case(cases(tmp_path)[0])
    assert data.pair.mask.present == (3, 6)
    assert any("label 3" in note for note in data.notes)


def test_an_msd_folder_without_cardiac_names_keeps_its_own_labels(tmp_path):
    description = {
        "labels": {"0": "background", "1": "liver", "2": "tumour"},
        "training": [{"image": "./imagesTr/liver_1.nii.gz", "label": "./labelsTr/liver_1.nii.gz"}],
    }
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    write_image(tmp_path / "imagesTr" / "liver_1.nii.gz")
    write_mask(tmp_path / "labelsTr" / "liver_1.nii.gz", {1: (2, 10), 2: (20, 22)})
    assert layout_of(tmp_path) == "msd"
    mask = read_case(cases(tmp_path)[0]).pair.mask
    assert mask.present == (1, 2)
    assert mask.scheme[1].name == "liver"


def test_an_msd_left_atrium_is_the_cardiac_one(tmp_path):
    description = {
        "labels": {"0": "background", "1": "left atrium"},
        "training": [{"image": "./imagesTr/la.nii.gz", "label": "./labelsTr/la.nii.gz"}],
    }
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    write_image(tmp_path / "imagesTr" / "la.nii.gz")
    write_mask(tmp_path / "labelsTr" / "la.nii.gz", {1: (2, 10)})
    assert read_case(cases(tmp_path)[0]).pair.mask.present == (2,)


@pytest.mark.parametrize("path", ["../../secret.nii.gz", "/etc/passwd"])
def test_a_data_list_cannot_leave_its_folder(tmp_path, path):
    description = {"labels": {"0": "background", "1": "liver"}, "training": [{"image": path, "label": path}]}
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    with pytest.raises(StructDiffError, match="leaves its folder"):
        cases(tmp_path)


def test_a_file_ending_cannot_lead_to_another_folder(tmp_path):
    description = {"labels": {"background": 0, "liver": 1}, "channel_names": {"0": "CT"}, "file_ending": "/../../secret.nii.gz"}
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    with pytest.raises(StructDiffError, match="gives the file ending"):
        cases(tmp_path)


@pytest.mark.parametrize(
    "content", ["not json", "[]", '{"labels": {}}', '{"labels": {"0": "a", "x": "b"}}', '{"labels": {"1": "a"}, "training": [3]}']
)
def test_a_broken_data_list_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(StructDiffError) as caught:
        cases(tmp_path)
    assert "\n" not in str(caught.value)


def test_an_unknown_or_maskless_folder_is_refused(tmp_path):
    with pytest.raises(StructDiffError, match="no known data set"):
        layout_of(tmp_path)
    write_image(tmp_path / "1.img.nii.gz")
    with pytest.raises(StructDiffError, match="no image with its mask"):
        cases(tmp_path)


def test_names_of_many_houses_mean_the_same():
    for name in ("heart_atrium_left", "Left Atrium", "LA", "left-atrium"):
        assert cardiac_value(name) == 2
    assert cardiac_value("spleen") is None
