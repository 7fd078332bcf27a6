"""CAL's nnU-Net route against the real package: found, trained, plain where everything is trusted, deaf where nothing is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("nnunetv2", reason="nnU-Net (nnunetv2) is not installed here: make test-nnunet has an environment for it")

import blosc2
import cpu_torchvision  # noqa: F401 - before anything imports torchvision
import numpy as np
import torch
from nnunetv2.run.run_training import get_trainer_from_args, maybe_load_checkpoint
from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name
from scipy.ndimage import binary_erosion, center_of_mass
from tiny_dataset import EMPTY, NAMES, SPACINGS, Places, a_pair, doubted_box, make_tiny, planned, set_confidence

from StructDiffCore.cal.nnunet.doubt import STEPS
from StructDiffCore.cal.nnunet.trainer import nnUNetTrainerStructDiff
from StructDiffCore.domain import Volume
from StructDiffCore.io.files import read_volume, write_float_volume

TRAIN = "nnunetv2.run.run_training:run_training_entry"
PREDICT = "nnunetv2.inference.predict_from_raw_data:predict_entry_point"
OURS, PLAIN = "nnUNetTrainerStructDiffFewSteps", "nnUNetTrainerFewSteps"


def a_trainer(name: str, configuration: str = "3d_fullres", fold: int | str = "all"):
    """A trainer with its network, from the same seed every time."""
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002 - nnU-Net draws from it
    trainer = get_trainer_from_args("101", configuration, fold, name, device=torch.device("cpu"))
    trainer.initialize()
    return trainer


def weights_after_two_steps(name: str, rho: float, configuration: str = "3d_fullres") -> dict[str, torch.Tensor]:
    """Of patches anywhere, so that the labels do not decide where."""
    trainer = a_trainer(name, configuration)
    trainer.oversample_foreground_percent = 0.0
    if hasattr(trainer, "trusting"):
        trainer.trusting.rho = rho
    batches, _ = trainer.get_dataloaders()
    trainer.network.train()
    for _ in range(2):
        trainer.train_step(next(batches))
    return trainer.network.state_dict()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def stored(places: Places, case: str, configuration: str = "3d_fullres", kind: str = "_confidence") -> np.ndarray:
    return blosc2.open(str(places.preprocessed / f"nnUNetPlans_{configuration}{kind}" / f"{case}.b2nd"))[:]


def test_nnunet_finds_the_trainer_by_its_name(places):
    found = recursive_find_trainer_class_by_name("nnUNetTrainerStructDiff")
    assert found.__module__ == "StructDiffCore.cal.nnunet.trainer"


def test_nnunets_commands_train_and_predict(places, capsys):
    """nnUNetv2_train -tr and nnUNetv2_predict; the checkpoint has the weights of a plain one."""
    places.command(TRAIN, "101", "3d_fullres", "0", "-tr", OURS, "-device", "cpu")
    assert "confidence of 3 training cases: mean 0." in capsys.readouterr().out
    fold = result_folder(places, OURS, "0")
    assert (fold / "validation" / "summary.json").is_file()
    checkpoint = torch.load(fold / "checkpoint_final.pth", weights_only=False)
    assert set(checkpoint["network_weights"]) == set(a_trainer(PLAIN).network.state_dict())
    out = places.base / "predicted"
    where = ("-i", str(places.raw / "imagesTr"), "-o", str(out), "-d", "101", "-c", "3d_fullres", "-f", "0", "-tr", OURS)
    places.command(PREDICT, *where, "-device", "cpu", "-npp", "0", "-nps", "0", "--disable_tta", "-step_size", "1")
    assert {path.name for path in out.glob("*.nii.gz")} == {f"{name}.nii.gz" for name in NAMES}


def trained(places: Places, name: str, fold: str, *more: str) -> dict:
    """nnUNetv2_train to the end: what the last checkpoint holds."""
    places.command(TRAIN, "101", "3d_fullres", fold, "-tr", name, "-device", "cpu", *more)
    return torch.load(result_folder(places, name, fold) / "checkpoint_final.pth", weights_only=False)


def result_folder(places: Places, name: str, fold: str) -> Path:
    return places.base / "results" / places.raw.name / f"{name}__nnUNetPlans__3d_fullres" / f"fold_{fold}"


def test_plain_nnunet_starts_from_our_weights(places, capsys):
    """-pretrained_weights, the fine-tuning after ours: all but the segmentation layers, which nnU-Net never takes over."""
    pretrained = trained(places, OURS, "0")["network_weights"]
    weights = result_folder(places, OURS, "0") / "checkpoint_final.pth"
    trainer = a_trainer(PLAIN, fold=1)
    maybe_load_checkpoint(trainer, False, False, str(weights))
    started = trainer.network.state_dict()
    taken = {name for name in started if ".seg_layers." not in name}
    assert all(torch.equal(started[name], pretrained[name]) for name in taken)
    capsys.readouterr()
    tuned = trained(places, PLAIN, "1", "-pretrained_weights", str(weights))["network_weights"]
    assert "Loading pretrained weights from file" in capsys.readouterr().out
    assert not same(tuned, pretrained)


def test_a_training_that_was_stopped_goes_on_where_it_was(places, monkeypatch, capsys):
    """--c: the epochs that are left, at the rho that is due then."""
    seen = []
    begin = nnUNetTrainerStructDiff.on_train_epoch_start

    def stopping(trainer) -> None:
        begin(trainer)
        if len(seen) == 2:
            seen.append("stopped")
            raise KeyboardInterrupt
        seen.append((trainer.current_epoch, trainer.trusting.rho))

    monkeypatch.setattr(nnUNetTrainerStructDiff, "on_train_epoch_start", stopping)
    with pytest.raises(KeyboardInterrupt):
        trained(places, OURS, "0")
    assert not (result_folder(places, OURS, "0") / "checkpoint_final.pth").exists()
    final = trained(places, OURS, "0", "--c")
    assert seen == [(0, 0.0), (1, 1.0), "stopped", (2, 1.0)]
    assert final["current_epoch"] == 3
    assert final["trainer_name"] == OURS


@pytest.mark.parametrize("configuration", ["3d_fullres", "2d"])
def test_the_maps_lie_on_the_voxels_nnunet_trains_on(places, configuration):
    a_trainer("nnUNetTrainerStructDiff", configuration).get_tr_and_val_datasets()
    for number, case in enumerate(NAMES):
        doubt, labels = stored(places, case, configuration), stored(places, case + "_seg", configuration, kind="")[0]
        assert doubt.shape == labels.shape
        assert doubt.dtype == np.int16
        assert set(np.unique(doubt)) >= {0, STEPS}
        expected = np.zeros(a_pair(number).image.voxels.shape, np.int16)
        expected[doubted_box()] = STEPS
        expected = expected[:-EMPTY].transpose(2, 1, 0)
        if SPACINGS[number] == 1.0:
            np.testing.assert_array_equal(doubt, expected)
            np.testing.assert_array_equal(labels > 0, a_pair(number).mask.voxels[:-EMPTY].transpose(2, 1, 0) > 0)
        else:
            assert doubt.shape != expected.shape
            np.testing.assert_allclose(centre(doubt), centre(expected), atol=0.01)
            assert doubt.mean() == pytest.approx(expected.mean(), rel=0.05)


def centre(values: np.ndarray) -> np.ndarray:
    """Centre of mass as a share of each edge."""
    return (np.array(center_of_mass(values)) + 0.5) / values.shape


@pytest.mark.parametrize("configuration", ["3d_fullres", "2d"])
def test_confidence_1_leaves_a_training_bit_for_bit_as_it_was(places, configuration):
    set_confidence(places.preprocessed, kind="deviation_hu")  # a standard deviation of 0 everywhere
    plain = weights_after_two_steps(PLAIN, 1.0, configuration)
    ours = weights_after_two_steps(OURS, 1.0, configuration)
    assert same(plain, ours)


def test_a_level_of_full_trust_in_dataset_json_counts(places):
    """Maps of 0.5 are trusted whole from 0.5 on, and count by half without that."""
    for case in NAMES:
        path = places.raw / "confidence_0_to_1Tr" / f"{case}.nii.gz"
        whole = read_volume(path)
        write_float_volume(Volume(np.full_like(whole.voxels, 0.5), whole.geometry), path)
    for fields, doubt in (({"full_trust_at": 0.5}, 0), ({}, STEPS // 2)):
        set_confidence(places.preprocessed, **fields)
        a_trainer(OURS).get_tr_and_val_datasets()
        assert all((stored(places, case) == doubt).all() for case in NAMES)


def test_a_level_of_full_trust_out_of_range_ends_in_one_line(places, capsys):
    set_confidence(places.preprocessed, full_trust_at=1.5)
    with pytest.raises(SystemExit) as stop:
        a_trainer(OURS)
    assert stop.value.code == 2
    assert "structdiff: confidence.full_trust_at is 1.5" in capsys.readouterr().err


def test_at_rho_0_every_map_leaves_a_training_as_it_was(places):
    assert same(weights_after_two_steps(PLAIN, 0.0), weights_after_two_steps(OURS, 0.0))


def test_maps_that_doubt_change_a_training(places):
    assert not same(weights_after_two_steps(PLAIN, 1.0), weights_after_two_steps(OURS, 1.0))


def poison(places: Places) -> None:
    """Other labels, two voxels deep in what is not known, where no augmentation mixes them with what is."""
    for number, case in enumerate(NAMES):
        path = places.preprocessed / "nnUNetPlans_3d_fullres" / f"{case}_seg.b2nd"
        labels, doubt = blosc2.open(str(path))[:], stored(places, case)
        deep = binary_erosion(doubt == STEPS, np.ones((5, 5, 5)))
        noise = np.random.default_rng(number).integers(0, 3, labels.shape).astype(labels.dtype)
        labels[:, deep] = noise[:, deep]
        assert deep.mean() > 0.05
        path.unlink()
        blosc2.asarray(np.ascontiguousarray(labels), urlpath=str(path), chunks=labels.shape, blocks=labels.shape)


def test_poisoned_labels_where_confidence_is_0_leave_the_weights_bit_identical(places):
    clean, clean_plain = weights_after_two_steps(OURS, 1.0), weights_after_two_steps(PLAIN, 1.0)
    poison(places)
    assert same(clean, weights_after_two_steps(OURS, 1.0))
    assert not same(clean_plain, weights_after_two_steps(PLAIN, 1.0))


def test_rho_climbs_over_the_first_third_of_the_epochs(places):
    trainer = a_trainer("nnUNetTrainerStructDiff")
    told = []
    for epoch in (0, 100, 300, 900):
        trainer.current_epoch = epoch
        trainer.on_train_epoch_start()
        told.append(trainer.trusting.rho)
    assert told == pytest.approx([0, 0.3, 0.9, 1.0])


def test_a_missing_map_ends_the_command_with_one_line_that_names_the_case(places, capsys):
    for folder in ("confidenceTr", "confidence_0_to_1Tr"):
        (places.raw / folder / "case2.nii.gz").unlink()
    with pytest.raises(SystemExit) as stop:
        places.command(TRAIN, "101", "3d_fullres", "all", "-tr", OURS, "-device", "cpu")
    assert stop.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("structdiff: ")]
    assert "1 of 4 training cases have no confidence map" in line
    assert "case2" in line


def test_a_case_without_a_map_may_be_trusted(places):
    for folder in ("confidenceTr", "confidence_0_to_1Tr"):
        (places.raw / folder / "case2.nii.gz").unlink()
    set_confidence(places.preprocessed, missing="trust")
    a_trainer(OURS).get_tr_and_val_datasets()
    assert not stored(places, "case2").any()
    assert stored(places, "case1").any()


def test_prepared_maps_serve_where_the_raw_data_are_not(places, monkeypatch):
    a_trainer(OURS).get_tr_and_val_datasets()
    monkeypatch.delenv("nnUNet_raw")
    before = {path.name: path.stat().st_mtime_ns for path in places.preprocessed.glob("*_confidence/*")}
    a_trainer(OURS).get_tr_and_val_datasets()
    assert before == {path.name: path.stat().st_mtime_ns for path in places.preprocessed.glob("*_confidence/*")}


@pytest.mark.parametrize(("change", "words"), [("regions", "by regions"), ("reader", "read by NibabelIOWithReorient")])
def test_what_has_no_voxel_weights_is_refused(places, capsys, change, words):
    if change == "regions":
        told = json.loads((places.preprocessed / "dataset.json").read_text())
        regions = {"labels": {"background": 0, "all": [1, 2], "rod": [2]}, "regions_class_order": [1, 2]}
        (places.preprocessed / "dataset.json").write_text(json.dumps({**told, **regions}))
    else:
        plans = json.loads((places.preprocessed / "nnUNetPlans.json").read_text())
        plans["image_reader_writer"] = "NibabelIOWithReorient"
        (places.preprocessed / "nnUNetPlans.json").write_text(json.dumps(plans))
    with pytest.raises(SystemExit) as stop:
        a_trainer(OURS)
    assert stop.value.code == 2
    assert words in capsys.readouterr().err


def test_unsure_voxels_exported_as_the_ignore_label_train_with_both_trainers(tmp_path, monkeypatch):
    """export --ignore-below, planned, preprocessed and trained by nnU-Net as a data set with an ignore label."""
    places = Places(tmp_path)
    make_tiny(places, ignore_below=0.5)
    planned(places, "3d_fullres")
    for name, value in {**places.environment, "nnUNet_n_proc_DA": "0"}.items():
        monkeypatch.setenv(name, value)
    trainer = a_trainer(PLAIN)
    assert trainer.label_manager.ignore_label == 3
    assert trainer.label_manager.num_segmentation_heads == 3
    labels = stored(places, "case0_seg", kind="")[0].transpose(2, 1, 0)
    assert (labels[doubted_box()] == 3).all()
    assert (labels == 3).sum() == labels[doubted_box()].size
    plain, ours = (weights_after_two_steps(name, 1.0) for name in (PLAIN, OURS))
    assert all(torch.isfinite(one).all() for one in (*plain.values(), *ours.values()))
    set_confidence(places.preprocessed, kind="deviation_hu")  # 0 everywhere: what is not ignored is trusted
    assert same(plain, weights_after_two_steps(OURS, 1.0))
