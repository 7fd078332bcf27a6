"""Bad pairs, lists and settings: one clear line and exit code 2, before the first step is made."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from toy_pairs import GRID, SCHEME, toy, write_config, write_list, write_pair, write_sample, write_scene

from StructDiffCore.cli.main import main
from StructDiffCore.domain import CARDIAC, Geometry, ImageMaskPair, LabelMap, Volume
from StructDiffCore.io.files import template_id, write_float_volume, write_label_map
from StructDiffCore.io.itk_images import image_of
from StructDiffCore.segmentation.segmenter import Segmenter
from StructDiffCore.systems.weights_file import write_weights


def confidence_file(folder: Path, values: np.ndarray, kind: str = "confidence") -> None:
    """Any voxels as the first sample's map."""
    name = "confidence_0_to_1.nii.gz" if kind == "confidence" else "confidence.nii.gz"
    sitk.WriteImage(image_of(values.astype(np.float32), GRID), str(folder / "samples/sample-000" / name))
    write_config(folder, confidence={"kind": kind})


def ones() -> np.ndarray:
    return np.ones(GRID.shape, np.float32)


def map_on_another_grid(folder: Path) -> None:
    moved = Geometry(GRID.shape, GRID.spacing, (0.0, 0.0, 0.0))
    write_float_volume(Volume(ones(), moved), folder / "samples/sample-001/confidence.nii.gz")


def map_with_nan(folder: Path) -> None:
    values = ones()
    values[3, 4, 5] = np.nan
    confidence_file(folder, values)


def map_above_1(folder: Path) -> None:
    confidence_file(folder, 1.5 * ones())


def map_below_0(folder: Path) -> None:
    confidence_file(folder, -0.1 * ones())


def negative_deviation(folder: Path) -> None:
    confidence_file(folder, -3.0 * ones(), "deviation_hu")


def map_of_zeros(folder: Path) -> None:
    confidence_file(folder, 0.0 * ones())


def deviation_beyond_all_trust(folder: Path) -> None:
    """A confidence of 4e-9, which is 0 in the half precision that is kept."""
    confidence_file(folder, 1e10 * ones(), "deviation_hu")


def map_missing_for_one_case(folder: Path) -> None:
    (folder / "samples/sample-002/confidence.nii.gz").unlink()


def unknown_kind_of_map(folder: Path) -> None:
    write_config(folder, confidence={"kind": "file:"})


def full_trust_at_nothing(folder: Path) -> None:
    write_config(folder, confidence={"full_trust_at": 0.0})


def named_map_missing(folder: Path) -> None:
    write_config(folder, confidence={"kind": "file:shuffled.nii.gz"})


def class_absent_from_the_real_data(folder: Path) -> None:
    for number in range(4):
        labels = toy(100 + number)[1]
        write_label_map(LabelMap(np.where(labels == 5, 0, labels), GRID, SCHEME), folder / f"real/r{number}/mask.nii.gz")


def fewer_cases_than_folds(folder: Path) -> None:
    write_config(folder, validation=[], folds=5)


def a_patient_on_both_sides(folder: Path) -> None:
    write_list(folder / "real.json", {"training": [(folder / "real/r0", "p0")], "validation": [(folder / "real/r3", "p0")]})


def an_image_on_both_sides(folder: Path) -> None:
    write_list(folder / "real.json", {"training": [(folder / "real/r0", "a")], "validation": [(folder / "real/r0", "b")]})


def a_copy_on_both_sides(folder: Path) -> None:
    shutil.copytree(folder / "real/r0", folder / "real/copy")
    write_list(folder / "real.json", {"training": [(folder / "real/r0", "a")], "validation": [(folder / "real/copy", "b")]})


def a_synthetic_child_of_a_held_out_scan(folder: Path) -> None:
    hu, labels = toy(103)
    shutil.rmtree(folder / "samples/sample-000")
    pair = ImageMaskPair(Volume(np.rint(hu), GRID), LabelMap(labels, GRID, SCHEME))
    write_sample(folder / "samples/sample-000", 0, template=template_id(pair))


def labels_of_another_scheme(folder: Path) -> None:
    labels = toy(100)[1]
    write_label_map(LabelMap(np.where(labels == 5, 9, labels), GRID, CARDIAC), folder / "real/r0/mask.nii.gz")


