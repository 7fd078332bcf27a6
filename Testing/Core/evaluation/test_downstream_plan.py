"""The plan and the report: the pilot, then the ceiling, all before what needs it; verdicts that follow the numbers."""

import json
from dataclasses import replace

import pytest

from StructDiffCore.domain import StructDiffError
from StructDiffCore.evaluation.downstream.__main__ import refuse_other_settings, status
from StructDiffCore.evaluation.downstream.arms import arm_named
from StructDiffCore.evaluation.downstream.hearts_plan import STRUCTURES, Course, HeartsPlan
from StructDiffCore.evaluation.downstream.learning import pretrain_settings
from StructDiffCore.evaluation.downstream.maker import NOTE
from StructDiffCore.evaluation.downstream.proof_report import Results, verdicts, write_report
from StructDiffCore.evaluation.downstream.proof_settings import ProofSettings
from StructDiffCore.evaluation.downstream.work import DONE, Workshop

SMALL = {"subsets": 3, "tests": 4, "pairs": 2, "augmented": 2, "pilot_cases": [1, 2], "pilot_tests": 2}


def a_plan(folder, **more):
    return HeartsPlan(ProofSettings.from_dict({**SMALL, **more}), Workshop(folder))


def pretend(plan, name, dice):
    """Scores as if a segmenter had been tested."""
    place = plan.shop.root / name
    place.mkdir(parents=True, exist_ok=True)
    scores = {"Dice": dice, "HD95 mm": 5.0, "b0 error": 1.0, "b1 error": 0.0, "b2 error": 0.0}
    (place / "scores.json").write_text(json.dumps({s: {**scores, "clDice": dice} for s in STRUCTURES}))
    (place / DONE).write_text(json.dumps({"seconds": 1.0}))


def finish(plan, dice_of):
    for course in plan.courses():
        for number, heart in enumerate(plan.test_hearts):
            pretend(plan, course.test(heart), dice_of(course.arm) + 0.02 * course.subset + 0.01 * number)


def test_nothing_stands_before_what_it_needs_and_the_ceiling_comes_first(tmp_path):
    items = a_plan(tmp_path, few=2).items()
    names = [item.name for item in items]
    assert len(set(names)) == len(names)
    assert all(names.index(need) < names.index(item.name) for item in items for need in item.needs)
    trainings = [item.name for item in items if item.kind == "training"]
    assert [name.split("/")[-1] for name in trainings[:6]] == ["truth-30"] * 3 + ["synthetic-30"] * 3
    assert len(trainings) == 15 * 3


def test_the_pilot_speaks_before_the_main_arms_are_planned(tmp_path):
    plan = a_plan(tmp_path)
    assert {name.split("/")[-1] for name in (item.name for item in plan.items() if item.kind == "training")} == {"real"}
    assert plan.few == 0
    for course, hearts in plan._pilot_courses():
        for heart in hearts:
            pretend(plan, course.test(heart), 0.4 if course.cases == 1 else 0.6)
    assert plan.few == 2
    assert len([item for item in plan.items() if item.kind == "training"]) == 1 + 15 * 3
    assert "2 real cases" in status(plan)[-1]


@pytest.mark.parametrize(("gain", "answer"), [(0.1, "yes"), (-0.1, "other way round"), (0.0, "not shown")])
def test_the_verdicts_follow_the_paired_intervals(tmp_path, gain, answer):
    plan = a_plan(tmp_path, few=2)
    finish(plan, lambda arm: 0.6 + (gain if arm.name == "truth @30" else 0.0))
    results = Results.of(plan)
    assert answer in verdicts(results)[0]
    found = results.difference("truth @30", "synthetic @30", "coronaries", "Dice").interval
    assert (found.mean, found.subsets, found.hearts) == (pytest.approx(gain), 3, 4)


def test_a_report_of_a_half_done_experiment_tells_what_is_known(tmp_path):
    plan = a_plan(tmp_path, few=2, arms=["truth @30", "synthetic @30", "real"])
    first = next(plan.courses())
    pretend(plan, first.test(plan.test_hearts[0]), 0.5)
    assert write_report(plan, tmp_path) == []
    told = json.loads((tmp_path / "proof.json").read_text())
    assert told["arms"]["truth @30"]["coronaries"]["Dice"]["mean"] == pytest.approx(0.5)
    assert told["coronary Dice by subset"] == {"truth @30": {"0": pytest.approx(0.5)}}
    assert "real only" not in (tmp_path / "proof.md").read_text()
    dice, betti, by_subset = (tmp_path / "structures.md").read_text().split("\n\n")
    assert "| 1 x 1 | 0.500 [0.500, 0.500] |" in dice.splitlines()[2]
    assert betti.splitlines()[2].count("1.000 [1.000, 1.000]") == 2
    assert by_subset.splitlines()[2].endswith("dose 30 % | 0.500 |")
    assert (tmp_path / "proof.png").stat().st_size > 1000


def test_other_weights_keep_the_pilot_and_what_no_generator_made():
    real, made = (Course(arm_named(name), 0, 2, "weights-a") for name in ("augmented", "CAL @30"))
    assert "weights-a" not in real.training
    assert "weights-a" in made.training
    assert made.training != replace(made, weights="weights-b").training


