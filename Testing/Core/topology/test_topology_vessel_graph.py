"""Vessel graphs: drawn vessels, the digital heart's known trees, a real coronary tree with its own centrelines."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from StructDiffCore.config.resources import shared_data_folder
from StructDiffCore.domain import Geometry, Label, LabelMap, LabelScheme
from StructDiffCore.io.files import read_label_map
from StructDiffCore.io.schemes import load_scheme
from StructDiffCore.measures.branches import branch_recall
from StructDiffCore.phantom.heart import digital_heart
from StructDiffCore.topology.betti import betti_numbers
from StructDiffCore.topology.depth import depth_mm
from StructDiffCore.topology.report import topology_report
from StructDiffCore.topology.runs import LabelRuns, runs_of
from StructDiffCore.topology.skeleton import skeleton_graph
from StructDiffCore.topology.thinning import centreline
from StructDiffCore.topology.tracing import Source, trace

SPACING = (0.5, 0.5, 0.5)
EXAMPLES = Path(__file__).parents[2] / "Examples"


def tubes(shape, spacing, *lines):
    """Voxels within a radius of line segments, all in mm: (start, stop, radius)."""
    points = np.stack(np.indices(shape), axis=-1) * np.asarray(spacing)
    solid = np.zeros(shape, bool)
    for start, stop, radius in lines:
        start, axis = np.asarray(start, float), np.subtract(stop, start)
        share = np.clip(((points - start) @ axis) / (axis @ axis), 0, 1)
        solid |= np.linalg.norm(points - start - share[..., None] * axis, axis=-1) <= radius
    return solid


def a_fork(spacing=SPACING, shape=(80, 60, 60)):
    stem = ((5, 15, 15), (20, 15, 15), 2.0)
    return tubes(shape, spacing, stem, ((20, 15, 15), (35, 25, 15), 1.5), ((20, 15, 15), (35, 5, 18), 1.0))


def traced(solid, spacing=SPACING, source=None):
    return trace(runs_of(solid), Geometry(solid.shape, spacing), source)


def test_the_depth_of_voxels_is_their_distance_to_the_background():
    from scipy.ndimage import distance_transform_edt

    for solid, spacing in ((a_fork(), SPACING), (np.ones((45, 40, 42), bool), (0.3, 0.5, 0.4))):
        voxels = np.argwhere(solid)
        wanted = distance_transform_edt(np.pad(solid, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
        np.testing.assert_allclose(depth_mm(solid.view(np.uint8), voxels, spacing), wanted[solid], rtol=1e-5)


def test_the_skeletons_multigraph_has_as_many_cycles_as_the_structure_has_loops():
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(2)
    seen = 0
    for _ in range(60):
        noise = gaussian_filter(rng.normal(size=rng.integers(5, 22, 3)), 1.2)
        blob = noise > np.quantile(noise, rng.uniform(0.3, 0.9))
        betti = betti_numbers(blob)
        if betti.b2 == 0:
            thin = centreline(blob)
            assert skeleton_graph(np.argwhere(thin), thin.shape).loop_count() == betti.b1
            seen += betti.b1 > 0
    assert seen > 10


def test_a_fork_has_one_root_two_tips_and_its_lengths_and_radii():
    graph = traced(a_fork())
    assert len(graph.ends) == 3
    assert graph.root_rule == "thickest end"
    assert np.linalg.norm(graph.nodes[graph.root].position_mm - (5, 15, 15)) <= 2.1  # inside the rounded end
    tips = graph.tips[np.argsort(graph.tips[:, 1])]
    assert np.linalg.norm(tips - [(35, 5, 18), (35, 25, 15)], axis=1).max() <= 1.6  # inside the rounded end
    stem, *daughters = graph.segments
    assert stem.mean_radius_mm == pytest.approx(2.0, abs=0.15)
    assert sorted(daughter.parent for daughter in daughters) == [0, 0]
    assert sorted(round(d.radii_mm[len(d.radii_mm) // 2], 1) for d in daughters) == pytest.approx([1.0, 1.5], abs=0.15)
    assert graph.length_mm == pytest.approx(15 + np.hypot(15, 10) + np.sqrt(15**2 + 10**2 + 3**2), rel=0.06)
    assert stem.tortuosity == pytest.approx(1.0, abs=0.03)


def test_the_grid_does_not_change_the_vessel():
    coarse, fine = (traced(a_fork((s, s, 0.6), (int(40 / s), int(30 / s), 50)), (s, s, 0.6)) for s in (0.6, 0.4))
    assert len(coarse.ends) == len(fine.ends) == 3
    assert coarse.length_mm == pytest.approx(fine.length_mm, rel=0.05)
    assert coarse.segments[0].mean_radius_mm == pytest.approx(fine.segments[0].mean_radius_mm, abs=0.1)


def test_a_bump_on_the_wall_is_no_branch():
    bumpy = a_fork()
    bumpy[20:22, 33:36, 29:32] = True
    assert len(traced(bumpy).ends) == 3


def test_the_root_is_where_the_vessel_leaves_its_source():
    voxels = a_fork().astype(np.uint8)
    voxels[60:, 40:, :] = 2  # at the thicker daughter's end
    runs = LabelRuns.of(voxels)
    geometry = Geometry(voxels.shape, SPACING)
    graph = trace(runs.of_value(1), geometry, Source("aorta", runs.of_value(2)))
    assert graph.root_rule == "contact"
    assert np.linalg.norm(graph.nodes[graph.root].position_mm - (30, 21.5, 15)) < 2.0
    assert len(graph.ends) == 3


@pytest.mark.parametrize("shape", [(15, 2, 2), (15, 3, 3), (15, 4, 4), (15, 5, 5), (30, 6, 6), (20, 4, 6)])
def test_a_straight_bar_of_any_width_keeps_its_length(shape):
    for turned in (shape, shape[1:] + shape[:1], (shape[1], shape[0], shape[2])):
        graph = traced(np.ones(turned, bool), (1.0, 1.0, 1.0))
        assert len(graph.ends) == 2
        assert graph.length_mm >= max(shape) - max(shape[1:]) - 2


def test_a_ring_on_a_stem_is_a_loop_of_the_graph():
    lines = [((5, 15, 15), (12, 15, 15), 1.2)]
    corners = [(12, 15, 15), (20, 22, 15), (28, 15, 15), (20, 8, 15), (12, 15, 15)]
    lines += [(a, b, 1.2) for a, b in itertools.pairwise(corners)]
    graph = traced(tubes((70, 60, 60), SPACING, *lines))
    assert sum(segment.closes_loop for segment in graph.segments) == 1
    assert len(graph.ends) == 1


def test_one_voxel_is_one_node_without_segments():
    solid = np.zeros((5, 5, 5), bool)
    solid[2, 2, 2] = True
    graph = traced(solid)
    assert (len(graph.nodes), len(graph.segments), graph.root) == (1, 0, 0)


def sampled(segments):
    points, radii = [], []
    for one in segments:
        at = np.arange(0, one.arclength_mm[-1], 0.1)
        points.append(np.stack([np.interp(at, one.arclength_mm, one.points_mm[:, a]) for a in range(3)], axis=1))
        radii.append(np.interp(at, one.arclength_mm, one.radii_mm))
    return np.concatenate(points), np.concatenate(radii)


@pytest.fixture(scope="module")
def a_digital_heart():
    heart = digital_heart(3)
    return heart, topology_report(heart.mask)


@pytest.mark.parametrize(("side", "value"), [("left", 8), ("right", 9)])
def test_the_digital_hearts_tips_and_radii_are_found(a_digital_heart, side, value):
    heart, report = a_digital_heart
    truth, graph = heart.trees[side], report.of_label(value).graph
    assert len(graph.tips) == len(truth.tips)
    assert cKDTree(graph.tips).query(truth.tips)[0].max() < 2.0
    points, radii = sampled(truth.branches)
    lift = np.sqrt(radii.max() ** 2 - radii**2)  # the nearest tube, not the nearest axis
    found, measured = sampled(graph.segments)
    nearest = cKDTree(np.column_stack([points, lift])).query(np.column_stack([found, np.zeros(len(found))]))[1]
    assert np.abs(measured - radii[nearest]).mean() <= 0.2
    assert np.linalg.norm(found - points[nearest], axis=1).mean() <= 0.4


def test_the_digital_hearts_main_vessels_get_their_names(a_digital_heart):
    heart, report = a_digital_heart
    for value, side, names in ((8, "left", ("LAD", "LCx")), (9, "right", ("RCA",))):
        for name in names:
            mine = [s for s in report.of_label(value).graph.segments if s.name == name]
            assert mine
            points, _ = sampled([heart.trees[side].branch(name)])
            outer = np.concatenate([s.points_mm[len(s.points_mm) // 2 :] for s in mine])
            assert np.median(cKDTree(points).query(outer)[0]) < 1.0


def test_a_tree_finds_all_its_own_branches_and_none_without_them(a_digital_heart):
    graph = a_digital_heart[1].of_label(8).graph
    assert all(branch.found for branch in branch_recall(graph, graph, 0.8))
    empty = type(graph)()
    assert not any(branch.found for branch in branch_recall(graph, empty, 0.8))


NARCO = load_scheme(EXAMPLES / "scheme-narco119.json")


@pytest.fixture(scope="module")
def a_real_tree():
    folder = shared_data_folder()
    if folder is None:
        pytest.skip("the shared data folder is absent")
    mask = read_label_map(folder / "coronary_narco119_aorta1_lca2_rca3_0p4mm.nii.gz", NARCO)
    return folder, mask, topology_report(mask)


def test_a_real_tree_reads_as_one_line(a_real_tree):
    lines = a_real_tree[2].lines()
    assert lines[0].startswith("left coronary tree: 1 piece, 0 loops, 13 ends")
    assert lines[1] == "right coronary tree: 1 piece, 0 loops, 6 ends"


def test_a_real_trees_free_tips_are_those_its_pictures_show(a_real_tree):
    """The left label also holds a sheet on the aortic wall; its ends (not the tree's) depend on the order of thinning."""
    _, mask, report = a_real_tree
    aorta = cKDTree(mask.geometry.to_world(np.argwhere(mask.voxels == 1)))
    for value in (2, 3):
        tips = report.of_label(value).graph.tips
        assert (aorta.query(tips)[0] > 1.2).sum() == 5


@pytest.mark.parametrize(("value", "name"), [(2, "lca"), (3, "rca")])
def test_a_real_trees_own_centrelines_lie_within_half_a_voxel(a_real_tree, value, name):
    folder, mask, report = a_real_tree
    theirs = np.loadtxt(folder / f"coronary_narco119_centerline_{name}.csv", delimiter=",") * (-1, -1, 1)
    index = np.rint(mask.geometry.to_index(theirs)).astype(int)
    on_grid = np.all((index >= 0) & (index < mask.geometry.shape), axis=1)
    theirs, index = theirs[on_grid], index[on_grid]
    inside = mask.voxels[tuple(index.T)] == value
    ours, _ = sampled(report.of_label(value).graph.segments)
    assert cKDTree(ours).query(theirs[inside])[0].mean() <= 0.2


def test_no_label_is_traced_that_is_not_thin():
    voxels = a_fork().astype(np.uint8)
    report = topology_report(LabelMap(voxels, Geometry(voxels.shape, SPACING), LabelScheme("one", (Label(1, "blob"),))))
    assert report.of_label(1).graph is None
    assert report.lines() == ["blob: 1 piece, 0 loops, 0 cavities"]
