"""Confidence maps on their way to nnU-Net: carried to its voxels, prepared once, refused in the name of their case."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import zoom
from toy_pairs import GRID, SCHEME, toy

from StructDiffCore.cal.nnunet.augmentation import DoubtBesideLabels
from StructDiffCore.cal.nnunet.doubt import STEPS, Passage, confidence_of
from StructDiffCore.cal.nnunet.maps import PreparedMaps, settings_of
from StructDiffCore.cal.settings import ConfidenceSettings
from StructDiffCore.domain import Geometry, LabelMap, StructDiffError, Volume
from StructDiffCore.io.export import export_pairs
from StructDiffCore.io.export_pair import ExportPair
from StructDiffCore.io.files import write_float_volume
from StructDiffCore.io.itk_images import image_of

CASES = ("a", "b", "c")
PASSED = {"topology": {"verdict": "pass"}, "quality": {"verdict": "pass", "off": []}}


def resampled(values, shape, spacing, new_spacing):
    """Linear, as nnU-Net resamples maps in [0, 1]."""
    return zoom(values, (1, *(n / m for n, m in zip(shape, values.shape[1:]))), order=1, mode="nearest", grid_mode=True)


def a_passage(case: str = "", shape: tuple[int, ...] | None = None) -> Passage:
    """Axes turned, a border cropped; the voxels kept, or brought to another shape."""
    turned = tuple(GRID.shape[axis] for axis in (1, 2, 0))
    box = tuple((2, n - 1) for n in turned)
    return Passage((1, 0, 2), turned, box, (1.0,) * 3, (1.0,) * 3, shape or tuple(b - a for a, b in box), resampled)


def a_share(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(rng.uniform(-0.5, 1.5, GRID.shape), 0, 1).astype(np.float32)


@pytest.fixture
def raw(tmp_path) -> Path:
    """An exported nnU-Net data set of three cases with both maps."""
    pairs = []
    for seed, name in enumerate(CASES):
        hu, labels = toy(seed)
        maps = [Volume(values, GRID) for values in (np.full(GRID.shape, 20.0 + seed), a_share(seed))]
        told = {**PASSED, "template": f"t{seed}", "mask_id": f"m{seed}"}
        pairs.append(ExportPair(name, Volume(hu, GRID), LabelMap(labels, GRID, SCHEME), maps[0], told, maps[1]))
    export_pairs(pairs, "nnunet", tmp_path / "raw")
    return tmp_path / "raw"


def save(doubt: np.ndarray, path: str) -> None:
    np.save(path + ".npy", doubt)


def prepare(raw: Path | None, place: Path, **fields) -> str:
    return PreparedMaps(raw, place, ConfidenceSettings(**fields)).prepare(CASES, a_passage, save)


def overwrite(raw: Path, case: str, values: np.ndarray, grid: Geometry = GRID) -> None:
    sitk.WriteImage(image_of(values.astype(np.float32), grid), str(raw / "confidence_0_to_1Tr" / f"{case}.nii.gz"))


def test_the_calibrated_map_is_turned_and_cropped_as_the_case_was(raw):
    told = prepare(raw, raw / "maps")
    doubt = np.load(raw / "maps" / "b.npy")
    turned = a_share(1).transpose(2, 1, 0).transpose(1, 0, 2)[2:-1, 2:-1, 2:-1]
    np.testing.assert_allclose(1 - doubt / STEPS, turned, atol=0.51 / STEPS)
    assert (doubt[turned == 1] == 0).all()
    assert (doubt[turned == 0] == STEPS).all()
    shares = [a_share(seed)[2:-1, 2:-1, 2:-1] for seed in range(3)]
    assert told.startswith(f"confidence of 3 training cases: mean {np.mean(shares):.3f}")


def test_without_a_calibrated_map_the_deviation_counts_and_so_it_does_on_request(raw):
    from scipy.special import erf

    for path in (raw / "confidence_0_to_1Tr").iterdir():
        path.unlink()
    prepare(raw, raw / "maps", tolerance_hu=25.0)
    expected = 1 - erf(25 / (np.sqrt(2) * 21))
    np.testing.assert_allclose(np.load(raw / "maps" / "b.npy") / STEPS, expected, atol=0.51 / STEPS)


def test_the_level_of_full_trust_counts_here_too_and_a_change_of_it_is_noticed(raw):
    for case in CASES:
        overwrite(raw, case, np.full(GRID.shape, 0.2))
    for level, doubt in ((1.0, 0.8), (0.4, 0.5), (0.2, 0.0)):
        prepare(raw, raw / "maps", full_trust_at=level)
        np.testing.assert_allclose(np.load(raw / "maps" / "b.npy") / STEPS, doubt, atol=0.51 / STEPS)


def test_full_trust_stays_exactly_full_and_none_exactly_none_when_resampled():
    for level, doubt in ((1.0, 0), (0.0, STEPS)):
        found = a_passage(shape=(31, 17, 40)).doubt(np.full(GRID.shape, level, np.float32))
        assert found.shape == (31, 17, 40)
        assert (found == doubt).all()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(0, STEPS), st.floats(-1e-3, 1e-3))
def test_confidence_comes_back_in_whole_steps_whatever_the_last_bits(steps, off):
    found = confidence_of(torch.tensor([steps * (1 + off * 1e-3), -1.0]))
    assert found[0] == pytest.approx(1 - steps / STEPS, abs=1e-6)
    assert found[1] == 1
    assert steps not in (0, STEPS) or found[0] in (0.0, 1.0)


def test_labels_and_confidence_come_out_side_by_side_at_every_output():
    def transforms(image, segmentation, regression_target):
        halved = torch.nn.functional.interpolate(segmentation[None].float(), (4, 4, 4), mode="nearest-exact")[0]
        return {"image": image, "segmentation": [segmentation, halved], "regression_target": regression_target}

    labels = torch.randint(0, 3, (1, 8, 8, 8), dtype=torch.int16)
    doubt = torch.where(labels == 2, STEPS, torch.where(labels == 1, -1, 0)).to(torch.int16)
    done = DoubtBesideLabels(transforms)(image=torch.zeros(1, 8, 8, 8), segmentation=torch.cat([labels, doubt]))
    assert "regression_target" not in done
    for found, side in zip(done["segmentation"], (8, 4)):
        assert found.shape == (2, side, side, side)
        assert torch.equal(found[1], (found[0] != 2).float())


def test_maps_are_prepared_once_and_anew_when_they_change(raw):
    prepare(raw, raw / "maps")
    before = {path.name: path.stat().st_mtime_ns for path in (raw / "maps").iterdir()}
    prepare(raw, raw / "maps")
    assert before == {path.name: path.stat().st_mtime_ns for path in (raw / "maps").iterdir()}
    overwrite(raw, "b", np.full(GRID.shape, 0.25))
    prepare(raw, raw / "maps")
    assert (np.load(raw / "maps" / "b.npy") == 0.75 * STEPS).all()
    assert before["a.npy"] == (raw / "maps" / "a.npy").stat().st_mtime_ns


def test_missing_maps_are_named_unless_they_are_trusted(raw):
    for name in ("a", "c"):
        for folder in ("confidenceTr", "confidence_0_to_1Tr"):
            (raw / folder / f"{name}.nii.gz").unlink()
    with pytest.raises(StructDiffError, match=r"2 of 3 training cases have no confidence map in .*: a, c"):
        prepare(raw, raw / "maps")
    assert not (raw / "maps").exists()
    prepare(raw, raw / "maps", missing="trust")
    assert not np.load(raw / "maps" / "a.npy").any()
    assert np.load(raw / "maps" / "b.npy").any()


@pytest.mark.parametrize(
    ("values", "grid", "words"),
    [
        (np.full(GRID.shape, np.nan), GRID, "NaN"),
        (np.full(GRID.shape, 1.25), GRID, r"\[0, 1\]"),
        (np.full(GRID.shape, -0.25), GRID, r"\[0, 1\]"),
        (np.zeros(GRID.shape), GRID, "0 everywhere"),
        (np.full(GRID.shape, 1e-6), GRID, "0 everywhere"),
        (np.ones(GRID.shape), Geometry(GRID.shape, (1.0, 1.0, 1.0), (-9.0, 5.0, 0.0)), "another grid"),
        (np.ones((8, 9, 7)), Geometry((8, 9, 7)), "another grid"),
    ],
)
def test_a_bad_map_is_refused_in_the_name_of_its_case(raw, values, grid, words):
    overwrite(raw, "b", values, grid)
    with pytest.raises(StructDiffError, match=rf"case b: .*{words}") as refusal:
        prepare(raw, raw / "maps")
    assert "\n" not in str(refusal.value)
    assert not (raw / "maps" / "b.npy").exists()


@pytest.mark.parametrize("name", ["../../secret-{id}.nii.gz", "{root}/secret-{id}.nii.gz"])
def test_a_map_that_dataset_json_names_stays_in_the_data_set(raw, name):
    """What travels with data names no file elsewhere, whether that is there or not."""
    kind = "file:" + name.replace("{root}", str(raw.parent))
    (raw / "mine").mkdir()
    for case in CASES:
        write_float_volume(Volume(np.full(GRID.shape, 0.5), GRID), raw.parent / f"secret-{case}.nii.gz")
        write_float_volume(Volume(np.full(GRID.shape, 0.5), GRID), raw / "mine" / f"{case}.nii.gz")
    with pytest.raises(StructDiffError, match="leaves its folder"):
        prepare(raw, raw / "maps", kind=kind)
    prepare(raw, raw / "maps", kind="file:../mine/{id}.nii.gz")
    assert (np.load(raw / "maps" / "a.npy") == STEPS / 2).all()


def test_a_case_whose_name_is_a_way_out_writes_nothing(raw):
    """splits_final.json travels with preprocessed data."""
    maps = PreparedMaps(raw, raw / "maps", ConfidenceSettings(missing="trust"))
    with pytest.raises(StructDiffError, match="leaves its folder"):
        maps.prepare(["a", "../../b"], a_passage, save)
    assert not (raw / "maps").exists()


def test_a_negative_standard_deviation_is_refused(raw):
    write_float_volume(Volume(np.full(GRID.shape, -1.0), GRID), raw / "confidenceTr" / "b.nii.gz")
    with pytest.raises(StructDiffError, match=r"case b: .*goes down to -1 HU"):
        prepare(raw, raw / "maps", kind="deviation_hu")


def test_a_case_that_was_preprocessed_otherwise_is_refused():
    with pytest.raises(StructDiffError, match="the preprocessed case had"):
        a_passage().doubt(np.ones((8, 9, 7), np.float32))


def test_without_the_raw_data_only_what_was_prepared_serves(raw):
    prepare(raw, raw / "maps")
    assert prepare(None, raw / "maps").startswith("confidence of 3 training cases")
    (raw / "maps" / "b.json").unlink()
    with pytest.raises(StructDiffError, match="no confidence map is prepared for b"):
        prepare(None, raw / "maps")


def test_a_preparation_that_fails_leaves_nothing_half_written(raw):
    def failing(doubt, path):
        save(doubt[:1], path)
        raise OSError(28, "No space left on device")

    maps = PreparedMaps(raw, raw / "maps", ConfidenceSettings())
    with pytest.raises(StructDiffError, match="maps could not be written"):
        maps.prepare(CASES, a_passage, failing)
    assert list((raw / "maps").iterdir()) == []


def test_dataset_json_says_how_maps_are_read(raw):
    described = json.loads((raw / "dataset.json").read_text())
    assert settings_of(described) == ConfidenceSettings()
    assert settings_of({**described, "confidence": {"missing": "trust"}}).missing == "trust"
    for wrong, words in (({"mising": "trust"}, "does not fit"), ({"kind": "variance"}, "variance"), ("trust", "does not fit")):
        with pytest.raises(StructDiffError, match=words):
            settings_of({**described, "confidence": wrong})


def test_the_folder_for_nnunet_is_printed_and_holds_the_trainer_alone():
    done = subprocess.run([sys.executable, "-m", "StructDiffCore.cal.nnunet"], capture_output=True, text=True, check=True)
    assert [path.name for path in Path(done.stdout.strip()).glob("[!_]*")] == ["structdiff_nnunet_trainer.py"]
