"""Scores and tables: a perfect answer scores perfectly, a wrong one does not, and absent scores stay out."""

import numpy as np
import pytest

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, StructDiffError, Volume
from StructDiffCore.evaluation.harness import Result
from StructDiffCore.evaluation.look import Look, Scan
from StructDiffCore.evaluation.scores import look_scores, per_part
from StructDiffCore.evaluation.settings import EvaluationSettings
from StructDiffCore.evaluation.table import as_figure, as_json, as_markdown
from StructDiffCore.evaluation.warped_mask import warped_mask

GEOMETRY = Geometry((40, 40, 40))


def a_scan(blood_hu=400.0, noise_hu=20.0):
    labels = np.zeros(GEOMETRY.shape, np.uint8)
    labels[4:36, 4:36, 4:20] = 3
    labels[4:36, 4:36, 20:36] = 1
    hu = np.select([labels == 3, labels == 1], [blood_hu, 120.0], -80.0)
    noise = np.random.default_rng(1).normal(0, noise_hu, hu.shape)
    return Look(Scan(Volume(hu + noise, GEOMETRY), LabelMap(labels, GEOMETRY, CARDIAC)))


def compared(made, reference):
    return look_scores(made, reference, per_part(made, reference))


def test_a_scan_against_itself_has_no_error():
    scores = compared(a_scan(), a_scan())
    assert scores["median error thick HU"] == 0
    assert scores["noise ratio"] == pytest.approx(1)
    assert scores["edge ratio"] == pytest.approx(1)


def test_wrong_blood_and_half_the_noise_are_seen():
    scores = compared(a_scan(blood_hu=460, noise_hu=10), a_scan())
    assert scores["median error thick HU"] == pytest.approx(30, abs=2)  # 60 HU off in one label of two
    assert scores["noise ratio"] == pytest.approx(0.5, abs=0.08)


def test_hu_per_label_stands_beside_the_references():
    row = per_part(a_scan(blood_hu=460), a_scan())["left ventricle"]
    assert row["median HU"] - row["reference median HU"] == pytest.approx(60, abs=2)
    assert row["Wasserstein HU"] == pytest.approx(60, abs=2)


def test_edges_stand_beside_the_references_where_they_are_asked_for():
    scan = a_scan()
    row = per_part(scan, scan, peaks=True)["left ventricle"]
    assert row["edge distance mm"] == row["reference edge distance mm"] < 1
    assert "edge distance mm" not in per_part(scan, scan)["left ventricle"]


def test_unlabelled_tissue_is_compared_by_its_hu():
    rows = per_part(a_scan(), a_scan(blood_hu=460))
    assert set(rows) == {"left ventricle", "myocardium", "unlabelled fat"}
    assert rows["unlabelled fat"]["median HU"] == pytest.approx(-80, abs=2)
    assert compared(a_scan(), a_scan())["unlabelled Wasserstein HU"] == 0


def results():
    scored = {"Dice chambers": 0.9, "clDice coronaries": float("nan"), "noise ratio": 1.0}
    return [Result(f"case-{n}", "training", row, scored) for n in range(3) for row in ROWS]


ROWS = ("truth", "renderer", "structdiff")


def test_the_table_has_a_column_per_row_and_leaves_absent_scores_out_of_the_figure():
    table = as_markdown(results())
    assert "| score | truth | renderer | structdiff |" in table
    assert "| Dice chambers | 0.9 | 0.9 | 0.9 |" in table
    assert as_json(results())["summary"]["training"]["truth"]["clDice coronaries"]["cases"] == 0
    assert len(as_figure(results()).axes) == 6


def test_a_warped_mask_moves_but_keeps_its_labels():
    mask = a_scan().scan.mask
    moved = warped_mask(mask, 3.0, np.random.default_rng(2))
    again = warped_mask(mask, 3.0, np.random.default_rng(2))
    assert moved.present == mask.present
    assert 0.01 < np.mean(moved.voxels != mask.voxels) < 0.5
    np.testing.assert_array_equal(moved.voxels, again.voxels)


@pytest.mark.parametrize(
    ("settings", "fact"),
    [
        ({"rows": ["GAN"]}, "unknown row"),
        ({"phantom_cases": 0, "held_out_cases": 0, "real_case": False}, "no case"),
        ({"steps": 0}, "steps"),
    ],
)
def test_bad_settings_are_refused(settings, fact):
    with pytest.raises(StructDiffError, match=fact):
        EvaluationSettings(**settings)
