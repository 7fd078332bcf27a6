"""Whose scan a pair of a data list is: told, or else taken from the image's name, and said so where that matters."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from toy_pairs import GRID, SCHEME, returned, toy, write_config, write_list, write_pair, write_sample, write_scene

from StructDiffCore.cal.cases import pairs_of
from StructDiffCore.cal.data import listed, read_all
from StructDiffCore.cal.settings import PretrainSettings
from StructDiffCore.cal.splits import held_out
from StructDiffCore.cli.main import main
from StructDiffCore.domain import ImageMaskPair, LabelMap, Volume
from StructDiffCore.io.files import template_id


def refused(folder: Path, capsys: pytest.CaptureFixture) -> str:
    """The one line of a run that does not begin."""
    assert main(["pretrain", str(folder / "cal.json"), "--device", "cpu", "--out", str(folder / "run")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.fixture
def a_scene(tmp_path: Path) -> Path:
    """Real pairs that are all called image.nii.gz; nobody has told whose they are."""
    write_scene(tmp_path)
    real = [(tmp_path / f"real/r{number}", "") for number in range(4)]
    write_list(tmp_path / "real.json", {"training": real[:3], "validation": real[3:]})
    return tmp_path


def test_two_images_of_one_name_on_both_sides_are_named_with_what_to_do(a_scene: Path, capsys) -> None:
    line = refused(a_scene, capsys)
    assert "r3/image.nii.gz stand on both sides" in line
    assert "under one name" in line
    assert 'give "patient" with each pair' in line


def test_folds_of_images_of_one_name_ask_for_the_patients(a_scene: Path, capsys) -> None:
    write_config(a_scene, validation=[], folds=3)
    line = refused(a_scene, capsys)
    assert "1 patients (or templates) cannot be split into 3 folds" in line
    assert 'give "patient" with each pair' in line


def test_a_told_patient_on_both_sides_is_named(a_scene: Path, capsys) -> None:
    sides = {name: [(a_scene / f"real/{pair}", "p7")] for name, pair in (("training", "r0"), ("validation", "r3"))}
    write_list(a_scene / "real.json", sides)
    assert "patient p7 stands on both sides of the split (training case image, validation case image)" in refused(a_scene, capsys)


def test_told_patients_are_split_whatever_their_images_are_called(tmp_path: Path) -> None:
    for number in range(3):
        write_pair(tmp_path / f"r{number}", number)
    write_list(tmp_path / "list.json", {"training": [(tmp_path / f"r{number}", f"p{number}") for number in range(3)]})
    learning, out = held_out(pairs_of(tmp_path / "list.json"), 3, 0, 1)
    assert (len(learning), len(out)) == (2, 1)


def test_joint_stages_hold_a_real_patient_and_his_children_out_of_both_and_no_synthetic_pair_alone(tmp_path: Path) -> None:
    write_scene(tmp_path)
    hu, labels = toy(100)
    child_of = ImageMaskPair(Volume(np.rint(hu), GRID), LabelMap(labels, GRID, SCHEME))
    shutil.rmtree(tmp_path / "samples/sample-000")
    write_sample(tmp_path / "samples/sample-000", 0, template=template_id(child_of))
    stage = {"sources": ["samples", "real.json"], "steps": 4}
    held = []
    for fold in range(3):
        write_config(tmp_path, synthetic=stage, real=stage, validation=[], folds=3, fold=fold, confidence={"missing": "trust"})
        settings = PretrainSettings.read(tmp_path / "cal.json")
        data = returned(read_all(listed(settings, tmp_path), settings, tmp_path / "run"))
        held += (out := [case.files.patient for case in data.validation])
        for one in data.stages:
            assert {case.files.patient for case in one.cases if not case.files.parents} == {"p0", "p1", "p2"} - set(out)
            assert sum(bool(case.files.parents) for case in one.cases) == (2 if out == ["p0"] else 3)
    assert sorted(held) == ["p0", "p1", "p2"]
