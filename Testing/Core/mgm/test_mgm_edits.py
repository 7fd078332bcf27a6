"""Edits of trees: what each changes, what it leaves, and the ends it declares."""

import numpy as np
import pytest
from mgm_hearts import a_digital_reference, a_toy

from StructDiffCore.domain import StructDiffError
from StructDiffCore.mgm.dominance import SwitchDominance, dominance_of
from StructDiffCore.mgm.edits import Ectasia, Graft, Lengthen, MoveTakeOff, Prune, Shorten, Stenosis
from StructDiffCore.mgm.generate import make_mask
from StructDiffCore.mgm.recipe import Recipe
from StructDiffCore.mgm.reference import Reference
from StructDiffCore.mgm.warp import WarpRecipe
from StructDiffCore.vessels.surface import Ellipsoid

HEART = Ellipsoid((17.0, 17.0, 17.0), (30.0, 30.0, 22.0))


@pytest.fixture(scope="module")
def a_tree():
    return a_toy()[1][8]


@pytest.mark.parametrize(
    "edit",
    [
        Prune(8, "D1"),
        Shorten(8, "LAD", 0.4),
        Shorten(8, "D1", 0.3),
        Lengthen(8, "D1", 8.0, 1),
        Graft(8, "LAD", "D2", 0.5, 12.0, False, 0.6, 3),
        MoveTakeOff(8, "D1", -4.0),
        Stenosis(8, "LAD", 12.0, 8.0, 50.0),
        Ectasia(8, "LAD", 12.0, 8.0, 50.0),
    ],
    ids=lambda edit: f"{edit.kind} {edit.branch}",
)
def test_an_edit_changes_the_number_of_ends_as_it_declares(a_tree, edit):
    edited = edit.apply(a_tree, HEART)
    assert len(edited.tip_branches) - len(a_tree.tip_branches) == edit.more_ends_of(a_tree)


def test_lengthening_adds_the_length_asked_for_and_stays_on_the_surface(a_tree):
    longer = Lengthen(8, "D1", 10.0, 2).apply(a_tree, HEART).branch("D1")
    assert longer.length_mm - a_tree.branch("D1").length_mm == pytest.approx(10.0, abs=2.5)
    depth = HEART.signed_distance(a_tree.branch("D1").points_mm[-1:])[0]
    np.testing.assert_allclose(HEART.signed_distance(longer.points_mm[-10:]), depth, atol=1.5)


def test_a_stenosis_and_an_ectasia_change_the_diameter_by_their_percentage(a_tree):
    before = a_tree.branch("LAD").radius_at(12.0)
    for lesion, factor in ((Stenosis(8, "LAD", 12.0, 8.0, 60.0), 0.4), (Ectasia(8, "LAD", 12.0, 8.0, 60.0), 1.6)):
        after = lesion.apply(a_tree, None).branch("LAD").radius_at(12.0)
        assert after == pytest.approx(factor * before, rel=0.02)


def test_a_moved_take_off_lies_where_asked_and_its_parent_carries_the_flow_no_further(a_tree):
    moved = MoveTakeOff(8, "D1", -5.0).apply(a_tree, HEART)
    before, after = a_tree.attachments_mm[1], moved.attachments_mm[1]
    assert after - before == pytest.approx(-5.0, abs=0.3)
    between = 0.5 * (before + after)
    assert moved.branch("LAD").radius_at(between) < a_tree.branch("LAD").radius_at(between)
    np.testing.assert_allclose(moved.branch("D1").points_mm[-1], a_tree.branch("D1").points_mm[-1], atol=0.6)


@pytest.fixture(scope="module")
def a_right_dominant_heart():
    return a_digital_reference(1)


@pytest.mark.parametrize("to", ["left", "balanced"])
def test_dominance_changes_hands_and_radii_follow(a_right_dominant_heart, to):
    reference, switch = a_right_dominant_heart, SwitchDominance(8, 9, to)
    trees = switch.changed(reference.trees, reference)
    assert dominance_of(reference.trees[8], reference.trees[9]) == "right"
    assert dominance_of(trees[8], trees[9]) == to
    for value, more in switch.more_ends(reference.trees).items():
        assert len(trees[value].tip_branches) - len(reference.trees[value].tip_branches) == more
    for value, narrower, wider in ((8, reference.trees, trees), (9, trees, reference.trees)):
        assert narrower[value].branches[0].radii_mm[0] < wider[value].branches[0].radii_mm[0]


def test_the_circumflex_goes_over_the_heart_to_the_crux_and_the_posterior_branch_stays_in_its_groove(a_right_dominant_heart):
    reference = a_right_dominant_heart
    trees = SwitchDominance(8, 9, "left").changed(reference.trees, reference)
    np.testing.assert_allclose(trees[8].branch("PDA").points_mm[5:], reference.trees[9].branch("PDA").points_mm[5:])
    depth = reference.epicardium.signed_distance(trees[8].parent_of(trees[8].index_of("PDA")).points_mm[::4])
    assert ((depth > -1) & (depth < 7)).mean() > 0.95


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "to"), [(1, "left"), (1, "balanced"), (2, "right"), (2, "balanced")])
def test_a_mask_of_another_dominance_is_proved(seed, to):
    made = make_mask([a_digital_reference(seed)], Recipe(WarpRecipe(0, sd_mm=0.0), edits=(SwitchDominance(8, 9, to),)))
    assert made.proof.broken == ()


def test_dominance_needs_named_branches_and_another_aim():
    mask, trees = a_toy()
    reference = Reference.prepared(mask, trees)
    with pytest.raises(StructDiffError, match="no vessel label 9"):
        SwitchDominance(8, 9, "left").changed(reference.trees, reference)
    with pytest.raises(StructDiffError, match="PDA"):
        dominance_of(trees[8], trees[8])
    with pytest.raises(StructDiffError, match="'middle'"):
        SwitchDominance(8, 9, "middle")
