"""Scores that ask whether the answer obeys the mask: hand-drawn cases with a known answer."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, StructDiffError, Volume
from StructDiffCore.evaluation import rows
from StructDiffCore.evaluation.copying import detail_correlation
from StructDiffCore.evaluation.harness import Result
from StructDiffCore.evaluation.journal import begin, note, read_journal
from StructDiffCore.evaluation.look import Look, Scan
from StructDiffCore.evaluation.obedience import agreement, controls, fidelity, small_vessel_recall
from StructDiffCore.evaluation.paired import comparisons
from StructDiffCore.evaluation.realism import realism_scores
from StructDiffCore.evaluation.rows import calls_of, row_named
from StructDiffCore.measures.gradient_peak import peak_distances
from StructDiffCore.measures.realism import kernel_distance
from StructDiffCore.models.conditioning import ConditionMaps
from StructDiffCore.models.nulled import without_codes, without_prior, without_template
from StructDiffCore.vessels.branch import Branch
from StructDiffCore.vessels.graph import VesselGraph

GRID = Geometry((40, 40, 40))


def a_mask(shift: int = 0) -> np.ndarray:
    labels = np.zeros(GRID.shape, np.uint8)
    labels[10 + shift : 25 + shift, 10:30, 10:30] = 3
    return labels


def test_agreement_counts_only_where_the_masks_differ():
    target, template = a_mask(0), a_mask(4)
    assert agreement(target, target, template) == 1
    assert agreement(template, target, template) == 0
    half = np.where(np.arange(40)[None, :, None] < 20, target, template)
    assert agreement(half, target, template) == pytest.approx(0.5)
    assert np.isnan(agreement(target, target, target))


def test_a_swapped_mask_collapses_the_dice():
    read = a_mask(0)
    assert fidelity(read, a_mask(0))["Dice chambers"] == 1
    assert fidelity(read, a_mask(12))["Dice chambers"] < 0.25


def test_a_control_collapses_though_the_own_mask_is_obeyed():
    voxels = np.zeros(GRID.shape, np.uint8)
    voxels[4:24, 4:24, 4:24] = 3
    voxels[28, 4:36, 28] = 8
    target, other = LabelMap(voxels, GRID, CARDIAC), LabelMap(np.roll(voxels, 3, 2), GRID, CARDIAC)
    found = controls(voxels, target, other)
    assert found["Dice chambers, other heart's mask"] == pytest.approx(17 / 20)
    assert found["clDice coronaries, other heart's mask"] == 0
    assert found["Dice chambers, mask shifted 15 mm"] < 0.4
    assert found["clDice coronaries, mask shifted 15 mm"] == found["clDice coronaries, mask mirrored"] == 0
    assert "Dice chambers, other heart's mask" not in controls(voxels, target, None)


def test_small_vessels_are_found_along_their_centreline_only():
    line = np.stack([np.linspace(5, 35, 61), np.full(61, 20.0), np.full(61, 20.0)], 1)
    radii = np.where(line[:, 0] < 20, 0.7, 1.5)
    tree = VesselGraph((Branch(line, radii, "LAD"),))
    read = np.zeros(GRID.shape, np.uint8)
    read[5:13, 20, 20] = 8
    found = small_vessel_recall(read, GRID, (tree,))
    assert found == pytest.approx(np.mean(np.rint(line[line[:, 0] < 20, 0]) <= 13))
    assert np.isnan(small_vessel_recall(read, GRID, ()))


def test_a_copy_shares_its_detail_and_another_noise_does_not():
    rng = np.random.default_rng(0)
    one, other = rng.normal(0, 20, (2, *GRID.shape)).astype(np.float32)
    labels, spacing = a_mask(), np.ones(3)
    assert detail_correlation(one, one, labels, labels, spacing) == pytest.approx(1)
    assert abs(detail_correlation(one, other, labels, labels, spacing)) < 0.1


def test_two_paintings_of_one_mask_are_no_copies_of_each_other():
    rng = np.random.default_rng(0)
    painted = ndimage.gaussian_filter(np.where(a_mask() == 3, 400, 0).astype(np.float32), 0.8)
    scan = painted + rng.normal(0, 5, GRID.shape).astype(np.float32)
    faint = painted + rng.normal(0, 1, GRID.shape).astype(np.float32)
    assert abs(detail_correlation(faint, scan, a_mask(), a_mask(), np.ones(3))) < 0.1
    moved = np.roll(painted, 3, 0) + rng.normal(0, 5, GRID.shape).astype(np.float32)
    assert abs(detail_correlation(faint, moved, a_mask(), a_mask(3), np.ones(3))) < 0.1


def test_the_gradient_peak_lies_as_far_off_as_the_mask_is_moved():
    image = np.where(a_mask() == 3, 300, 0).astype(np.float32)
    faces = [peak_distances(image, a_mask(shift), (1, 1, 1))[3] for shift in (0, 2)]
    assert faces[0] < 0.4
    moved = np.zeros(GRID.shape, np.uint8)
    moved[8:27, 8:32, 8:32] = 3
    assert peak_distances(image, moved, (1, 1, 1))[3] == pytest.approx(2, abs=0.4)


def test_equal_distributions_are_near_and_others_far():
    rng = np.random.default_rng(0)
    real, same, other = rng.normal(0, 1, (200, 5)), rng.normal(0, 1, (200, 5)), rng.normal(1.5, 1, (200, 5))
    assert abs(kernel_distance(same, real)) < 0.2
    assert kernel_distance(other, real) > 1


def test_a_scan_is_harder_to_tell_from_itself_than_from_a_smooth_one():
    rng = np.random.default_rng(3)
    grid = Geometry((96, 96, 48), (1.5, 1.5, 1.5))
    hu = np.where(np.arange(96)[:, None, None] < 48, 50.0, -90.0) + rng.normal(0, 15, grid.shape)
    labels = np.where(np.arange(96)[:, None, None] < 48, 1, 0) * np.ones(grid.shape, int)
    mask = LabelMap(labels.astype(np.uint8), grid, CARDIAC)
    real = Look(Scan(Volume(hu.astype(np.float32), grid), mask))
    smooth = Look(Scan(Volume(ndimage.gaussian_filter(hu, 1.0).astype(np.float32), grid), mask), patch_seed=2)
    (floor, _), (told, without) = realism_scores(real, real), realism_scores(smooth, real)
    assert without["AUC patches"] == pytest.approx([told["AUC patches"]] * 8, abs=0.1)
    assert len(without["KID patches"]) == 8
    assert floor["AUC patches"] < 0.75 < told["AUC patches"]
    assert floor["KID patches"] < told["KID patches"]


def a_piece() -> ConditionMaps:
    maps = [np.full((4, 4, 4), float(n), np.float32) for n in range(1, 7)]
    return ConditionMaps(*maps, np.zeros((4, 4, 4), np.int16), np.ones((2, 15), np.float32))


def test_nulled_inputs_are_null_and_the_others_stay():
    piece = a_piece()
    assert not without_codes(piece).codes.any()
    assert not without_template(piece).template_known.any()
    np.testing.assert_array_equal(without_template(piece).template_hu, piece.prior_hu)
    assert (without_prior(piece).prior_hu == 45).all()
    np.testing.assert_array_equal(without_prior(piece).template_hu, piece.template_hu)


@pytest.mark.parametrize("name", ["structdiff@0", "structdiff@8:magic", "structdif", "structdiff@x"])
def test_unknown_rows_are_refused(name):
    with pytest.raises(StructDiffError, match="unknown row"):
        row_named(name)


@pytest.mark.parametrize(
    ("name", "changed"),
    [("one call", {"steps": 1}), ("template detail", {"template_detail": True}), ("structdiff@4", {"steps": 4})],
)
def test_a_rows_name_says_which_settings_change(name, changed, monkeypatch):
    asked = []
    monkeypatch.setattr(rows, "network", lambda case, prepared, system, settings, seed: asked.append(settings))
    row_named(name)(None, None, None, SynthesisSettings(steps=10), 1)
    assert asked == [replace(SynthesisSettings(steps=10), **changed)]


def test_network_calls_are_told_by_the_rows_name():
    calls = {
        "truth": 0,
        "renderer": 0,
        "one call": 1,
        "structdiff": 10,
        "structdiff@4": 4,
        "structdiff@4:heun": 7,
        "without codes": 10,
        "template detail": 10,
    }
    assert {row: calls_of(row, 10) for row in calls} == calls


def test_a_stopped_evaluation_goes_on_with_its_answers(tmp_path):
    settings = {"seed": 1, "rows": ("truth",)}
    begin(tmp_path, settings)
    result = Result("training-0", "training", "truth", {"Dice chambers": 0.5})
    note(tmp_path, result)
    with (tmp_path / "answers.jsonl").open("a") as file:
        file.write('{"case": "torn')
    assert read_journal(tmp_path, settings) == [result]
    begin(tmp_path, settings)
    note(tmp_path, result)
    assert read_journal(tmp_path, settings) == [result, result]
    with pytest.raises(StructDiffError, match="other settings"):
        read_journal(tmp_path, {"seed": 2})


def test_a_journal_without_answers_gives_way_to_other_settings(tmp_path):
    begin(tmp_path, {"seed": 1})
    assert read_journal(tmp_path, {"seed": 2}) == []
    begin(tmp_path, {"seed": 2})
    note(tmp_path, Result("training-0", "training", "truth", {}))
    assert len(read_journal(tmp_path, {"seed": 2})) == 1


def test_paired_ratios_and_differences():
    made = []
    for n in range(6):
        scores = {"truth": (0.8, 0.0), "renderer": (0.6, 50.0), "structdiff": (0.76, 30.0 + n)}
        made += [Result(f"c{n}", "real", row, {"Dice chambers": d, "KID patches": k}) for row, (d, k) in scores.items()]
    found = {(c.row, c.score): c.interval for c in comparisons(made)}
    assert found["structdiff", "Dice chambers"].mean == pytest.approx(0.95)
    assert found["structdiff", "KID patches"].mean == pytest.approx(-17.5)
    assert found["structdiff", "KID patches"].high < 0


def test_a_changed_network_is_set_against_the_network_as_it_is():
    scores = {"structdiff": (0.9, 40.0), "template detail": (0.8, 15.0), "renderer": (0.7, 50.0), "truth": (1.0, 0.0)}
    names = ("clDice coronaries", "unlabelled Wasserstein HU")
    made = [Result(f"c{n}", "real", row, dict(zip(names, of))) for row, of in scores.items() for n in range(6)]
    against_ours = [c for c in comparisons(made) if c.against == "structdiff"]
    assert {(c.row, c.score): c.interval.mean for c in against_ours} == {
        ("template detail", "clDice coronaries"): pytest.approx(-0.1),
        ("template detail", "unlabelled Wasserstein HU"): pytest.approx(-25),
    }


def test_ratios_are_told_of_means_and_per_case_with_their_worst_tenth():
    scores = {"truth": [0.8] * 10, "structdiff": [0.4] + [0.8] * 9}
    made = [Result(f"c{n}", "training", row, {"Dice chambers": of[n]}) for row, of in scores.items() for n in range(10)]
    (found,) = comparisons(made)
    assert found.interval.mean == found.per_case.mean == pytest.approx(0.95)
    assert found.tenth == pytest.approx(0.76)
    assert found.tenth_ratio == pytest.approx(0.95)


def test_the_real_scans_interval_covers_octants_too():
    without = [30.0 + 3 * n for n in range(8)]
    made = [Result(f"w{n}", "real", "renderer", {"KID patches": 50.0}, {}, {"KID patches": [50.0] * 8}) for n in range(2)]
    made += [Result(f"w{n}", "real", "structdiff", {"KID patches": 40.0}, {}, {"KID patches": without}) for n in range(2)]
    found = next(c for c in comparisons(made) if c.score == "KID patches")
    assert found.interval.mean == pytest.approx(-10)
    assert found.interval.low < -20 < 0 < found.interval.high  # equal warps, but octants that disagree
