"""What is measured before anything is told: seeds, errors, flips, baselines and planted damage, each counted by hand."""

from itertools import product

import numpy as np
import pytest
from confidence_scene import BRIGHT_HU, MIDDLE, MUSCLE_HU, GaussianSystem, a_case, a_condition, a_judge
from numpy.testing import assert_allclose, assert_array_equal

from StructDiffCore.domain import Geometry
from StructDiffCore.evaluation import confidence, confidence_cases
from StructDiffCore.evaluation.confidence_cases import Asked, cases_of
from StructDiffCore.evaluation.confidence_maps import Mapped, baselines, sampled_with_maps
from StructDiffCore.evaluation.confidence_scores import TISSUES, Seen, Wrongs, counts_of, rows_of, wrongs_of
from StructDiffCore.evaluation.confidence_settings import ConfidenceSettings
from StructDiffCore.phantom.heart import digital_heart

SETTINGS = ConfidenceSettings(methods=("trajectory", "noises"), references=("full@3",), reference_cases=1, steps=4, seed=100)


def flat(value=MUSCLE_HU):
    return np.full(MIDDLE, value, np.float32)


def a_bench():
    return confidence.Bench(SETTINGS, GaussianSystem(), None, a_judge())


@pytest.fixture
def seeds(monkeypatch):
    """Seeds and methods of every sample that is made."""
    made = []

    def told(system, condition, methods, settings, seed, head=None):
        made.append((seed, tuple(methods)))
        return sampled_with_maps(system, condition, methods, settings, seed, head)

    monkeypatch.setattr(confidence, "sampled_with_maps", told)
    return made


def test_errors_are_of_another_seed_than_the_maps(seeds):
    seen = a_bench()._seen(a_case(number=2))
    assert seeds == [(120, ("trajectory", "noises")), (125, ())]
    own, other = (sampled_with_maps(GaussianSystem(), a_condition(), (), SETTINGS.sampling, seed).clean_hu for seed in (120, 125))
    assert_allclose(seen.wrongs.own, own - MUSCLE_HU, atol=1e-4)
    assert_allclose(seen.wrongs.independent, other - MUSCLE_HU, atol=1e-4)
    assert np.abs(own - other).mean() > 10


def test_references_are_shown_on_the_first_whole_training_windows_only(seeds):
    for case in (a_case(), a_case("patch"), a_case(number=1), a_case(domain="held_out")):
        a_bench()._seen(case)
    assert [("full@3" in methods) for _, methods in seeds[::2]] == [True, False, False, False]


def test_a_window_is_told_whole_then_under_every_damage_against_the_whole(monkeypatch):
    monkeypatch.setattr(confidence, "cases_of", lambda asked, settings: [a_case(), a_case("patch")])
    whole, damaged = a_bench().judged(Asked("training", 0, ("patch",)))
    assert (whole.damage, damaged.damage) == ("", "patch")
    assert not any("AUROC damage" in row.scores for row in whole.rows)
    (told,) = (row.scores for row in damaged.rows if (row.map, row.region) == ("trajectory", "all"))
    assert told["AUROC damage"] == 0.5  # the same sample and map: nothing was added


def test_a_sample_and_its_maps_are_those_of_its_seed_with_their_cost():
    made = sampled_with_maps(GaussianSystem(), a_condition(), ("trajectory", "noises"), SETTINGS.sampling, 7)
    alone = sampled_with_maps(GaussianSystem(), a_condition(), (), SETTINGS.sampling, 7)
    assert_array_equal(made.clean_hu, alone.clean_hu)
    assert made.clean_hu.shape == made.deviations_hu["noises"].shape == MIDDLE
    assert made.calls == {"trajectory": 1.0, "noises": 1 + 5 * 3 / 4}
    assert min(made.cost.values()) >= 1


def test_flips_are_the_voxels_that_the_judge_reads_otherwise():
    independent = flat()
    for voxel in ((1, 2, 3), (4, 4, 4), (7, 0, 5)):
        independent[voxel] = BRIGHT_HU
    independent[0, 0, 0] += 60
    found = wrongs_of(a_case(), flat(110), independent, a_judge())
    assert_array_equal(np.argwhere(found.flips), [[1, 2, 3], [4, 4, 4], [7, 0, 5]])
    assert_allclose(found.own, 10)
    assert (found.independent[0, 0, 0], found.independent[4, 4, 4], found.independent[5, 5, 5]) == (60, 300, 0)


def test_edge_nearness_rises_towards_the_edge():
    found = baselines(a_case(), flat())["edge nearness"]
    assert_array_equal(found[:, 0, 0], -np.arange(8.0))


def test_local_deviation_is_that_of_27_voxels():
    hu = flat()
    hu[4, 4, 4] += 27
    found = baselines(a_case(), hu)["local deviation"]
    around = np.zeros(27)
    around[0] = 27
    assert_allclose(found[3:6, 3:6, 3:6], around.std(), rtol=1e-4)
    assert_allclose(found[0], 0, atol=0.05)