def image_that_is_no_ct(folder: Path) -> None:
    confidence_file(folder, ones())
    sitk.WriteImage(image_of(np.abs(toy(0)[0]) / 600, GRID), str(folder / "samples/sample-000/image.nii.gz"))


def missing_image(folder: Path) -> None:
    (folder / "real/r1/image.nii.gz").unlink()


def no_such_source(folder: Path) -> None:
    write_config(folder, synthetic={"sources": ["nowhere"], "steps": 3})


def list_that_is_no_json(folder: Path) -> None:
    (folder / "real.json").write_text("training: 3")


def list_without_the_section(folder: Path) -> None:
    write_list(folder / "real.json", {"training": [(folder / "real/r0", "a")]})


def list_with_a_bad_entry(folder: Path) -> None:
    (folder / "real.json").write_text(json.dumps({"training": ["r0"], "validation": ["r1"]}))


def unknown_network(folder: Path) -> None:
    write_config(folder, network="TransUNet")


def unknown_setting(folder: Path) -> None:
    write_config(folder, learning_rat=3)


def crop_that_cannot_be_halved(folder: Path) -> None:
    write_config(folder, crop=40)


def too_small_for_bf16(folder: Path) -> None:
    write_config(folder, precision="bf16-mixed")


def nothing_to_do(folder: Path) -> None:
    write_config(folder, synthetic={}, real={})


def steps_without_sources(folder: Path) -> None:
    write_config(folder, real={"steps": 5})


def unknown_label_to_learn(folder: Path) -> None:
    write_config(folder, labels=[2, 77])


def text_for_a_number(folder: Path) -> None:
    write_config(folder, batch="many")


def half_a_step(folder: Path) -> None:
    write_config(folder, synthetic={"sources": ["samples"], "steps": 2.5})


SPOILED: list[tuple[Callable[[Path], None], str]] = [
    (map_on_another_grid, "sample-001/confidence.nii.gz.*another grid"),
    (map_with_nan, "sample-000/confidence_0_to_1.nii.gz.*NaN"),
    (map_above_1, r"sample-000/confidence_0_to_1.nii.gz.*leaves \[0, 1\]"),
    (map_below_0, r"sample-000/confidence_0_to_1.nii.gz.*leaves \[0, 1\]"),
    (negative_deviation, "sample-000/confidence.nii.gz.*goes down to -3"),
    (map_of_zeros, "sample-000/confidence_0_to_1.nii.gz.*0 everywhere"),
    (deviation_beyond_all_trust, "sample-000/confidence.nii.gz.*0 everywhere"),
    (unknown_kind_of_map, "confidence.kind is 'file:'.*file:NAME"),
    (full_trust_at_nothing, "full_trust_at is 0.0"),
    (named_map_missing, "sample-000/shuffled.nii.gz does not exist"),
    (map_missing_for_one_case, "sample-002 has no confidence map"),
    (class_absent_from_the_real_data, r"label 5 \(rod\) occurs in none of the 3 cases of the fine-tuning"),
    (fewer_cases_than_folds, r"3 patients \(or templates\) cannot be split into 5 folds"),
    (a_patient_on_both_sides, "patient p0 stands on both sides"),
    (an_image_on_both_sides, "the image image.nii.gz stands on both sides"),
    (a_copy_on_both_sides, "stands on both sides"),
    (a_synthetic_child_of_a_held_out_scan, "stands on both sides.*sample-000"),
    (labels_of_another_scheme, r"r0.*labels \[9\].*'toy' does not know"),
    (image_that_is_no_ct, "sample-000/image.nii.gz.*HU"),
    (missing_image, "r1/image.nii.gz does not exist"),
    (no_such_source, "no folder or data list at .*nowhere"),
    (list_that_is_no_json, "real.json.*not readable as JSON"),
    (list_without_the_section, "real.json.*no 'validation' section"),
    (list_with_a_bad_entry, "real.json.*holds 'r0'"),
    (unknown_network, "unknown segmenter 'TransUNet'"),
    (unknown_setting, "learning_rat"),
    (crop_that_cannot_be_halved, "crop is 40"),
    (too_small_for_bf16, "crop of 16 is 2 voxels wide at the bottom of a UNet.*choose a crop of 32 or more"),
    (nothing_to_do, "neither a synthetic nor a real stage"),
    (steps_without_sources, "0 sources and 5 steps"),
    (unknown_label_to_learn, r"does not know the labels \[77\]"),
    (text_for_a_number, "batch is 'many', expected a whole number"),
    (half_a_step, "steps is 2.5, expected a whole number"),
]


