"""Acceptance: what is asked, what was measured, and a verdict that follows the interval."""

import numpy as np
import pytest

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap
from StructDiffCore.evaluation.acceptance import verdicts, verdicts_by_part
from StructDiffCore.evaluation.acceptance_table import acceptance_figure, acceptance_json, acceptance_markdown
from StructDiffCore.evaluation.clean_error import clean_errors, places
from StructDiffCore.evaluation.harness import Result
from StructDiffCore.evaluation.intervals import bootstrap_of, jackknife_bootstrap, ratio_of_means
from StructDiffCore.evaluation.parts import Parts
from StructDiffCore.evaluation.speckle import speckle_shares
from StructDiffCore.evaluation.steps import efforts, read_off, steps_figure, steps_markdown
from StructDiffCore.vessels.branch import Branch
from StructDiffCore.vessels.graph import VesselGraph

GRID = Geometry((40, 40, 40))


def part(median, reference=400.0, thin=0.0, **more):
    numbers = {"median HU": median, "reference median HU": reference, "IQR HU": 60.0, "reference IQR HU": 70.0}
    return {**numbers, "Wasserstein HU": 5.0, "thin": thin, **more}


def phantom_results(ratio=0.98, thin_hu=430.0):
    rng, made = np.random.default_rng(0), []
    for n in range(12):
        own = 0.85 + 0.02 * rng.normal()
        names = ("Dice chambers", "clDice coronaries", "agrees with target")
        for row, factor in (("truth", 1.0), ("structdiff", ratio)):
            scores = dict.fromkeys(names, own * factor) | {"clDice coronaries, mask mirrored": 0.02, "noise ratio": 1.1}
            labels = {"aorta": part(410.0), "left, thin": part(thin_hu, thin=1.0, **{"tolerance HU": 40.0})}
            made.append(Result(f"training-{n}", "training", row, scores, labels))
    return made


def verdict_of(results, criterion, row="structdiff"):
    return next(v for v in verdicts(results) if v.criterion == criterion and v.row == row)


def test_a_ratio_is_met_by_its_lower_end_alone():
    good = verdict_of(phantom_results(0.98), "Dice chambers / truth's")
    bad = verdict_of(phantom_results(0.94), "Dice chambers / truth's")
    assert (good.met, bad.met) == (True, False)
    assert good.interval.mean == pytest.approx(0.98)
    assert (good.asked, good.interval.cases) == (">= 0.95", 12)


def test_thin_vessels_have_a_tolerance_of_their_own_and_the_worst_part_is_named():
    for hu, met in ((430.0, True), (450.0, False)):
        found = verdict_of(phantom_results(thin_hu=hu), "median HU / tolerance, worst thin part")
        assert (found.met, found.note) == (met, "left, thin")
    assert verdict_of(phantom_results(), "median HU, worst large part or unlabelled tissue").interval.mean == pytest.approx(10)


def test_every_part_stands_by_itself_too():
    found = {(v.group, v.criterion): v for v in verdicts_by_part(phantom_results(thin_hu=450.0))}
    assert found["aorta", "median HU"].met
    assert found["left, thin", "median HU"].met is None
    assert (found["left, thin", "median HU / tolerance"].met, found["left, thin", "median HU / tolerance"].within) == (False, 0)


def test_the_judge_and_the_controls_are_judged_too():
    made = phantom_results()
    assert verdict_of(made, "judge's clDice of coronaries on true renderings", "truth").met
    collapsed = verdict_of(made, "clDice coronaries, mask mirrored / own mask")
    assert collapsed.met
    assert collapsed.interval.high < 0.05


def test_what_was_not_measured_is_neither_met_nor_missed():
    missing = verdict_of(phantom_results(), "copied detail above an independent rendering's")
    assert missing.met is None
    assert missing.interval.cases == 0


def test_the_real_scans_worst_label_counts():
    rows = {"a": part(410.0), "b": part(350.0, **{"edge distance mm": 0.9, "reference edge distance mm": 0.6})}
    made = [Result(f"w{n}", "real", "structdiff", {"KID patches": 3.0}, rows) for n in range(2)]
    median = verdict_of(made, "median HU, worst label")
    assert (median.note, median.interval.mean, median.met) == ("b", 50, False)
    assert verdict_of(made, "gradient peak / real's, worst label").interval.mean == pytest.approx(1.5)


