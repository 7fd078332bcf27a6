"""Stenosis, ectasia and plaque."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from vessel_examples import a_fork, a_grid, a_left_tree, a_tube

from StructDiffCore.domain import Geometry, StructDiffError
from StructDiffCore.topology.betti import Betti, betti_numbers
from StructDiffCore.vessels import Branch, VesselGraph, paint_distance, paint_lumen
from StructDiffCore.vessels.lesions import Ectasia, Plaque, Stenosis


def a_single_tube():
    return VesselGraph((a_tube(30.0, 2.0, start=(-15, 0, 0)),))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.floats(0, 100), st.floats(3, 20), st.floats(10, 20))
def test_a_stenosis_takes_what_it_says_at_its_centre_and_nothing_beyond_its_ends(percent, length, centre):
    narrowed = Stenosis("LM", centre, length, percent).apply(a_single_tube()).branch("LM")
    assert narrowed.radius_at(centre) == pytest.approx(2.0 * (1 - percent / 100), abs=0.03)
    beyond = np.abs(narrowed.arclength_mm - centre) >= length / 2
    assert_allclose(narrowed.radii_mm[beyond], 2.0)
    quarter = narrowed.radius_at(centre + length / 4)  # cosine: half of the loss
    assert quarter == pytest.approx(2.0 * (1 - percent / 200), abs=0.05)


def test_a_stenosis_changes_its_branch_only_and_leaves_the_centreline():
    fork = a_fork()
    narrowed = Stenosis("LAD", 12.0, 8.0, 70).apply(fork)
    assert_allclose(narrowed.branch("D1").radii_mm, fork.branch("D1").radii_mm)
    assert_allclose(narrowed.attachments_mm, fork.attachments_mm)
    assert narrowed.branch("LAD").length_mm == pytest.approx(30)
    assert fork.branch("LAD").radii_mm.min() == 1.5


def test_an_ectasia_widens():
    wide = Ectasia("LAD", 15.0, 10.0, 50).apply(a_fork()).branch("LAD")
    assert wide.radius_at(15.0) == pytest.approx(2.25)
    assert wide.radius_at(4.0) == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("percent", "grade"), [(10, "minimal"), (25, "mild"), (50, "moderate"), (70, "severe"), (99, "severe"), (100, "occluded")]
)
def test_grades_follow_the_reporting_standard(percent, grade):
    assert Stenosis("LAD", 5.0, 5.0, percent).grade == grade


@pytest.mark.parametrize(
    ("lesion", "fact"),
    [
        (lambda: Stenosis("LAD", 10, 8, 120), "120 %"),
        (lambda: Stenosis("LAD", 10, 8, -5), "-5 %"),
        (lambda: Stenosis("LAD", 10, 8, float("nan")), "nan %"),
        (lambda: Stenosis("LAD", 10, 0, 50), "0 mm long"),
        (lambda: Ectasia("LAD", 10, 8, 500), "500 %"),
        (lambda: Plaque("LAD", 10, 8, 0, 400, 1), "400 degrees"),
        (lambda: Plaque("LAD", 10, 8, 0, 90, -1), "-1 mm thick"),
        (lambda: Plaque("LAD", 10, 8, 0, 90, 1, "golden"), "'golden'"),
        (lambda: Stenosis("RCA", 10, 8, 50).apply(a_fork()), "no branch 'RCA'"),
        (lambda: Stenosis("LAD", 31, 8, 50).apply(a_fork()), r"31 mm along LAD, which is 30\.0 mm long"),
        (lambda: Stenosis("LAD", -1, 8, 50).apply(a_fork()), "-1 mm along LAD"),
        (lambda: Plaque("D1", 40, 8, 0, 90, 1).paint(a_fork(), a_grid()), "40 mm along D1"),
    ],
)
def test_impossible_lesions_are_refused(lesion, fact):
    with pytest.raises(StructDiffError, match=fact):
        lesion()


def test_a_severe_stenosis_keeps_the_tree_whole_and_an_occlusion_cuts_it():
    geometry, tree = a_grid(0.5), a_left_tree(0)
    severe = Stenosis("LAD", 20.0, 10.0, 95).apply(tree)
    assert betti_numbers(paint_lumen(severe, geometry).mask) == Betti(1, 0, 0)
    occluded = Stenosis("LAD", 20.0, 20.0, 100).apply(tree)
    assert betti_numbers(paint_lumen(occluded, geometry).mask) == Betti(2, 0, 0)


def test_a_plaque_lies_outside_the_lumen_on_its_own_side():
    tube, geometry = a_single_tube(), a_grid(0.25, 34)
    plaque = Plaque("LM", 15.0, 10.0, 0.0, 120.0, 1.0)
    patch = plaque.paint(tube, geometry)
    inside = np.zeros(geometry.shape, bool)
    inside[patch.box] = patch.distance_mm < 0
    lumen, _ = paint_distance(tube, geometry)
    assert inside.any()
    assert not (inside & (lumen < 0)).any()
    assert lumen[inside].max() < 1.0
    where = geometry.to_world(np.argwhere(inside))
    assert np.abs(where[:, 0]).max() < 5.0
    angle = np.rad2deg(np.arctan2(where[:, 2], where[:, 1]))
    spread = np.abs((angle - np.rad2deg(np.angle(np.exp(1j * np.deg2rad(angle)).mean())) + 180) % 360 - 180)
    assert 45 < spread.max() < 61


def test_turning_a_plaque_by_half_a_turn_puts_it_on_the_other_side():
    tube, geometry = a_single_tube(), a_grid(0.25, 34)
    centres = []
    for angle in (0.0, 180.0):
        patch = Plaque("LM", 15.0, 10.0, angle, 90.0, 1.0).paint(tube, geometry)
        index = np.argwhere(patch.distance_mm < 0) + patch.start
        centres.append(geometry.to_world(index).mean(axis=0))
    assert_allclose(centres[0][1:], -centres[1][1:], atol=0.05)
    assert np.linalg.norm(centres[0][1:]) > 2.0


def test_the_ring_of_a_stenosis_fills_what_the_lumen_lost():
    tube, geometry = a_single_tube(), a_grid(0.2, 34)
    stenosis = Stenosis("LM", 15.0, 10.0, 60)
    narrowed = stenosis.apply(tube)
    lost = (paint_distance(tube, geometry)[0] < 0) & ~(paint_distance(narrowed, geometry)[0] < 0)
    patch = stenosis.plaque(tube).paint(narrowed, geometry)
    ring = np.zeros(geometry.shape, bool)
    ring[patch.box] = patch.distance_mm < 0
    overlap = 2 * (ring & lost).sum() / (ring.sum() + lost.sum())
    assert overlap > 0.85


def test_a_plaque_outside_the_grid_paints_nothing():
    patch = Plaque("LM", 15.0, 10.0, 0.0, 90.0, 1.0).paint(a_single_tube(), Geometry((8, 8, 8), origin=(300, 0, 0)))
    assert patch.distance_mm.size == 0


def test_a_plaque_at_a_branchs_end_and_on_a_curve_is_painted():
    angle = np.linspace(0, np.pi, 100)
    arch = Branch(np.stack([10 * np.cos(angle), 10 * np.sin(angle), 0 * angle], axis=1), np.full(100, 1.5), "LM")
    for centre in (0.0, 12.0, arch.length_mm):
        patch = Plaque("LM", centre, 6.0, 30.0, 150.0, 1.0).paint(VesselGraph((arch,)), a_grid(0.4, 30))
        assert (patch.distance_mm < 0).sum() > 20
