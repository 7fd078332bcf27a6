"""Learning and testing: leaks are refused, a stopped training goes on to the same weights, subsets share nobody."""

import hashlib
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from StructDiffCore.domain import CARDIAC, Geometry, ImageMaskPair, LabelMap, StructDiffError, Volume
from StructDiffCore.evaluation.downstream.few_real import FIRST_PILOT_TEST, subset_patients
from StructDiffCore.evaluation.downstream.learning import WEIGHTS, Lesson, learn
from StructDiffCore.evaluation.downstream.proof_settings import LearningSettings
from StructDiffCore.evaluation.downstream.real_domain import write_pair
from StructDiffCore.evaluation.downstream.testing import read_scores, structure_scores, test_scan
from StructDiffCore.evaluation.downstream.work import Clock, TimeIsUp
from StructDiffCore.io.files import mask_id, template_id

test_scan.__test__ = False
GRID = Geometry((32, 32, 32), (1.0, 1.0, 1.0))
SMALL = LearningSettings(network="UNet", crop=16, batch=1, first_steps=3, last_steps=2, precision="32-true")
STRUCTURES = {"coronaries": (8, 9), "left ventricle": (3,)}


def a_pair(seed):
    rng = np.random.default_rng(seed)
    labels = np.zeros(GRID.shape, np.uint8)
    i, j, k = rng.integers(4, 12, 3)
    labels[i : i + 10, j : j + 10, k : k + 10] = 3
    labels[4:28, 26:28, 28:30] = 8
    hu = np.select([labels == 3, labels == 8], [350.0, 400.0], -80.0) + rng.normal(0, 15, labels.shape)
    return ImageMaskPair(Volume(hu, GRID), LabelMap(labels, GRID, CARDIAC))


def entry(folder: Path, number: int, **more):
    place = folder / f"p{number}"
    if not place.exists():
        place.mkdir(parents=True)
        write_pair(a_pair(number), place)
    files = {"image": str(place / "image.nii.gz"), "label": str(place / "mask.nii.gz")}
    return {**files, "patient": f"p{number}", **more}


def a_lesson(folder, first=()):
    labels = {"scheme": "cardiac", "merged": {9: 8}, "spacing_mm": 1.0}
    real = [entry(folder, 0), entry(folder, 1)]
    return Lesson([*real, *first], real, False, labels, seed=3)


def trained(folder, lesson):
    place = folder / "arm"
    place.mkdir()
    learn(lesson, SMALL, place, Clock())
    return place


def test_a_segmenter_is_tested_on_strangers_structure_by_structure(tmp_path):
    place, out = trained(tmp_path, a_lesson(tmp_path / "pairs")), tmp_path / "out"
    out.mkdir()
    test_scan(place, "p7", a_pair(7), STRUCTURES, ("coronaries",), out, True)
    scores = read_scores(out)
    assert set(scores) == set(STRUCTURES)
    assert set(scores["coronaries"]) == {"Dice", "clDice", "HD95 mm", "b0 error", "b1 error", "b2 error"}
    assert not (place / "checkpoint").exists()


def test_before_fine_tuning_the_first_stages_weights_are_tested(tmp_path):
    place = trained(tmp_path, a_lesson(tmp_path / "pairs"))
    (place / WEIGHTS).unlink()
    test_scan(place, "p7", a_pair(7), STRUCTURES, ("coronaries",), tmp_path, False)
    assert 0 <= read_scores(tmp_path)["coronaries"]["Dice"] <= 1


def test_planted_leaks_are_refused(tmp_path):
    """By name, by content under another name, and by what was made of the test patient's scan or mask."""
    stranger = a_pair(7)
    copied = {**entry(tmp_path / "copy", 7), "patient": "p99"}
    child = {**entry(tmp_path / "pairs", 2, template=template_id(stranger), mask_id="0"), "patient": ""}
    sibling = {**entry(tmp_path / "pairs", 3, template="0", mask_id=mask_id(stranger.mask)), "patient": ""}
    named = {**entry(tmp_path / "pairs", 4), "patient": "p7"}
    told = {**entry(tmp_path / "pairs", 5, template="0", mask_id="0", patients=["p7"]), "patient": ""}
    for number, leak in enumerate((copied, child, sibling, named, told)):
        run = tmp_path / f"run{number}"
        run.mkdir()
        place = trained(run, a_lesson(tmp_path / "pairs", [leak]))
        with pytest.raises(StructDiffError, match="learnt from the test patient p7"):
            test_scan(place, "p7", stranger, STRUCTURES, (), tmp_path, True)


def test_a_stopped_training_goes_on_to_the_same_weights(tmp_path):
    lesson = a_lesson(tmp_path / "pairs")
    whole = trained(tmp_path, lesson)
    place = tmp_path / "stopped"
    place.mkdir()
    stops = 0
    while not (place / WEIGHTS).is_file():
        try:
            learn(lesson, SMALL, place, Clock(time.monotonic() if stops < 2 else None))
        except TimeIsUp:
            stops += 1
    assert stops == 2
    assert _digest(place / WEIGHTS) == _digest(whole / WEIGHTS)


def _digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_structure_that_is_not_found_is_the_grid_s_diagonal_away():
    truth = np.zeros((8, 8, 8), bool)
    truth[2:5, 2:5, 2:5] = True
    scores = structure_scores(np.zeros_like(truth), truth, (1.0, 1.0, 1.0), True)
    assert scores == {
        "Dice": 0.0,
        "HD95 mm": pytest.approx(8 * 3**0.5),
        "b0 error": 1,
        "b1 error": 0,
        "b2 error": 0,
        "clDice": 0.0,
    }


def test_subsets_are_different_share_nobody_and_hold_no_test_patient():
    subsets = [subset_patients(number, 8) for number in range(5)]
    everybody = [patient for subset in subsets for patient in subset]
    assert len(set(everybody)) == len(everybody)
    assert max(everybody) < FIRST_PILOT_TEST
    assert subset_patients(2, 4) == subset_patients(2, 8)[:4]
    with pytest.raises(StructDiffError, match="17 cases"):
        subset_patients(0, 17)


def test_the_lists_of_a_training_are_relative_so_that_a_folder_can_be_moved(tmp_path):
    place = trained(tmp_path, a_lesson(tmp_path / "pairs"))
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    shutil.copytree(tmp_path / "pairs", moved / "pairs")
    shutil.copytree(place, moved / "arm")
    assert "../pairs/p0/image.nii.gz" in (moved / "arm" / "first.json").read_text()
