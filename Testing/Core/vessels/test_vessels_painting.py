"""Painting trees onto grids: closed forms, brute force, any grid, topology."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from vessel_examples import a_fork, a_grid, a_left_tree, a_right_tree, a_tube

from StructDiffCore.domain import Geometry, StructDiffError
from StructDiffCore.topology.betti import Betti, betti_numbers
from StructDiffCore.vessels import Branch, VesselGraph, paint_distance, paint_lumen, paint_tree

ANY_SPACING = st.tuples(*[st.floats(0.35, 1.3)] * 3)
ANY_TURN = st.tuples(*[st.floats(-180, 180)] * 3)


def turned_grid(spacing, turn_deg, mirrored, size_mm=26.0, centre=(0, 0, 0)):
    direction = Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix() @ np.diag([-1 if mirrored else 1, 1, 1])
    shape = tuple(round(size_mm / s) for s in spacing)
    half = direction @ (0.5 * (np.array(shape) - 1) * spacing)
    return Geometry(shape, spacing, np.asarray(centre) - half, direction)


def voxel_centres(geometry):
    return geometry.to_world(np.indices(geometry.shape).reshape(3, -1).T)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(ANY_SPACING, ANY_TURN, st.booleans(), st.floats(0.5, 3.0))
def test_a_straight_capsule_has_its_closed_form_distance_on_any_grid(spacing, turn_deg, mirrored, radius):
    geometry = turned_grid(spacing, turn_deg, mirrored)
    tube = Branch([(-6, 1, 0), (6, -2, 3)], [radius, radius], "LM")
    distance, branch = paint_distance(VesselGraph((tube,)), geometry, 3.0)
    points, (a, b) = voxel_centres(geometry), tube.points_mm
    share = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    expected = np.linalg.norm(points - a - share[:, None] * (b - a), axis=1) - radius
    assert_allclose(distance.ravel(), np.minimum(expected, 3.0), atol=2e-5)
    assert_allclose(branch.ravel() >= 0, distance.ravel() < 3.0)


def test_a_tapered_capsule_is_the_union_of_its_spheres():
    geometry = a_grid(0.9, 30)
    cone = Branch([(-6, 0, 0), (6, 2, 1)], [3.0, 0.8], "LM")
    distance, _ = paint_distance(VesselGraph((cone,)), geometry, 4.0)
    share = np.linspace(0, 1, 4001)[:, None]
    spheres, radii = cone.points_mm[0] * (1 - share) + cone.points_mm[1] * share, 3.0 * (1 - share) + 0.8 * share
    points = voxel_centres(geometry)
    expected = np.min([np.linalg.norm(points - c, axis=1) - r for c, r in zip(spheres[::10], radii[::10])], axis=0)
    assert_allclose(distance.ravel(), np.minimum(expected, 4.0), atol=2e-3)


def test_one_end_may_swallow_the_other():
    swallowed = Branch([(0, 0, 0), (0.5, 0, 0)], [3.0, 1.0], "LM")
    distance, _ = paint_distance(VesselGraph((swallowed,)), a_grid(1.0, 15), 3.0)
    expected = np.linalg.norm(voxel_centres(a_grid(1.0, 15)), axis=1) - 3.0
    assert_allclose(distance.ravel(), np.minimum(expected, 3.0), atol=1e-5)


def test_a_grown_tree_agrees_with_brute_force():
    tree = a_left_tree(3)
    geometry = Geometry((45, 50, 40), (0.7, 0.6, 0.8), (-5, 15, 0))
    painted = paint_tree(tree, geometry, 3.0)
    fine = [branch.refined(0.05) for branch in tree.branches]
    points, radii = np.concatenate([b.points_mm for b in fine]), np.concatenate([b.radii_mm for b in fine])
    nearest = np.full(np.prod(geometry.shape), np.inf)
    order = np.digitize(radii, np.linspace(radii.min(), radii.max(), 100))  # thin shells of radius: a tree per shell
    voxels = voxel_centres(geometry)
    for shell in np.unique(order):
        chosen = order == shell
        gap, index = cKDTree(points[chosen]).query(voxels, distance_upper_bound=3.0 + radii[chosen].max())
        near = np.isfinite(gap)
        nearest[near] = np.minimum(nearest[near], gap[near] - radii[chosen][index[near]])
    assert (painted.distance_mm < 0).sum() > 300
    assert_allclose(painted.distance_mm.ravel(), np.minimum(nearest, 3.0), atol=0.03)


def test_the_volume_of_a_painted_cone_is_the_analytic_one():
    geometry, cone = a_grid(0.25, 30), a_tube(20.0, 3.0, 1.5, (1, 0.3, 0.2), (-10, -3, -2))
    volume = (paint_distance(VesselGraph((cone,)), geometry, 1.0)[0] < 0).sum() * geometry.voxel_volume_mm3
    frustum = np.pi * 20 / 3 * (3.0**2 + 3.0 * 1.5 + 1.5**2)
    caps = 2 / 3 * np.pi * (3.0**3 + 1.5**3)
    assert volume == pytest.approx(frustum + caps, rel=0.01)


def test_every_voxel_knows_its_branch_and_where_along_it_lies():
    geometry = Geometry((60, 30, 9), (1, 1, 1), (-4, -8, -4))
    painted = paint_tree(a_fork(), geometry, 3.0)
    index = np.array([(14, 9, 4), (44, 8, 5), (34, 16, 4)])  # world (10, 1, 0), (40, 0, 1), (30, 8, 0)
    branch, along, radius = painted.at(index)
    assert branch.tolist() == [0, 1, 2]
    assert_allclose(along, (10, 20, 8), atol=1e-6)
    assert_allclose(radius, (2.0, 1.5, 1.0))
    assert painted.branch[34, 16, 4] == 2
    assert painted.branch[0, 0, 0] == -1


def test_a_tree_outside_the_grid_leaves_it_untouched():
    far = Geometry((8, 9, 10), (1, 1, 1), (500, 0, 0))
    distance, branch = paint_distance(a_fork(), far, 4.0)
    assert np.all(distance == 4.0)
    assert np.all(branch == -1)
    assert not paint_lumen(a_fork(), far).mask.any()


def test_a_painting_reach_of_nothing_is_refused():
    with pytest.raises(StructDiffError, match="painting reach"):
        paint_distance(a_fork(), a_grid(), 0.0)


def test_a_crop_is_painted_as_the_whole_is():
    tree, whole = a_left_tree(1), a_grid(0.8)
    start, shape = (60, 70, 40), (40, 50, 45)
    part, _ = paint_distance(tree, whole.cropped(start, shape), 3.0)
    full, _ = paint_distance(tree, whole, 3.0)
    assert_allclose(part, full[60:100, 70:120, 40:85], atol=1e-5)


@pytest.mark.parametrize("spacing", [0.8, 0.5])
def test_the_lumen_of_every_tree_is_one_piece_without_loops(spacing):
    geometry = a_grid(spacing)
    for seed in range(5):
        for tree in (a_left_tree(seed), a_right_tree(seed)):
            lumen = paint_lumen(tree, geometry, 2.0)
            assert betti_numbers(lumen.mask) == Betti(1, 0, 0), (seed, tree.names)
            assert np.array_equal(lumen.mask, lumen.distance_mm < 0)
            raw = paint_distance(tree, geometry, 2.0)[0] < 0
            assert (raw != lumen.mask).sum() <= 0.01 * raw.sum()


def test_a_vessel_thinner_than_the_grid_still_holds_together():
    thread = VesselGraph((a_tube(20.0, 0.2, direction=(1, 0.7, 0.4), start=(-8, -6, -3)),))
    lumen = paint_lumen(thread, a_grid(1.0, 30))
    assert betti_numbers(lumen.mask) == Betti(1, 0, 0)
    assert betti_numbers(paint_distance(thread, a_grid(1.0, 30))[0] < 0) != Betti(1, 0, 0)


def test_a_ring_that_two_branches_would_close_stays_open():
    angle = np.linspace(0, 2 * np.pi, 200)
    ring = Branch(np.stack([10 * np.cos(angle), 10 * np.sin(angle), 0 * angle], axis=1), np.full(200, 1.0), "LM")
    geometry = a_grid(0.8, 30)
    assert betti_numbers(paint_distance(VesselGraph((ring,)), geometry)[0] < 0).b1 == 1
    assert betti_numbers(paint_lumen(VesselGraph((ring,)), geometry).mask) == Betti(1, 0, 0)


def test_a_vessel_that_leaves_a_grid_and_returns_is_two_pieces_of_it():
    angle = np.linspace(0, np.pi, 120)
    arch = Branch(np.stack([10 * np.cos(angle), 10 * np.sin(angle), 0 * angle], axis=1), np.full(120, 1.5), "LM")
    low_half = Geometry((40, 12, 10), (0.8,) * 3, (-16, -4, -4))
    assert betti_numbers(paint_lumen(VesselGraph((arch,)), low_half).mask) == Betti(2, 0, 0)


def test_forty_branches_are_painted_in_a_fraction_of_a_second():
    rng, trunk = np.random.default_rng(0), a_tube(90.0, 2.0, start=(-45, 0, 0))
    twigs = [a_tube(30.0, 1.0, 0.6, rng.normal(size=3), trunk.points_mm[4 * n + 8], f"S{n}") for n in range(40)]
    tree = VesselGraph((trunk, *(Branch(t.points_mm, t.radii_mm, t.name, 0, 1) for t in twigs)))
    geometry = Geometry((128,) * 3, (0.8,) * 3, (-51,) * 3)
    paint_distance(tree, geometry)  # compiles
    seconds = []
    for _ in range(3):
        began = time.process_time()
        paint_distance(tree, geometry)
        seconds.append(time.process_time() - began)
    assert min(seconds) < 0.3
