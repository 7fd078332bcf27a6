"""The judgement of confidence maps: damage that was planted, scores by hand, verdicts that can fail, a run that goes on."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from StructDiffCore.domain import CARDIAC, Geometry, ImageMaskPair, LabelMap, StructDiffError, Template, Volume
from StructDiffCore.evaluation import confidence
from StructDiffCore.evaluation.confidence_cases import Asked, asked_cases, moved_tree, tube_around, without_tree
from StructDiffCore.evaluation.confidence_report import calibration_errors, fits_of, markdown, verdicts, write_report
from StructDiffCore.evaluation.confidence_scores import BIN_CENTRES_HU, BIN_EDGES_HU, Judged, Row
from StructDiffCore.evaluation.confidence_settings import ConfidenceSettings
from StructDiffCore.synthesis.confidence_fit import read_fits

SHAPE = (12, 10, 8)


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


def judged(case, advantage, domain="training", beyond=0.2, damage=""):
    """A case where 'ssv' has this advantage over the better baseline."""
    told = {"ssv": (0.7 + advantage, beyond), "edge nearness": (0.7, 0.0), "local deviation": (0.6, 0.1)}
    rows = [
        Row(case, domain, damage, name, region, {"AUROC gross": a, "partial rank correlation": b, "gross share": 0.1})
        for name, (a, b) in told.items()
        for region in ("all", "tube")
    ]
    voxels, gross = np.zeros((2, BIN_CENTRES_HU.size), int)
    voxels[[10, 40]], gross[[10, 40]] = 100, (1, 50)
    return Judged(case, domain, damage, rows, {"ssv": (voxels.tolist(), gross.tolist())})


@pytest.mark.parametrize(
    ("advantages", "beyond", "informative"),
    [
        ([0.05, 0.06, 0.04], 0.2, True),
        ([0.05, -0.06, 0.04], 0.2, False),
        ([-0.05, -0.06, -0.04], 0.2, False),
        ([0.05, 0.06, 0.04], -0.01, False),
        ([0.05, 0.06], 0.2, False),
    ],
)
def test_a_map_is_informative_only_beyond_the_best_baseline_tissue_and_edge(advantages, beyond, informative):
    rows = [row for n, a in enumerate(advantages) for row in judged(str(n), a, beyond=beyond).rows]
    (found,) = verdicts(rows)
    assert found.best_baseline == "edge nearness"
    assert found.informative is informative
    assert ("not informative" in found.words) is not informative


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


def test_bins_hold_their_centres():
    assert (np.digitize(BIN_CENTRES_HU, BIN_EDGES_HU) - 1 == np.arange(BIN_CENTRES_HU.size))[:-1].all()
    assert BIN_CENTRES_HU.size == BIN_EDGES_HU.size - 1


def test_the_report_holds_tables_verdicts_figure_and_fits(tmp_path):
    cases = [judged(str(n), 0.05) for n in range(3)] + [judged("h", 0.1, domain="held_out")]
    write_report(tmp_path, cases, ConfidenceSettings(), "abc")
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["verdicts"]["all"][0]["informative"] is True
    assert "ssv: informative" in (tmp_path / "report.md").read_text()
    assert (tmp_path / "report.png").stat().st_size > 5000
    assert set(read_fits(tmp_path / "confidence-fits.json", "abc", 10)) == {"ssv"}
    assert "| edge nearness | 0.7 " in markdown(cases, 50)


def test_the_cases_are_phantoms_then_the_held_out_domain_then_damage():
    names = [asked.name for asked in asked_cases(ConfidenceSettings(phantom_cases=2, held_out_cases=1, damaged_cases=1))]
    assert names == ["training-0", "training-1", "held_out-0", "training-0-patch", "training-0-branch", "training-0-moved"]


@pytest.mark.parametrize(
    "wrong",
    [{"methods": ["guess"]}, {"reference": "off"}, {"damages": ["flood"]}, {"crop": 41}, {"crop": 72}, {"phantom_cases": 0}],
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(StructDiffError):
        ConfidenceSettings(**wrong)


def test_a_file_with_an_unknown_field_is_refused_and_the_example_is_read(tmp_path):
    (tmp_path / "c.yaml").write_text("phantoms: 3")
    with pytest.raises(StructDiffError, match="does not fit"):
        ConfidenceSettings.read(tmp_path / "c.yaml")


def test_a_stopped_run_goes_on_and_leaves_a_torn_line_out(tmp_path, monkeypatch):
    made = []

    class Bench:
        class system:
            sha256 = "abc"

        @classmethod
        def of(cls, settings):
            return cls()

        def judged(self, asked: Asked):
            made.append(asked.name)
            return judged(asked.name, 0.05)

    monkeypatch.setattr(confidence, "Bench", Bench)
    settings = ConfidenceSettings(phantom_cases=2, held_out_cases=1, damaged_cases=0)
    steps = confidence.judge_confidence(settings, tmp_path)
    assert [len(next(steps)) for _ in range(2)] == [0, 1]
    with (tmp_path / confidence.JOURNAL).open("a") as file:
        file.write('{"case": "training-1", "dom')
    last = list(confidence.judge_confidence(settings, tmp_path))[-1]
    assert made == ["training-0", "training-1", "held_out-0"]
    assert [case.case for case in last] == made
    assert [case.case for case in next(confidence.judge_confidence(settings, tmp_path))] == made
    with pytest.raises(StructDiffError, match="other settings or weights"):
        next(confidence.judge_confidence(ConfidenceSettings(phantom_cases=3), tmp_path))