def test_tables_and_figure_say_the_same_numbers():
    found = verdicts(phantom_results(0.94), {"tiles rms HU": 0.2})
    text, content = acceptance_markdown(found), acceptance_json(found)
    assert "| 1 fidelity: Dice chambers / truth's | >= 0.95 |  |  | 0.94 | **no** |" in text
    assert "**no**" in text
    assert {"criterion": "tiles rms HU", "met": True}.items() <= content[-1].items()
    assert len(acceptance_figure(found).axes) == 2


def test_places_share_no_voxel_and_errors_stay_where_they_are():
    labels = np.zeros((30, 30, 30), np.uint8)
    labels[:10] = 3
    labels[20, 15, :] = 8
    parts = places(labels)
    assert (sum(p.astype(int) for p in parts.values()) == 1).all()
    assert parts["tube of 3 voxels"][20, 15 + 3].all()
    assert not parts["tube of 3 voxels"][20, 15 + 4].any()
    truth = np.zeros(labels.shape, np.float32)
    found = clean_errors(np.where(parts["tube of 3 voxels"], np.float32(50), truth), truth, labels)
    assert found["clean RMSE HU, tube of 3 voxels"] == pytest.approx(50)
    assert found["clean RMSE HU, coronary lumen"] == found["clean RMSE HU, labelled"] == found["clean RMSE HU"] == 0
    assert found["clean median error HU, unlabelled elsewhere"] == 0


def test_single_voxels_are_speckle_and_planes_are_not():
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[10:] = 3
    clean = np.where(labels == 3, np.float32(400), np.float32(-80))
    assert speckle_shares(clean, labels) == {"speckle labelled %": 0, "speckle unlabelled %": 0}
    clean[5, ::4, ::4] = 300
    assert speckle_shares(clean, labels)["speckle unlabelled %"] == pytest.approx(100 * 25 / 4000)


def test_thin_labels_are_cut_by_radius():
    line = np.stack([np.linspace(2, 37, 71), np.full(71, 20.0), np.full(71, 20.0)], 1)
    tree = VesselGraph((Branch(line, np.where(line[:, 0] < 20, 2.0, 0.8), "LAD"),))
    voxels = np.zeros(GRID.shape, np.uint8)
    voxels[2:38, 19:22, 19:22] = 8
    voxels[:, :5] = 3
    cut = Parts.of(LabelMap(voxels, GRID, CARDIAC), (tree,))
    assert sorted(cut.names) == [3, 8, 1008]
    assert (cut.voxels[2:19, 20, 20] == 8).all()
    assert (cut.voxels[21:38, 20, 20] == 1008).all()
    assert cut.thin == {cut.names[1008]}
    assert sorted(Parts.of(LabelMap(voxels, GRID, CARDIAC)).names) == [3, 1008]


def test_a_ratio_of_means_weighs_cases_by_their_size():
    pairs = np.array([[1.0, 2.0], [8.0, 8.0]])
    assert bootstrap_of(pairs, ratio_of_means).mean == pytest.approx(0.9)


def test_the_jackknife_interval_grows_with_what_octants_disagree_about():
    still, moving = (jackknife_bootstrap([1.0, 1.0], np.ones((2, 8)) + spread * np.arange(8)) for spread in (0, 0.1))
    assert still.low == still.high == 1
    assert moving.high - moving.low > 0.5


def step_results():
    made = []
    for n in range(6):
        for row, calls, score in (("structdiff@4", 4, 0.5), ("structdiff@8", 8, 0.7), ("structdiff@8:heun", 15, 0.7)):
            scores = {"clDice coronaries": score + 0.01 * n, "network calls": calls, "seconds": calls / 2}
            made.append(Result(f"training-{n}", "training", row, scores))
    return made


def test_the_default_is_the_cheapest_row_that_loses_nowhere():
    found = efforts(step_results())
    assert [(e.calls, e.worse_in) for e in found] == [(4, ("clDice coronaries",)), (8, ()), (15, ())]
    assert read_off(found).row == "structdiff@8"
    assert "structdiff@8, 8 calls" in steps_markdown(found)
    assert len(steps_figure(found).axes) == 8
    assert efforts(phantom_results()) == []
