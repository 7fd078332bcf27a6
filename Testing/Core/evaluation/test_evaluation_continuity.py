"""Continuity of trees in an image: the true rendering of a digital heart, and the same with a piece of vessel erased."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from StructDiffCore.domain import CARDIAC, Volume
from StructDiffCore.evaluation.continuity import (
    calibres,
    continuity_scores,
    scores_of,
    solid_values,
    surroundings_of,
    tree_continuity,
)
from StructDiffCore.phantom.appearance import draw_appearance
from StructDiffCore.phantom.formation import Rendering, render
from StructDiffCore.phantom.heart import Heart, digital_heart

PSF_MM = 0.7


@cache
def heart_and_rendering() -> tuple[Heart, Rendering]:
    heart = digital_heart(11, spacing_mm=1.0)
    rng = np.random.default_rng(11)
    return heart, render(heart, draw_appearance(rng), rng)


def erased(image: Volume, middle_mm: np.ndarray, reach_mm: float) -> Volume:
    """The image with fat all over a ball around a point."""
    index = np.stack(np.indices(image.voxels.shape), axis=-1)
    inside = np.linalg.norm(image.geometry.to_world(index) - middle_mm, axis=-1) < reach_mm
    share = ndimage.gaussian_filter(inside.astype(np.float32), 0.5)
    return Volume(image.voxels * (1 - share) - 80.0 * share, image.geometry)


def test_a_true_rendering_shows_its_vessels_from_ostium_to_tip() -> None:
    heart, shown = heart_and_rendering()
    for image in (shown.clean, shown.noisy):
        scores = continuity_scores(image, tuple(heart.trees.values()), PSF_MM, heart.mask)
        assert scores["visible share of centrelines"] > 0.98
        assert scores["unbroken branches"] > 0.9


def test_an_erased_piece_breaks_the_vessels_behind_it_only() -> None:
    heart, shown = heart_and_rendering()
    tree = heart.trees["left"]
    branch = tree.branch("LAD")
    usable = surroundings_of(heart.mask)
    before = tree_continuity(shown.clean, tree, PSF_MM, usable)
    after = tree_continuity(erased(shown.clean, branch.point_at(branch.length_mm - 12.0), 4.0), tree, PSF_MM, usable)
    assert before.paths["LAD"].unbroken
    assert after.paths["LAD"].longest_gap_mm == pytest.approx(8.0, abs=2.5)
    broken = [name for name, held in after.paths.items() if not held.unbroken]
    assert broken == ["LAD"]
    assert scores_of([after])["longest gap mm"] == after.paths["LAD"].longest_gap_mm


def test_thinner_vessels_are_told_apart_from_thicker_ones() -> None:
    heart, shown = heart_and_rendering()
    usable = surroundings_of(heart.mask)
    rows = calibres([tree_continuity(shown.clean, tree, PSF_MM, usable) for tree in heart.trees.values()])
    assert len(rows) >= 4
    radii = [row.apparent_radius_mm for row in rows]
    assert radii == sorted(radii)


def test_muscle_may_surround_a_vessel_and_blood_may_not() -> None:
    assert solid_values(CARDIAC) == (1,)
    heart, _ = heart_and_rendering()
    usable = surroundings_of(heart.mask)
    assert usable[heart.mask.voxels == 1].mean() > 0.5
    assert not usable[heart.mask.voxels == 3].any()
    assert not usable[heart.mask.voxels == 8].any()


def test_without_trees_there_is_no_score() -> None:
    heart, shown = heart_and_rendering()
    assert all(np.isnan(value) for value in continuity_scores(shown.clean, (), PSF_MM, heart.mask).values())