@pytest.fixture(scope="module")
def a_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("cal")).parent


@pytest.mark.parametrize(("spoil", "fact"), SPOILED, ids=lambda part: getattr(part, "__name__", ""))
def test_spoiled_pretraining_is_refused_in_one_line(a_scene: Path, tmp_path: Path, spoil, fact, capsys) -> None:
    folder = tmp_path / "scene"
    shutil.copytree(a_scene, folder)
    spoil(folder)
    assert main(["pretrain", str(folder / "cal.json"), "--device", "cpu", "--out", str(tmp_path / "run")]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert re.search(fact, told[0]), told[0]
    assert not list(tmp_path.glob("run/*.safetensors"))
    assert not list(tmp_path.glob("run/**/.*partial"))


def test_a_missing_map_may_be_trusted_and_an_absent_class_allowed(a_scene: Path, tmp_path: Path) -> None:
    folder = tmp_path / "scene"
    shutil.copytree(a_scene, folder)
    map_missing_for_one_case(folder)
    class_absent_from_the_real_data(folder)
    steps = {"synthetic": {"sources": ["samples"], "steps": 1}, "real": {"sources": ["real.json"], "steps": 1}}
    write_config(folder, confidence={"missing": "trust"}, absent="allow", validate_every=9, **steps)
    assert main(["pretrain", str(folder / "cal.json"), "--device", "cpu", "--out", str(tmp_path / "run")]) == 0


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "toy.safetensors"
    Segmenter.untrained(SCHEME, "UNet", 1.0, 16).save_weights(path)
    return path


def predict(image: Path, model: Path, out: Path, *more: str) -> int:
    return main(["predict", str(image), "--model", str(model), "--device", "cpu", "--out", str(out), *more])


@pytest.mark.parametrize(
    ("model", "more", "fact"),
    [
        ("toy", ("--scheme", "cardiac"), "trained on the labels.*the scheme 'cardiac' has 'left atrium' there"),
        ("generator", (), "holds weights of structdiff, expected segmenter"),
        ("nowhere", (), "no weights at"),
        ("cut", (), "not a readable weights file"),
        ("toy", ("--ending", ".docx"), "unknown ending"),
        ("toy", ("--device", "tpu"), "unknown device"),
    ],
)
def test_weights_and_options_that_do_not_fit_are_refused(
    a_scene: Path, weights: Path, tmp_path: Path, model: str, more: tuple[str, ...], fact: str, capsys: pytest.CaptureFixture
) -> None:
    files = {"toy": weights}
    for name in ("generator", "cut", "nowhere"):
        files[name] = tmp_path / f"{name}.safetensors"
    write_weights(files["generator"], "structdiff", {"w": torch.zeros(1)}, {})
    files["cut"].write_bytes(weights.read_bytes()[:3000])
    assert predict(a_scene / "real/r0/image.nii.gz", files[model], tmp_path / "out", *more) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert re.search(fact, told[0]), told[0]
    assert not (tmp_path / "out").exists()


def test_images_that_cannot_be_segmented_are_refused(a_scene: Path, weights: Path, tmp_path: Path, capsys) -> None:
    image = a_scene / "real/r0/image.nii.gz"
    assert predict(tmp_path / "nowhere.nii.gz", weights, tmp_path / "out") == 2
    other = str(a_scene / "real/r1/image.nii.gz")
    assert main(["predict", str(image), other, "--model", str(weights), "--out", str(tmp_path / "out")]) == 2
    assert "would both become image" in capsys.readouterr().err
    write_pair(tmp_path / "unit", 3)
    sitk.WriteImage(image_of(np.abs(toy(0)[0]) / 600, GRID), str(tmp_path / "unit/image.nii.gz"))
    assert predict(tmp_path / "unit/image.nii.gz", weights, tmp_path / "out") == 2
    assert not (tmp_path / "out").exists()
