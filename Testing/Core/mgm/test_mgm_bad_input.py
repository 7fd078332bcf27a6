"""Bad input: one clear line each."""

import json

import numpy as np
import pytest
from mgm_hearts import a_toy

from StructDiffCore.cli.main import main
from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, LabelScheme, StructDiffError
from StructDiffCore.io.files import write_label_map
from StructDiffCore.mgm.edit_kinds import edit_from_dict
from StructDiffCore.mgm.generate import make_mask, new_masks
from StructDiffCore.mgm.recipe import PartialRecipe, Recipe
from StructDiffCore.mgm.reference import Reference
from StructDiffCore.mgm.repair import repaired
from StructDiffCore.mgm.warp import WarpRecipe


def refused(capsys, *arguments):
    """The one line that a command line is refused with; exit code 2."""
    assert main(["masks", *map(str, arguments)]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("structdiff: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.fixture
def a_file(tmp_path):
    write_label_map(a_toy()[0], tmp_path / "toy.nii.gz")
    return tmp_path / "toy.nii.gz"


def of_box(value=1, shape=(20, 20, 20), geometry=None):
    mask = np.zeros(shape, np.uint8)
    mask[4:-4, 4:-4, 4:-4] = value
    return LabelMap(mask, geometry or Geometry(shape), CARDIAC)


def test_count_zero(capsys, a_file, tmp_path):
    assert "0 masks" in refused(capsys, a_file, "--count", 0, "--out", tmp_path / "out")


def test_references_of_different_schemes(capsys, a_file, tmp_path):
    write_label_map(of_box(2), tmp_path / "other.nii.gz")
    assert "scheme" in refused(capsys, a_file, tmp_path / "other.nii.gz", "--out", tmp_path / "out")


def test_a_recipe_that_is_no_recipe(capsys, a_file, tmp_path):
    (tmp_path / "recipe.json").write_text(json.dumps({"wrap": {}}))
    assert "'wrap'" in refused(capsys, a_file, "--recipe", tmp_path / "recipe.json", "--out", tmp_path / "out")


def test_a_mask_of_one_value():
    full = LabelMap(np.ones((8, 8, 8), np.uint8), Geometry((8, 8, 8)), CARDIAC)
    with pytest.raises(StructDiffError, match="every voxel"):
        Reference.prepared(full, {})


def test_an_empty_mask():
    with pytest.raises(StructDiffError, match="empty"):
        Reference.prepared(LabelMap(np.zeros((8, 8, 8), np.uint8), Geometry((8, 8, 8)), CARDIAC), {})


def test_a_stenosis_of_120_percent():
    with pytest.raises(StructDiffError, match="120 %"):
        edit_from_dict({"kind": "stenosis", "tree": 8, "branch": "LAD", "percent_diameter": 120})


@pytest.mark.parametrize(
    "edit", [{"kind": "fold"}, {"kind": "prune", "tree": 8}, {"kind": "prune", "tree": 8, "brunch": "LAD"}, 3]
)
def test_an_edit_that_cannot_be_understood(edit):
    with pytest.raises(StructDiffError):
        PartialRecipe.from_dict({"edits": [edit]})


def test_a_contradictory_recipe():
    edits = [
        {"kind": "prune", "tree": 8, "branch": "D1"},
        {"kind": "stenosis", "tree": 8, "branch": "D1", "centre_mm": 5},
    ]
    with pytest.raises(StructDiffError, match="contradicts"):
        PartialRecipe.from_dict({"edits": edits})


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ({"kind": "prune", "tree": 8, "branch": "OM7"}, "no branch 'OM7'"),
        ({"kind": "prune", "tree": 8, "branch": "LAD"}, "root"),
        ({"kind": "prune", "tree": 9, "branch": "RCA"}, "no vessel label 9"),
    ],
)
def test_an_edit_of_what_is_not_there(edit, words):
    mask, trees = a_toy()
    recipe = PartialRecipe.from_dict({"edits": [edit]})
    with pytest.raises(StructDiffError, match=words):
        next(new_masks([Reference.prepared(mask, trees)], 1, fixed=recipe))


def test_a_vessel_edit_without_any_thin_label():
    recipe = Recipe.from_dict({"edits": [{"kind": "prune", "tree": 8, "branch": "D1"}]})
    with pytest.raises(StructDiffError, match="no vessel label"):
        make_mask([Reference.prepared(of_box(), {})], recipe)


def test_ten_thousand_fragments_are_refused_and_mended():
    dusty = np.zeros((60, 60, 60), np.uint8)
    dusty[2:-2:2, 2:-2:2, 2:-2:2] = 2
    dusty[20:40, 20:40, 20:40] = 2
    mask = LabelMap(dusty, Geometry(dusty.shape), CARDIAC)
    with pytest.raises(StructDiffError, match="not clean"):
        Reference.prepared(mask, {})
    whole, report = repaired(mask)
    assert report.labels[0].after == (1, 0, 0)
    assert 8000 <= (whole.voxels == 2).sum() < 10000


def test_a_label_that_touches_the_border_stays_whole():
    mask = np.zeros((24, 24, 24), np.uint8)
    mask[:, 6:18, 6:18] = 2
    reference = Reference.prepared(LabelMap(mask, Geometry((24, 24, 24), (2, 2, 2)), CARDIAC), {})
    assert make_mask([reference], Recipe(WarpRecipe(1, sd_mm=2.0))).proof.checks[0].holds


def test_one_voxel_structures_and_coarse_slices():
    mask = np.zeros((40, 40, 8), np.uint8)
    mask[8:32, 8:32, 2:6], mask[4, 4, 4] = 2, 4
    reference = Reference.prepared(LabelMap(mask, Geometry(mask.shape, (0.3, 0.3, 3.0)), CARDIAC), {})
    made = make_mask([reference], Recipe(WarpRecipe(1, sd_mm=0.0)))
    assert (made.mask.voxels == 4).sum() == 1


def test_labels_as_int64_and_as_floats_give_the_same_mask():
    made = [
        make_mask(
            [Reference.prepared(LabelMap(of_box().voxels.astype(kind), Geometry((20, 20, 20)), CARDIAC), {})],
            Recipe(WarpRecipe(1)),
        )
        for kind in (np.int64, np.float32)
    ]
    np.testing.assert_array_equal(made[0].mask.voxels, made[1].mask.voxels)


def test_labels_above_253_are_refused():
    mask = np.zeros((9, 9, 9), np.uint16)
    mask[3:6, 3:6, 3:6] = 300
    with pytest.raises(StructDiffError, match="300"):
        Reference.prepared(LabelMap(mask, Geometry((9, 9, 9)), LabelScheme.from_values([300])), {})
