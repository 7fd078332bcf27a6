"""Purposeful breaks: each changes what it declares and nothing else, and the topology engine finds it."""

import numpy as np
import pytest
from independent_checker import betti, contacts
from mgm_hearts import a_digital_reference

from StructDiffCore.domain import StructDiffError
from StructDiffCore.mgm.breaks import FalseBridge, Gap, Ground, Leak, Speck
from StructDiffCore.mgm.faults import draw_break
from StructDiffCore.mgm.generate import make_mask, with_breaks, with_drawn_breaks
from StructDiffCore.mgm.recipe import PartialRecipe, Recipe
from StructDiffCore.mgm.warp import WarpRecipe
from StructDiffCore.topology.report import topology_report


@pytest.fixture(scope="module")
def a_good_mask():
    return make_mask([a_digital_reference(1)], Recipe(WarpRecipe(5, sd_mm=1.0)))


def of_all_kinds(mask):
    """One break of every kind, with the Betti numbers of its tree and the kind of finding that has to tell of it."""
    ground = Ground(mask.mask.voxels.astype(np.uint8), mask.mask.geometry, mask.roles, mask.trees)
    found = {}
    for seed in range(40):
        one = draw_break(ground, np.random.default_rng(seed))
        found.setdefault(one.kind, one)
    return found


WANTED = {
    "gap": ((2, 0, 0), {"gap", "fragment"}),
    "false_bridge": (None, {"loop", "crossing trees"}),
    "leak": ((1, 0, 0), {"leak blob"}),
    "speck": ((2, 0, 0), {"fragment"}),
}


@pytest.mark.parametrize("kind", list(WANTED))
def test_a_break_is_exactly_what_it_declares(a_good_mask, kind):
    one = of_all_kinds(a_good_mask)[kind]
    bad = with_breaks(a_good_mask, (one,))
    assert bad.proof.broken == ()
    numbers, findings = WANTED[kind]
    if numbers is None:
        numbers = (1, 1, 0) if one.tree == one.other_tree else (1, 0, 0)
        assert contacts(bad.mask.voxels == 8, bad.mask.voxels == 9) == (one.tree != one.other_tree)
    assert betti(bad.mask.voxels == one.tree) == numbers
    others = [value for value in (1, 2, 3, 4, 5, 6, 7) if betti(bad.mask.voxels == value) != (1, 0, 0)]
    assert others == []
    assert findings & {finding.kind for finding in topology_report(bad.mask).findings}


def test_a_mask_with_a_break_is_made_again_from_its_recipe(a_good_mask):
    bad = with_breaks(a_good_mask, (of_all_kinds(a_good_mask)["gap"],))
    recipe = PartialRecipe.from_dict(bad.recipe.as_dict())
    assert recipe.whole
    again = make_mask([a_digital_reference(1)], recipe.completed(Recipe(WarpRecipe(99))))
    np.testing.assert_array_equal(again.mask.voxels, bad.mask.voxels)


def test_several_breaks_at_once_are_proved_together(a_good_mask):
    bad = with_drawn_breaks(a_good_mask, 3, np.random.default_rng(4))
    assert len(bad.recipe.breaks) == 3
    assert bad.proof.holds
    assert topology_report(bad.mask).verdict == "fail"


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (Gap(8, "OM7", 10.0), "no branch 'OM7'"),
        (Gap(8, "LM", 900.0), "no lumen"),
        (Gap(7, "LM", 5.0), "no vessel label 7"),
        (Speck(8, (900.0, 0.0, 0.0)), "outside"),
    ],
)
def test_a_break_without_a_place_is_refused(a_good_mask, one, words):
    name = a_good_mask.trees[8].branches[0].name
    one = Gap(8, name, one.centre_mm) if isinstance(one, Gap) and one.branch == "LM" and one.tree == 8 else one
    with pytest.raises(StructDiffError, match=words):
        with_breaks(a_good_mask, (one,))


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "crack"},
        {"kind": "gap", "tree": 8},
        {"kind": "gap", "tree": 8, "branch": "LAD", "centre_mm": 5, "length_mm": 400},
        {"kind": "speck", "tree": 8, "centre_ras_mm": [1, 2]},
    ],
)
def test_a_break_that_cannot_be_understood(given):
    with pytest.raises(StructDiffError):
        PartialRecipe.from_dict({"breaks": [given]})


def test_a_leak_that_declares_too_little_is_not_proved(a_good_mask):
    name = max(a_good_mask.trees[9].branches, key=lambda branch: branch.length_mm).name
    bad = with_breaks(a_good_mask, (Leak(9, name, 40.0, 1.0),))
    assert any("found by the topology engine" in line or "changed away" in line for line in bad.proof.broken)


def test_a_bridge_that_joins_nothing_is_not_proved(a_good_mask):
    name = a_good_mask.trees[8].branches[0].name
    bad = with_breaks(a_good_mask, (FalseBridge(8, name, 20.0, 8, name, 20.0),))
    assert any("topology after the declared breaks" in line for line in bad.proof.broken)
