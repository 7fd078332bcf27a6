"""Pairs as they are found, split, prepared and cropped; standard deviations as confidences."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import load_decathlon_datalist
from scipy.stats import norm
from toy_pairs import GRID, SCHEME, returned, toy, write_config, write_list, write_pair, write_sample, write_scene

from StructDiffCore.cal.cases import PairFiles, pairs_of
from StructDiffCore.cal.confidence import confidence_of_deviation
from StructDiffCore.cal.crops import CropStream
from StructDiffCore.cal.data import TrainingData, listed, read_all
from StructDiffCore.cal.prepared import prepared
from StructDiffCore.cal.settings import PretrainSettings, StageSettings
from StructDiffCore.cal.splits import held_out
from StructDiffCore.domain import Geometry, ImageMaskPair, Label, LabelMap, LabelScheme, StructDiffError, Volume
from StructDiffCore.io.export import export_pairs
from StructDiffCore.io.export_pair import read_sample
from StructDiffCore.io.files import template_id, write_float_volume


def read(folder: Path, out: Path) -> TrainingData:
    settings = PretrainSettings.read(folder / "cal.json")
    return returned(read_all(listed(settings, folder), settings, out))


@pytest.fixture(scope="module")
def a_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("cal")).parent


def a_stream(data: TrainingData, folder: Path, **changes: object) -> CropStream:
    stage = data.stages[0]
    settings = PretrainSettings.from_dict({**json.loads((folder / "cal.json").read_text()), **changes})
    return CropStream(stage.name, stage.cases, settings, stage.settings.steps, (2,), stage.weighted)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.floats(0.1, 500), st.floats(1, 200))
def test_a_deviation_becomes_the_chance_of_an_error_within_the_tolerance(sd: float, tolerance: float) -> None:
    grid = Geometry((2, 2, 2))
    found = confidence_of_deviation(Volume(np.full((2, 2, 2), sd), grid), tolerance).voxels[0, 0, 0]
    assert found == pytest.approx(
        norm.cdf(tolerance, scale=np.float32(sd)) - norm.cdf(-tolerance, scale=np.float32(sd)), abs=1e-6
    )


def test_more_deviation_is_less_confidence_and_none_is_full() -> None:
    values = np.arange(8, dtype=np.float32).reshape(2, 2, 2) * 40
    found = confidence_of_deviation(Volume(values, Geometry((2, 2, 2))), 50.0).voxels.ravel()
    assert found[0] == 1
    assert (np.diff(found) < 0).all()


def test_sample_folders_are_found_one_by_one_and_together(a_scene: Path) -> None:
    together = pairs_of(a_scene / "samples")
    assert [pair.id for pair in together] == [f"samples/sample-00{n}" for n in range(3)]
    assert pairs_of(a_scene / "samples/sample-001") == [together[1]]
    assert together[0].parents == ("t0", "m0")
    assert together[0].confidence is not None


def test_a_list_is_read_as_monai_reads_it(a_scene: Path) -> None:
    theirs = load_decathlon_datalist(str(a_scene / "real.json"), base_dir=str(a_scene))
    ours = pairs_of(a_scene / "real.json")
    assert [(str(pair.image), str(pair.mask), pair.patient) for pair in ours] == [
        (entry["image"], entry["label"], entry["patient"]) for entry in theirs
    ]


def test_a_data_set_folder_is_read_by_its_layout(tmp_path: Path) -> None:
    for kind, name in (("imagesTr", "case_0000.nii.gz"), ("labelsTr", "case.nii.gz")):
        (tmp_path / kind).mkdir()
        image, mask = write_pair(tmp_path / f"{kind}-pair", 5)
        shutil.copy(image if kind == "imagesTr" else mask, tmp_path / kind / name)
    labels = {"background": 0, "block": 2, "rod": 5}
    described = {"channel_names": {"0": "CT"}, "labels": labels, "file_ending": ".nii.gz"}
    (tmp_path / "dataset.json").write_text(json.dumps(described))
    (pair,) = pairs_of(tmp_path)
    assert pair.patient == "case"
    read_pair, ids = pair.read(SCHEME)
    np.testing.assert_array_equal(read_pair.mask.voxels, toy(5)[1])
    assert ids == (template_id(read_pair),)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 9), min_size=10, max_size=30), st.integers(2, 4), st.integers(0, 100))
def test_no_patient_is_split_and_every_pair_is_held_out_once(patients: list[int], folds: int, seed: int) -> None:
    pairs = [PairFiles(str(n), Path(f"{n}"), Path(f"{n}"), patient=f"p{p}") for n, p in enumerate([*patients, *range(4)])]
    seen: list[str] = []
    for fold in range(folds):
        learning, out = held_out(pairs, folds, fold, seed)
        assert not {pair.patient for pair in learning} & {pair.patient for pair in out}
        assert len(learning) + len(out) == len(pairs)
        seen += [pair.id for pair in out]
    assert sorted(seen) == sorted(pair.id for pair in pairs)


def test_a_fold_takes_its_synthetic_children_with_it(tmp_path: Path) -> None:
    write_scene(tmp_path)
    hu, labels = toy(100)
    pair = ImageMaskPair(Volume(np.rint(hu), GRID), LabelMap(labels, GRID, SCHEME))
    for number in range(2):
        shutil.rmtree(tmp_path / f"samples/sample-00{number}")
        write_sample(tmp_path / f"samples/sample-00{number}", number, template=template_id(pair))
    for fold in range(3):
        write_config(tmp_path, validation=[], folds=3, fold=fold)
        data = read(tmp_path, tmp_path / "run")
        children_stay = data.validation[0].files.patient != "p0"
        assert len(data.stages[0].cases) == (3 if children_stay else 1)
        assert any("descend from held-out cases" in note for note in data.notes) != children_stay


def doubting(folder: Path, number: int, **maps: np.ndarray) -> None:
    """A sample with a standard deviation of 500 HU in a quarter of it, and maps in [0, 1] by name."""
    shutil.rmtree(folder / f"samples/sample-00{number}")
    deviation = np.where(np.arange(GRID.shape[0])[:, None, None] < 8, 500.0, 0.0) * np.ones(GRID.shape)
    write_sample(folder / f"samples/sample-00{number}", number, deviation.astype(np.float32))
    for name, values in maps.items():
        write_float_volume(Volume(values.astype(np.float32), GRID), folder / f"samples/sample-00{number}/{name}.nii.gz")


def test_a_person_is_told_how_much_the_maps_doubt(tmp_path: Path) -> None:
    write_scene(tmp_path)
    for number in range(3):
        doubting(tmp_path, number)
    which, doubt, effect = read(tmp_path, tmp_path / "run").notes
    assert "confidence.nii.gz (standard deviation through the error function) for 3" in which
    assert "25.00 % of all" in doubt
    assert effect.startswith("the weights move at most")
    write_config(tmp_path, confidence={"tolerance_hu": 5000.0})
    assert read(tmp_path, tmp_path / "run").notes[-1].startswith("warning: this is the plain loss in all but name")


def test_the_summary_counts_doubt_and_moved_weight_class_by_class(tmp_path: Path) -> None:
    write_scene(tmp_path)
    for number in range(3):
        rod = toy(number)[1] == 5
        half = rod & (np.arange(GRID.shape[0])[:, None, None] < 16)
        doubting(tmp_path, number, confidence_0_to_1=np.where(half, 0.0, 1.0))
    data = read(tmp_path, tmp_path / "run")
    told = data.summary()["stages"][0]["weights"]
    assert told["maps"] == {"confidence_0_to_1.nii.gz (confidence in [0, 1])": 3}
    assert told["classes"]["rod"] | {"voxels": 0} == {"voxels": 0, "mean": 0.5, "doubted": 0.5, "moved": 0.5}
    assert told["classes"]["block"]["doubted"] == told["classes"]["block"]["moved"] == 0
    assert data.summary()["stages"][1]["weights"] == {}


@pytest.mark.parametrize(
    ("kind", "mean"),
    [
        ("confidence", 0.25),
        ("deviation_hu", 0.77),
        ("file:mine.nii.gz", 0.75),
        ("file:../maps/{id}.nii.gz", 0.125),
        ("none", 1.0),
    ],
)
def test_a_run_believes_the_map_it_is_told_to(tmp_path: Path, kind: str, mean: float) -> None:
    write_scene(tmp_path)
    for number in range(3):
        flat = {name: np.full(GRID.shape, value) for name, value in (("confidence_0_to_1", 0.25), ("mine", 0.75))}
        doubting(tmp_path, number, **flat)
        place = tmp_path / f"samples/maps/samples/sample-00{number}.nii.gz"
        place.parent.mkdir(parents=True, exist_ok=True)
        write_float_volume(Volume(np.full(GRID.shape, 0.125, np.float32), GRID), place)
    write_config(tmp_path, confidence={"kind": kind})
    stage = read(tmp_path, tmp_path / "run").stages[0]
    found = [1.0 if case.trust is None else float(np.mean(case.trust, dtype=np.float64)) for case in stage.cases]
    assert found == pytest.approx([mean] * 3, abs=0.005)
    assert stage.weighted == (kind != "none")


def test_confidence_above_the_level_of_full_trust_counts_whole_and_below_it_in_proportion(tmp_path: Path) -> None:
    write_scene(tmp_path)
    halves = np.where(np.arange(GRID.shape[0])[:, None, None] < 16, 0.125, 0.3) * np.ones(GRID.shape)
    for number in range(3):
        doubting(tmp_path, number, confidence_0_to_1=halves)
    write_config(tmp_path, confidence={"full_trust_at": 0.25})
    for case in read(tmp_path, tmp_path / "run").stages[0].cases:
        assert case.trust is not None
        assert set(np.unique(case.trust)) == {0.5, 1.0}
    write_config(tmp_path, confidence={})
    case = read(tmp_path, tmp_path / "run").stages[0].cases[0]
    assert case.trust is not None
    assert np.unique(case.trust) == pytest.approx([0.125, 0.3], abs=1e-3)


def test_several_sources_stand_in_one_run_each_with_the_map_it_has(tmp_path: Path) -> None:
    write_scene(tmp_path)
    doubting(tmp_path, 0, confidence_0_to_1=np.full(GRID.shape, 0.25))
    shutil.move(tmp_path / "samples/sample-000", tmp_path / "others/sample-000")
    write_config(tmp_path, synthetic={"sources": ["samples", "others"], "steps": 2})
    stage = read(tmp_path, tmp_path / "run").stages[0]
    assert [case.files.id for case in stage.cases] == ["samples/sample-001", "samples/sample-002", "others/sample-000"]
    told = stage.trust(SCHEME)["maps"]
    assert sorted(told.values()) == [1, 2]


def test_a_pair_is_prepared_once_and_again_when_its_file_changes(tmp_path: Path) -> None:
    write_scene(tmp_path)
    first = read(tmp_path, tmp_path / "run")
    notes = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").glob("prepared/*/case.json")}
    assert read(tmp_path, tmp_path / "run").hash == first.hash
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").glob("prepared/*/case.json")} == notes
    shutil.rmtree(tmp_path / "real/r0")
    write_pair(tmp_path / "real/r0", 55)
    assert read(tmp_path, tmp_path / "run").hash != first.hash
    assert len(list((tmp_path / "run/prepared").iterdir())) == len(notes)


def test_a_prepared_pair_holds_classes_at_the_networks_voxel_size(tmp_path: Path) -> None:
    write_sample(tmp_path / "sample", 3, np.where(toy(3)[1] == 2, 1e9, 0.0).astype(np.float32))
    (files,) = pairs_of(tmp_path / "sample")
    settings = PretrainSettings(synthetic=StageSettings(("sample",), 1), spacing_mm=1.0, merged={5: 2})
    case = prepared(files, tmp_path, settings, SCHEME, weighted=True)
    np.testing.assert_array_equal(case.classes, toy(3)[1] > 0)
    np.testing.assert_allclose(case.trust, toy(3)[1] != 2, atol=1e-6)
    assert (case.trust[toy(3)[1] != 2] == 1).all()
    half = PretrainSettings(synthetic=StageSettings(("sample",), 1), spacing_mm=0.5)
    assert prepared(files, tmp_path, half, SCHEME, weighted=False).image.shape == tuple(2 * n for n in GRID.shape)


def test_crops_depend_on_seed_and_place_alone(a_scene: Path, tmp_path: Path) -> None:
    stream = a_stream(read(a_scene, tmp_path), a_scene)
    whole = list(stream.batches(0))
    halves = [list(stream.batches(0, rank, 2)) for rank in range(2)]
    for step in range(6):
        images = np.concatenate([halves[rank][step][0].numpy() for rank in range(2)])
        np.testing.assert_array_equal(images, whole[step][0].numpy())
    np.testing.assert_array_equal(next(stream.batches(4))[1].numpy(), whole[4][1].numpy())
    assert not np.array_equal(whole[0][0].numpy(), whole[1][0].numpy())


def test_a_scan_smaller_than_a_crop_is_completed_with_air_for_certain(a_scene: Path, tmp_path: Path) -> None:
    image, classes, trust = a_stream(read(a_scene, tmp_path), a_scene, crop=48).crop(0)
    assert image.shape == classes.shape == trust.shape == (48, 48, 48)
    beyond = np.ones((48, 48, 48), bool)
    beyond[: GRID.shape[0], : GRID.shape[1], : GRID.shape[2]] = False
    assert (image[beyond] == -1024).all()
    assert not classes[beyond].any()
    assert (trust[beyond] == 1).all()


def test_half_of_the_centred_crops_hold_the_thin_label(a_scene: Path, tmp_path: Path) -> None:
    stream = a_stream(read(a_scene, tmp_path), a_scene, foreground=1.0)
    held = [(stream.crop(number)[1] == 2).any() for number in range(60)]
    assert 0.3 < np.mean(held) < 0.8


@pytest.mark.parametrize("form", ["nnunet", "msd"])
def test_an_exported_sample_keeps_its_parents_its_confidence_and_the_meaning_of_its_labels(tmp_path: Path, form: str) -> None:
    write_sample(tmp_path / "samples/sample-000", 6, template="t6")
    told = json.loads((tmp_path / "samples/sample-000/manifest.json").read_text())
    told["topology"] = {"verdict": "pass", "labels": {"2": {"name": "block"}, "5": {"name": "rod"}}}
    (tmp_path / "samples/sample-000/manifest.json").write_text(json.dumps({**told, "quality": {"verdict": "pass"}}))
    export_pairs([read_sample(tmp_path / "samples/sample-000")], form, tmp_path / "out")
    for source in (tmp_path / "out", tmp_path / "out/dataset.json"):
        (pair,) = pairs_of(source)
        assert pair.parents == ("t6", "m6")
        assert pair.confidence is not None
        assert pair.confidence.is_file()
        renumbered = LabelScheme("exported", (Label(1, "block"), Label(2, "rod")))
        np.testing.assert_array_equal(pair.read(renumbered)[0].mask.voxels == 2, toy(6)[1] == 5)
        with pytest.raises(StructDiffError, match=r"label 1 'block', which the scheme 'toy' does not know"):
            pair.read(SCHEME)


def test_a_list_may_name_confidence_and_parents(tmp_path: Path) -> None:
    write_pair(tmp_path / "a", 1)
    write_list(tmp_path / "list.json", {"training": [(tmp_path / "a", "p")]})
    entry = json.loads((tmp_path / "list.json").read_text())["training"][0]
    entry |= {"confidence": "a/confidence.nii.gz", "template": "t9", "patient": ""}
    (tmp_path / "list.json").write_text(json.dumps({"training": [entry]}))
    (pair,) = pairs_of(tmp_path / "list.json")
    assert (pair.patient, pair.parents, pair.group) == ("", ("t9",), "t9")
    assert pair.calibrated == tmp_path / "a/confidence.nii.gz"


def test_augmentation_changes_pictures_alone_and_is_a_function_of_the_sample(a_scene: Path, tmp_path: Path) -> None:
    data = read(a_scene, tmp_path)
    plain, changed, again = (a_stream(data, a_scene, augment=wanted) for wanted in (False, True, True))
    differ = 0
    for sample in range(6):
        (hu, classes, trust), other, same = (stream.crop(sample) for stream in (plain, changed, again))
        assert all(np.array_equal(a, b) for a, b in zip(other, same))
        assert np.array_equal(classes, other[1])
        assert np.array_equal(trust, other[2])
        differ += not np.array_equal(hu, other[0])
    assert differ >= 4