def test_inverse_radius_is_that_of_the_nearest_centreline_point_within_the_tube():
    found = baselines(a_case(), flat())["inverse radius"]
    assert_allclose(found[4, 4, :], [1.0] * 4 + [2.0] * 4)
    assert (found[1, 4, 0], found[0, 4, 0]) == (1.0, 0.0)


def seen(values, independent, flips):
    case = a_case()
    mapped = Mapped(flat(), {"ssv": values}, {"ssv": 1.5}, {"ssv": 2.0})
    return Seen(case, mapped, Wrongs(independent, flat(0), flips), {"ssv": values, "edge nearness": -values})


def test_rows_hold_every_kind_of_error_in_every_region():
    values, flips = np.arange(512.0).reshape(MIDDLE), np.zeros(MIDDLE, bool)
    independent = np.where(values >= 384, 80.0, 0.0).astype(np.float32)
    flips[0] = True
    rows = {(row.map, row.region): row.scores for row in rows_of(seen(values, independent, flips), 50.0)}
    assert {region for _, region in rows} == {"all", "tube", "myocardium"}  # 8 voxels of vessel are too few
    assert set(TISSUES) > {"myocardium", "coronaries"}
    told, against = rows["ssv", "all"], rows["edge nearness", "all"]
    assert (told["AUROC gross"], told["AUROC flips"], against["AUROC gross"]) == (1, 0, 0)
    assert told["AUSE gross"] == told["AUSE HU"] == pytest.approx(0, abs=1e-9)
    assert told["AUSE flips"] > against["AUSE flips"] == pytest.approx(0, abs=1e-9)
    assert (told["gross share"], told["flip share"]) == (1 / 4, 1 / 8)
    assert (told["cost"], told["calls"], "cost" in rows["ssv", "tube"], "ENCE" in against) == (1.5, 2.0, False, False)


def test_counts_are_of_the_independent_errors():
    values = np.full(MIDDLE, 10.0)
    values[0] = 20.0
    independent = flat(0)
    independent[0, 0, :4], independent[7, 7, 0] = -60, 60
    found = seen(values, independent, np.zeros(MIDDLE, bool))
    voxels, gross = (np.array(numbers) for numbers in counts_of(found.mapped, found.wrongs, 50.0)["ssv"])
    assert_array_equal(voxels[voxels > 0], [448, 64])
    assert_array_equal(gross[voxels > 0], [1, 4])


@pytest.fixture(scope="module")
def coarse_cases():
    """Settings -> a coarse window whole, with a bright patch and without its template's trees."""
    field = Geometry((64,) * 3, (1.6,) * 3, (-51.0,) * 3)
    hearts = [digital_heart(seed, field) for seed in (6, 8)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(confidence_cases, "_heart", lambda domain, number, settings: hearts[number])
        damages = ("patch", "branch")
        yield lambda **given: cases_of(Asked("training", 0, damages), ConfidenceSettings(voxels=48, crop=24, seed=3, **given))


@pytest.fixture(scope="module")
def cases(coarse_cases):
    return coarse_cases()


def test_all_cases_of_a_window_show_its_middle(cases):
    assert [case.damage for case in cases] == ["", "patch", "branch"]
    assert len({id(case.window) for case in cases}) == 1
    for case in cases:
        assert case.condition.shape == case.labels.shape == case.truth_hu.shape == (24, 24, 24)
        assert_array_equal(case.labels, case.window.target.mask.voxels[12:36, 12:36, 12:36])
    assert not cases[0].damaged.any()


def test_a_bright_patch_is_a_ball_of_the_template_and_nothing_else_changes(cases):
    whole, patch = cases[0].condition, cases[1].condition
    assert_allclose(patch.template_hu - whole.template_hu, 300 * cases[1].damaged, atol=1e-3)
    assert_array_equal(patch.prior_hu, whole.prior_hu)
    in_radius = sum(i**2 + j**2 + k**2 <= (6 / 1.6) ** 2 for i, j, k in product(range(-4, 5), repeat=3))
    assert cases[1].damaged.sum() == in_radius


def test_a_template_without_its_trees_changes_what_the_condition_shows_and_the_tube_is_where(cases):
    assert_array_equal(cases[2].damaged, cases[2].tube)
    assert np.abs(cases[2].condition.template_hu - cases[0].condition.template_hu).max() > 50


def test_samples_with_the_templates_detail_are_judged_with_it(cases, coarse_cases):
    detailed = coarse_cases(template_detail=True)[0].condition
    assert np.abs(detailed.prior_hu - cases[0].condition.prior_hu).max() > 60
    assert_array_equal(detailed.slots, cases[0].condition.slots)
    assert ConfidenceSettings(template_detail=True).sampling.template_detail
