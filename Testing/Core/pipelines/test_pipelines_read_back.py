"""Read back: the shipped segmenter's mask of a true rendering is near the mask; other schemes are refused before any work."""

import numpy as np
import pytest

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, LabelScheme, StructDiffError
from StructDiffCore.phantom.appearance import draw_appearance
from StructDiffCore.phantom.formation import render
from StructDiffCore.phantom.heart import digital_heart
from StructDiffCore.pipelines.read_back import read_back, refuse_other_schemes


@pytest.fixture(scope="module")
def seen():
    heart = digital_heart(40, Geometry((96, 96, 96), (0.8, 0.8, 0.8), (-38.0, -38.0, -38.0)))
    rng = np.random.default_rng(0)
    return heart.mask, read_back(render(heart, draw_appearance(rng, "training"), rng).noisy, heart.mask)


def test_a_true_rendering_reads_as_its_mask(seen):
    mask, found = seen
    assert found.mask.geometry.same_as(mask.geometry)
    assert found.dice["myocardium"] > 0.8
    assert found.dice["left ventricle"] > 0.8
    assert min(found.dice["left coronary tree"], found.dice["right coronary tree"]) > 0.4


def test_each_vessel_is_of_the_tree_that_was_asked_for_there(seen):
    mask, found = seen
    for value in CARDIAC.thin_values:
        there = found.mask.voxels == value
        assert not (there & np.isin(mask.voxels, [v for v in CARDIAC.thin_values if v != value])).any()


def test_what_it_saw_is_told_with_its_worth(seen):
    told = seen[1].as_dict()
    assert set(told) == {"segmenter_sha256", "dice", "topology", "worth"}
    assert "digital hearts only" in told["worth"]


def test_masks_of_other_schemes_are_refused():
    mask = LabelMap(np.ones((4, 4, 4), np.uint8), Geometry((4, 4, 4)), LabelScheme.from_values([1]))
    with pytest.raises(StructDiffError, match="knows the cardiac labels"):
        refuse_other_schemes(mask)
