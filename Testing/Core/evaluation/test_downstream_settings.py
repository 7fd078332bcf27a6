"""Settings, arms and the pilot's choice: one clear line for what is wrong."""

import pytest

from StructDiffCore.domain import StructDiffError
from StructDiffCore.evaluation.downstream.__main__ import main
from StructDiffCore.evaluation.downstream.arms import Arm, arm_named
from StructDiffCore.evaluation.downstream.pilot import Pilot, chosen_number
from StructDiffCore.evaluation.downstream.proof_settings import ProofSettings


@pytest.mark.parametrize(
    "name",
    [
        "real",
        "synthetic @30",
        "CAL",
        "truth @10",
        "shuffled truth @30",
        "CAL untuned",
        "truth @30 untuned",
        "strong doubt @30 untuned",
        "detailed joint",
        "synthetic @30 joint",
    ],
)
def test_an_arm_is_called_what_it_is_read_from(name):
    assert arm_named(name).name == name
    assert arm_named(name.replace(" @", "@")) == arm_named(name)


def test_weighted_arms_learn_from_synthetic_pairs():
    assert arm_named("CAL @10") == Arm("synthetic", "CAL", 10)
    assert arm_named("CAL @10 untuned") == Arm("synthetic", "CAL", 10, tuned=False)


@pytest.mark.parametrize(
    "name",
    ["nothing", "real @30", "synthetic @0", "synthetic @101", "CAL @x", "untuned", "CAL untuned @30", "",
     "joint", "real joint", "augmented joint", "both joint", "more real joint", "CAL joint", "warped joint untuned"],
)  # fmt: skip
def test_unknown_arms_are_refused(name):
    with pytest.raises(StructDiffError, match="arm"):
        arm_named(name)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"arms": []}, "no arms"),
        ({"arms": ["CAL @20"]}, r"doses \[20\]"),
        ({"subsets": 0}, "too small"),
        ({"pilot_cases": []}, "neither few nor a pilot"),
        ({"colour": 1}, "unexpected keyword"),
        ({"study": "moon"}, "unknown study"),
        ({"learning": {"tuned_on": "hope"}}, "tuned_on"),
        ({"learning": {"first_steps": 0}}, "without steps"),
    ],
)
def test_wrong_settings_are_refused(wrong, words):
    with pytest.raises(StructDiffError, match=words):
        ProofSettings.from_dict(wrong)


def test_the_command_says_in_one_line_what_is_wrong(tmp_path, capsys):
    (tmp_path / "proof.yaml").write_text("arms: [nonsense]")
    assert main([str(tmp_path / "proof.yaml"), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def pilots(**dice):
    return [Pilot(int(cases[1:]), 0, value, 10, 10) for cases, value in dice.items()]


def test_the_pilot_takes_the_fewest_cases_in_the_wanted_range_else_the_nearest():
    assert chosen_number(pilots(n1=0.4, n2=0.58, n4=0.7)) == 2
    assert chosen_number(pilots(n1=0.2, n2=0.5, n4=0.9)) == 2
    assert chosen_number([]) == 0


def test_the_pilot_does_not_choose_before_all_its_tests_are_done():
    assert chosen_number([*pilots(n1=0.6), Pilot(2, 0, 0.7, 9, 10)]) == 0
