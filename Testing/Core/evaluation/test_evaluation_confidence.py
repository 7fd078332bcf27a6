"""The judgement of confidence maps: damage that was planted, scores by hand, verdicts that can fail, a run that goes on."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from StructDiffCore.domain import CARDIAC, Geometry, ImageMaskPair, LabelMap, StructDiffError, Template, Volume
from StructDiffCore.evaluation import confidence
from StructDiffCore.evaluation.confidence_cases import Asked, asked_cases, moved_tree, tube_around, without_tree
from StructDiffCore.evaluation.confidence_report import calibration_errors, fits_of, markdown, write_report
from StructDiffCore.evaluation.confidence_scores import BIN_CENTRES_HU, BIN_EDGES_HU, Judged, Row, damage_scores
from StructDiffCore.evaluation.confidence_settings import ConfidenceSettings
from StructDiffCore.evaluation.confidence_verdicts import FEWEST_CASES, verdicts
from StructDiffCore.synthesis.confidence_fit import read_fits
from StructDiffCore.synthesis.error_head import ErrorHead, TrainedHead
from StructDiffCore.synthesis.measured_at import MeasuredAt
from StructDiffCore.systems.structdiff import default_structdiff

SHAPE = (12, 10, 8)
AT = MeasuredAt("abc", "ddim", 10, 0.8)


def a_mask():
    voxels = np.ones(SHAPE, np.uint8)
    voxels[5, 4, :] = 8
    return LabelMap(voxels, Geometry(SHAPE, (0.8, 0.8, 0.8)), CARDIAC)


def test_a_moved_tree_lies_one_voxel_further_along_the_diagonal():
    moved, changed = moved_tree(a_mask())
    assert_array_equal(np.argwhere(moved.voxels == 8)[:, :2], [[6, 5]] * 8)
    assert (moved.voxels[5, 4] == 0).all()
    assert_array_equal(np.argwhere(changed)[:, :2], [[5, 4]] * 8 + [[6, 5]] * 8)


def test_a_template_without_its_tree_shows_its_surroundings_there():
    mask = a_mask()
    image = np.where(mask.voxels == 8, 400.0, 100.0).astype(np.float32)
    bare = without_tree(Template(ImageMaskPair(Volume(image, mask.geometry), mask), "whole"))
    assert_allclose(bare.pair.image.voxels, 100)
    assert set(np.unique(bare.pair.mask.voxels)) == {0, 1}


def test_the_tube_reaches_three_voxels():
    vessel = np.zeros((11, 11, 3), bool)
    vessel[5, 5, :] = True
    tube = tube_around(vessel)[:, :, 1]
    assert_array_equal(np.flatnonzero(tube[:, 5]), np.arange(2, 9))
    assert not tube[8, 8]
    assert not tube_around(np.zeros(SHAPE, bool)).any()


def scores_of(auroc, beyond):
    """The same of both kinds of error, but that flips are known 0.3 worse."""
    kinds = {
        "gross": (auroc, "partial rank correlation"),
        "flips": (auroc - 0.3 * (beyond > 0.1), "partial rank correlation flips"),
    }
    scores = {f"AUROC {kind}": value for kind, (value, _) in kinds.items()} | {name: beyond for _, name in kinds.values()}
    return scores | {"gross share": 0.1, "flip share": 0.1}


def judged(case, advantage, domain="training", beyond=0.2, damage="", best=0.7):
    """A case where 'ssv' has this advantage over the better baseline."""
    told = {"ssv": (best + advantage, beyond), "edge nearness": (best, 0.0), "local deviation": (best - 0.1, 0.1)}
    rows = [
        Row(case, domain, damage, name, region, scores_of(*pair)) for name, pair in told.items() for region in ("all", "tube")
    ]
    voxels, gross = np.zeros((2, BIN_CENTRES_HU.size), int)
    voxels[[10, 40]], gross[[10, 40]] = 100, (1, 50)
    return Judged(case, domain, damage, rows, {"ssv": (voxels.tolist(), gross.tolist())})


@pytest.mark.parametrize(
    ("advantages", "beyond", "answer"),
    [
        ([0.05, 0.06, 0.04] * 2, 0.2, "informative"),
        ([0.05, -0.06, 0.04] * 2, 0.2, "not informative"),
        ([-0.05, -0.06, -0.04] * 2, 0.2, "not informative"),
        ([0.05, 0.06, 0.04] * 2, -0.01, "not informative"),
        ([0.05] * (FEWEST_CASES - 1), 0.2, "too few cases"),
        ([-0.05] * (FEWEST_CASES - 1), 0.2, "too few cases"),
    ],
)
def test_a_map_is_informative_only_beyond_the_best_baseline_tissue_and_edge(advantages, beyond, answer):
    rows = [row for n, a in enumerate(advantages) for row in judged(str(n), a, beyond=beyond).rows]
    (found,) = verdicts(rows)
    assert found.best_baseline == "edge nearness"
    assert found.answer == found.finding.answer == answer
    assert found.words.strip("*").startswith(answer)


def test_a_map_at_chance_is_not_informative_however_bad_the_baselines():
    rows = [row for n in range(FEWEST_CASES) for row in judged(str(n), 0.1, best=0.4).rows]
    (found,) = verdicts(rows)
    assert found.advantage.low > 0
    assert found.answer == "not informative"


def test_gross_errors_and_flips_have_a_verdict_each():
    rows = [row for n in range(FEWEST_CASES) for row in judged(str(n), 0.05).rows]
    gross, flips = (verdicts(rows, error=kind)[0] for kind in ("gross", "flips"))
    assert (gross.answer, flips.answer) == ("informative", "not informative")
    assert (gross.advantage.mean, flips.advantage.mean) == (pytest.approx(0.05), pytest.approx(-0.25))


def test_a_case_without_the_event_counts_for_neither_map_nor_baseline():
    rows = [row for n in range(FEWEST_CASES) for row in judged(str(n), 0.05).rows]
    rows += [replace(row, scores={**row.scores, "AUROC gross": float("nan")}) for row in judged("none", 0.05).rows]
    (found,) = verdicts(rows)
    assert found.auroc.cases == found.baseline_auroc.cases == found.advantage.cases == FEWEST_CASES


def test_damaged_cases_do_not_enter_verdicts_or_fits():
    whole = [judged(str(n), 0.05) for n in range(3)]
    damaged = [judged("d", -0.5, damage="patch")]
    one, both = (verdicts([row for case in cases for row in case.rows])[0] for cases in (whole, whole + damaged))
    assert one == both
    assert_allclose(fits_of(whole + damaged, 50)["ssv"].confidence, fits_of(whole, 50)["ssv"].confidence)


def test_the_fit_is_the_share_within_the_threshold_and_judged_on_left_out_cases():
    cases = [judged(str(n), 0.05) for n in range(3)]
    assert_allclose(fits_of(cases, 50)["ssv"].confidence, [0.99, 0.5])
    assert calibration_errors(cases, 50)["ssv"].mean == pytest.approx(0, abs=1e-9)


def test_a_map_shown_on_some_cases_only_has_no_fit():
    cases = [judged(str(n), 0.05) for n in range(3)]
    cases[0].counts["ssv@20"] = cases[0].counts["ssv"]
    assert set(fits_of(cases, 50)) == {"ssv"}


def test_bins_hold_their_centres():
    assert (np.digitize(BIN_CENTRES_HU, BIN_EDGES_HU) - 1 == np.arange(BIN_CENTRES_HU.size))[:-1].all()
    assert BIN_CENTRES_HU.size == BIN_EDGES_HU.size - 1


def test_the_report_holds_tables_verdicts_figure_and_fits(tmp_path):
    cases = [judged(str(n), 0.05) for n in range(6)] + [judged("h", 0.1, domain="held_out")]
    write_report(tmp_path, cases, ConfidenceSettings(), AT)
    told = json.loads((tmp_path / "report.json").read_text())["verdicts"]
    assert {name: found[0]["answer"] for name, found in told.items()} == {
        "all cases": "informative",
        "training": "informative",
        "held_out": "too few cases",
    }
    words = (tmp_path / "report.md").read_text()
    assert "| ssv | **informative**: 0.757" in words
    assert all(f"### verdict, {kind}, {region}" in words for kind in ("gross", "flips") for region in ("all", "tube"))
    gross, *_ = read_fits(tmp_path / "confidence-fits.json", AT)["ssv"].findings
    assert (gross.error, gross.region, gross.answer, gross.cases) == ("gross", "all", "informative", 7)
    assert (tmp_path / "report.png").stat().st_size > 5000
    assert set(read_fits(tmp_path / "confidence-fits.json", AT)) == {"ssv"}
    assert read_fits(tmp_path / "confidence-fits.json", replace(AT, temperature=1.0)) == {}
    assert "| edge nearness | 0.7 " in markdown(cases, 50)


def test_the_windows_are_phantoms_the_first_of_them_with_damage_then_the_held_out_domain():
    asked = asked_cases(ConfidenceSettings(phantom_cases=2, held_out_cases=1, damaged_cases=1))
    assert [one.name for one in asked] == ["training-0", "training-1", "held_out-0"]
    assert [one.damages for one in asked] == [("patch", "branch", "moved"), (), ()]


def seen(values, errors, damaged):
    """A case of 8 voxels in a row, with one map."""
    case = SimpleNamespace(damaged=np.array(damaged, bool))
    wrongs = SimpleNamespace(independent=np.array(errors, float))
    return SimpleNamespace(case=case, wrongs=wrongs, maps={"ssv": np.array(values, float)})


def test_a_map_that_is_high_at_vessels_anyway_knows_nothing_of_their_damage():
    there = [0, 0, 1, 1, 0, 0, 0, 0]
    at_vessels, errors = [1, 1, 9, 9, 1, 1, 1, 1], [0, 60, 0, 0, 0, 0, 0, 0]
    whole = seen(at_vessels, errors, np.zeros(8))
    same = damage_scores("ssv", seen(at_vessels, errors, there), whole, 50)
    assert same["AUROC damage, raw"] == 1
    assert same["AUROC damage"] == 0.5
    assert same["added there"] == same["new share"] == 0


def test_a_map_that_rises_at_the_damage_and_at_the_errors_it_makes_is_credited_for_both():
    there = [0, 0, 1, 1, 0, 0, 0, 0]
    whole = seen([1, 1, 9, 9, 1, 1, 1, 1], [0, 60, 0, 0, 0, 0, 0, 0], np.zeros(8))
    hurt = seen([1, 1, 12, 10, 1, 1, 1, 1], [0, -70, 80, 0, 0, 0, 0, 0], there)
    told = damage_scores("ssv", hurt, whole, 50)
    assert told["AUROC damage"] == told["AUROC new errors"] == 1
    assert told["added there"] == 2
    assert (told["new share"], told["new share there"]) == (1 / 8, 1 / 2)


def test_the_table_of_a_damage_is_of_its_own_cases():
    cases = [judged(str(n), 0.05) for n in range(2)]
    scores = {"AUROC damage": 0.9, "new share": 0.1, "new share there": 0.5}
    rows = [Row("0", "training", "patch", name, "all", scores) for name in ("ssv", "edge nearness")]
    told = markdown([*cases, Judged("0", "training", "patch", rows, cases[0].counts)], 50)
    assert "damage 'patch': damaged minus whole map (1 cases; 10.0% new gross errors, 50.0% in it)" in told
    assert "| ssv | 0.9" in told


@pytest.mark.parametrize(
    "wrong",
    [
        {"methods": ["guess"]},
        {"references": ["off"]},
        {"temperature": 1.5},
        {"damages": ["flood"]},
        {"crop": 41},
        {"crop": 104},
        {"phantom_cases": 0},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(StructDiffError):
        ConfidenceSettings(**wrong)


def test_a_file_with_an_unknown_field_is_refused_and_the_example_is_read(tmp_path):
    (tmp_path / "c.yaml").write_text("phantoms: 3")
    with pytest.raises(StructDiffError, match="does not fit"):
        ConfidenceSettings.read(tmp_path / "c.yaml")


def test_a_stopped_run_goes_on_and_leaves_a_torn_line_out(tmp_path):
    made = []

    class Bench:
        settings = ConfidenceSettings(phantom_cases=2, held_out_cases=1, damaged_cases=0)
        head_sha256 = "head"

        def __init__(self, at=AT):
            self.measured_at = at

        def judged(self, asked: Asked):
            made.append(asked.name)
            return [judged(asked.name, 0.05), judged(asked.name, 0.01, damage="patch")]

    steps = confidence.judge_confidence(Bench(), tmp_path)
    assert [len(next(steps)) for _ in range(2)] == [0, 2]
    with (tmp_path / confidence.JOURNAL).open("a") as file:
        file.write('{"case": "training-1", "dom')
    last = list(confidence.judge_confidence(Bench(), tmp_path))[-1]
    assert made == ["training-0", "training-1", "held_out-0"]
    assert [case.case for case in last if not case.damage] == made
    assert [case.case for case in next(confidence.judge_confidence(Bench(), tmp_path)) if case.damage] == made
    with pytest.raises(StructDiffError, match="other settings, weights or error head"):
        next(confidence.judge_confidence(Bench(replace(AT, temperature=1.0)), tmp_path))


def test_a_head_is_judged_on_samples_of_other_settings_but_not_on_other_weights(tmp_path):
    settings = ConfidenceSettings(steps=6, head=str(tmp_path / "head.safetensors"))
    at = MeasuredAt.of(default_structdiff().sha256, ConfidenceSettings().sampling)
    TrainedHead(ErrorHead(8), at).save(tmp_path / "head.safetensors")
    assert confidence.Bench.of(settings).measured_at == replace(at, steps=6)
    TrainedHead(ErrorHead(8), replace(at, weights_sha256="other weights")).save(tmp_path / "head.safetensors")
    with pytest.raises(StructDiffError, match=r"trained at weights other weight"):
        confidence.Bench.of(settings)


@pytest.mark.parametrize("part", ["3", "0/2", "3/2", "1/x", "-1/2", ""])
def test_a_part_that_is_none_is_refused_in_one_line(part, tmp_path, capsys):
    (tmp_path / "c.yaml").write_text("phantom_cases: 1")
    assert confidence.main([str(tmp_path / "c.yaml"), "--out", str(tmp_path / "out"), f"--part={part}"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: --part '{part}' is no share of the windows; give")
    assert told.count("\n") == 1
    assert confidence.part_of("2/3") == (2, 3)


@pytest.mark.parametrize("content", ["phantoms: 3", "steps: many", "phantom_cases: [", "- 1", "crop: wide", "\x00"])
def test_a_bad_settings_file_is_refused_in_one_line(content, tmp_path, capsys):
    (tmp_path / "c.yaml").write_text(content)
    assert confidence.main([str(tmp_path / "c.yaml"), "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert told.count("\n") == 1