def test_an_arm_before_its_fine_tuning_is_the_same_training_with_tests_of_its_own(tmp_path):
    tuned, untuned = (Course(arm_named(name), 0, 1, "weights-a") for name in ("CAL @30", "CAL @30 untuned"))
    assert tuned.training == untuned.training
    assert tuned.test(1000) != untuned.test(1000)
    plan = a_plan(tmp_path, few=1, arms=["CAL @30", "CAL @30 untuned"])
    assert len([item for item in plan.items() if item.kind == "training"]) == 3
    assert len([item for item in plan.items() if item.kind == "test"]) == 2 * 3 * 4


def note_made_pairs(plan):
    """What every made pair is known to descend from, as if they were there."""
    for item in plan.items():
        if item.kind in ("pair", "detailed", "warped", "augmented"):
            (plan.shop.root / item.name).mkdir(parents=True)
            (plan.shop.root / item.name / NOTE).write_text(json.dumps({"patients": ["p"], "template": "t", "mask_id": "m"}))


def test_both_learns_from_synthetic_and_augmented_pairs_and_only_the_real_case_is_left_plain(tmp_path):
    names = ("both", "synthetic", "augmented", "real")
    plan = a_plan(tmp_path, few=1, subsets=1, arms=list(names))
    note_made_pairs(plan)
    lessons = {course.arm.name: plan.lesson(course) for course in plan.courses()}
    assert lessons["both"].first == lessons["synthetic"].first + lessons["augmented"].first
    assert (len(lessons["synthetic"].first), len(lessons["augmented"].first)) == (2, 1 + 2)
    assert lessons["both"].last == lessons["synthetic"].last == lessons["augmented"].first
    assert [name for name in names if lessons[name].plain] == ["real"]


def test_a_joint_arm_keeps_its_pairs_beside_the_real_ones_in_both_stages(tmp_path):
    plan = a_plan(tmp_path, few=1, subsets=1, arms=["warped joint", "warped", "augmented"])
    note_made_pairs(plan)
    courses = {course.arm.name: course for course in plan.courses()}
    joint, alone, copies = (plan.lesson(courses[name]) for name in ("warped joint", "warped", "augmented"))
    assert joint.first == joint.last == alone.first + copies.first
    assert len(joint.first) == 2 + 1 + 2
    assert courses["warped joint"].training != courses["warped"].training
    assert joint.seed == alone.seed


def test_two_kinds_of_made_pairs_are_learnt_from_together(tmp_path):
    kinds = ["detailed and warped joint", "detailed joint", "warped joint", "more warped joint", "augmented"]
    plan = a_plan(tmp_path, few=1, subsets=1, arms=kinds)
    note_made_pairs(plan)
    two, detailed, warped, further, copies = (plan.lesson(course).first for course in plan.courses())
    assert two == detailed[:2] + warped[:2] + copies
    assert further[:2] == warped[:2]
    assert [len(one) for one in (two, detailed, warped, further, copies)] == [7, 5, 5, 7, 3]
    needs = {item.kind for item in plan.items() if item.name in next(one for one in plan.items() if one.kind == "training").needs}
    assert needs == {"patient", "pair", "detailed", "warped", "augmented"}


def test_strong_doubt_reads_the_same_maps_and_trusts_a_quarter_whole(tmp_path):
    plan = a_plan(tmp_path, few=1, subsets=1, arms=["CAL @30", "strong doubt @30", "synthetic @30"])
    note_made_pairs(plan)
    ours, strong, plain = (plan.lesson(course) for course in plan.courses())
    assert ours.first == strong.first
    assert all(entry["confidence"].endswith("CAL-30.nii.gz") for entry in strong.first)
    levels = [pretrain_settings(lesson, plan.settings.learning).confidence for lesson in (ours, strong, plain)]
    assert [(one.weighs, one.full_trust_at) for one in levels] == [(True, 1.0), (True, 0.25), (False, 1.0)]


def test_the_ceiling_of_made_pairs_learns_from_as_many_real_cases_that_no_other_subset_has(tmp_path):
    plan = a_plan(tmp_path, few=1, augmented=1, arms=["more real", "synthetic"])
    note_made_pairs(plan)
    further = [
        [entry["patient"] for entry in plan.lesson(course).first] for course in plan.courses() if course.arm.name == "more real"
    ]
    assert further == [["patient-0001", "patient-0002"], ["patient-0017", "patient-0018"], ["patient-0033", "patient-0034"]]
    last = [plan.lesson(course).last for course in plan.courses() if course.subset == 0]
    assert last[0] == last[1]
    assert len(last[0]) == 1 + 1


def test_arms_before_fine_tuning_are_compared_with_their_like(tmp_path):
    arms = ["truth @30 untuned", "synthetic @30 untuned", "synthetic @30", "CAL untuned", "synthetic untuned"]
    plan = a_plan(tmp_path, few=1, arms=arms)
    finish(plan, lambda arm: 0.6 if arm.confidence else 0.5)
    pairs = {(one.arm, one.against) for one in Results.of(plan).differences()}
    assert pairs == {("truth @30 untuned", "synthetic @30 untuned"), ("CAL untuned", "synthetic untuned")}


def test_a_folder_belongs_to_one_experiment_of_any_extent(tmp_path):
    refuse_other_settings(ProofSettings.from_dict(SMALL), tmp_path)
    refuse_other_settings(ProofSettings.from_dict({**SMALL, "tests": 9, "subsets": 5, "arms": ["real"], "few": 4}), tmp_path)
    with pytest.raises(StructDiffError, match="other pairs, seed"):
        refuse_other_settings(ProofSettings.from_dict({**SMALL, "pairs": 3, "seed": 2}), tmp_path)
