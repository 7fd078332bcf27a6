"""The vessel graph and its frames."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from vessel_examples import a_fork, a_tube

from StructDiffCore.domain import StructDiffError
from StructDiffCore.vessels import Branch, VesselGraph
from StructDiffCore.vessels.frame import curved_frame
from StructDiffCore.vessels.graph import nearest_along
from StructDiffCore.vessels.polyline import arclength, resampled, simplified, smoothed


def test_a_fork_knows_its_lengths_tips_and_attachments():
    fork = a_fork()
    assert fork.length_mm == pytest.approx(62)
    assert fork.children == ((1,), (2,), ())
    assert_allclose(fork.attachments_mm, (0, 20, 10))
    assert_allclose(fork.tips, [(50, 0, 0), (30, 12, 0)], atol=1e-9)  # LM's end is no tip: the LAD goes on there
    assert_allclose(fork.root_mm, (0, 0, 0))


def test_the_path_to_a_branch_runs_from_the_ostium_to_its_end():
    path = a_fork().path_to("D1")
    assert path.length_mm == pytest.approx(20 + 10 + 12)
    assert_allclose(path.points_mm[[0, -1]], [(0, 0, 0), (30, 12, 0)], atol=1e-9)
    assert np.all(np.diff(path.arclength_mm) > 0.1)


def test_json_gives_the_same_tree_back():
    fork = a_fork()
    again = VesselGraph.from_dict(json.loads(json.dumps(fork.as_dict())))
    assert again.names == fork.names
    assert_allclose(again.root_mm, fork.root_mm)
    for one, other in zip(fork.branches, again.branches):
        assert (one.parent, one.generation) == (other.parent, other.generation)
        assert_allclose(one.points_mm, other.points_mm, rtol=0, atol=0)
        assert_allclose(one.radii_mm, other.radii_mm, rtol=0, atol=0)


def test_moving_a_tree_moves_its_root_and_keeps_its_joints():
    moved = a_fork().moved(lambda points: points @ np.diag([-1.0, 1, 1]) + (5, 0, 0))
    assert_allclose(moved.root_mm, (5, 0, 0))
    assert_allclose(moved.attachments_mm, (0, 20, 10))


@pytest.mark.parametrize(
    ("points", "radii", "fact"),
    [
        (np.zeros((1, 3)), [1.0], "points of shape"),
        (np.zeros((4, 2)), [1.0] * 4, "points of shape"),
        (np.zeros((2, 3)), [1.0] * 3, "radii"),
        (np.zeros((2, 3)), [1.0, -0.1], "negative or non-finite"),
        (np.full((2, 3), np.nan), [1.0, 1.0], "negative or non-finite"),
    ],
)
def test_a_bad_branch_cannot_be_born(points, radii, fact):
    with pytest.raises(StructDiffError, match=fact):
        Branch(points, radii, "LAD")


def test_a_tree_without_a_root_an_order_or_a_joint_is_refused():
    lm, far = a_tube(20.0), a_tube(10.0, start=(0, 5, 0), name="D1")
    with pytest.raises(StructDiffError, match="no root"):
        VesselGraph(())
    with pytest.raises(StructDiffError, match="has parent 1"):
        VesselGraph((lm, Branch(lm.points_mm, lm.radii_mm, "LAD", 1)))
    with pytest.raises(StructDiffError, match=r"starts 5\.00 mm away from its parent LM"):
        VesselGraph((lm, Branch(far.points_mm, far.radii_mm, "D1", 0)))
    with pytest.raises(StructDiffError, match="several branches named"):
        VesselGraph((lm, Branch(lm.points_mm, lm.radii_mm, "LM", 0)))
    with pytest.raises(StructDiffError, match="no branch 'RCA'"):
        a_fork().branch("RCA")
    with pytest.raises(StructDiffError, match="no vessel graph"):
        VesselGraph.from_dict({"edges": []})


def test_refining_keeps_every_old_point_and_the_radii_between():
    branch = Branch([(0, 0, 0), (3, 0, 0), (3, 1, 0)], [2.0, 1.0, 1.0], "LAD")
    fine = branch.refined(0.5)
    assert np.diff(fine.arclength_mm).max() <= 0.5 + 1e-9
    for point in branch.points_mm:
        assert np.linalg.norm(fine.points_mm - point, axis=1).min() < 1e-12
    assert fine.radius_at(1.5) == pytest.approx(1.5)


def test_the_nearest_point_on_a_branch_may_lie_between_its_points():
    along, gap = nearest_along(Branch([(0, 0, 0), (10, 0, 0)], [1, 1], "LM"), (4, 3, 0))
    assert (along, gap) == (pytest.approx(4), pytest.approx(3))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.floats(-2, 2), st.floats(0.3, 3), st.floats(2, 20))
def test_the_curved_frame_is_orthonormal_and_does_not_twist(pitch, turns, radius):
    angle = np.linspace(0, 2 * np.pi * turns, 400)
    helix = np.stack([radius * np.cos(angle), radius * np.sin(angle), pitch * angle], axis=1)
    frame = np.stack(curved_frame(helix), axis=1)
    assert_allclose(np.einsum("nij,nkj->nik", frame, frame), np.broadcast_to(np.eye(3), (400, 3, 3)), atol=1e-9)
    assert_allclose(np.linalg.det(frame), 1)
    # without twist the normal only turns with the tangent: its derivative has no part along the binormal
    twist = (np.diff(frame[:, 1], axis=0) * 0.5 * (frame[1:, 2] + frame[:-1, 2])).sum(axis=1)
    assert np.abs(twist[2:-2]).max() < 2e-3 * np.diff(angle)[0] + 1e-5


def test_the_frame_of_a_circle_in_a_plane_keeps_its_binormal():
    angle = np.linspace(0, np.pi, 100)
    circle = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    frame = curved_frame(circle, start_normal=(0, 0, 1))
    assert_allclose(frame.normal, np.broadcast_to((0, 0, 1), (100, 3)), atol=1e-9)


def test_smoothing_keeps_the_ends_and_straight_lines():
    line = np.linspace((0, 0, 0), (10, 5, 2), 41)
    assert_allclose(smoothed(line, 1.5), line, atol=1e-9)
    wobbly = line + np.random.default_rng(0).normal(0, 0.3, line.shape)
    smooth = smoothed(wobbly, 1.5)
    assert_allclose(smooth[[0, -1]], wobbly[[0, -1]])
    assert arclength(smooth)[-1] < arclength(wobbly)[-1]


def test_simplifying_moves_the_curve_by_no_more_than_told():
    angle = np.linspace(0, np.pi, 300)
    arc = np.stack([20 * np.cos(angle), 20 * np.sin(angle), 0 * angle], axis=1)
    keep = simplified(arc, 0.05)
    assert keep.sum() < 60
    dense = resampled(arc[keep], 0.02)
    assert np.abs(np.linalg.norm(dense, axis=1) - 20).max() <= 0.051
