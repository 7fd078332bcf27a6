"""A template finds its target: known motions are recovered, wrong pairs refused, real pairs reported."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from StructDiffCore.config.resources import shared_data_folder
from StructDiffCore.domain import CARDIAC, Geometry, ImageMaskPair, LabelMap, LabelScheme, StructDiffError, Template, Volume
from StructDiffCore.io.files import read_label_map, read_template
from StructDiffCore.preprocess.alignment import align_template
from StructDiffCore.preprocess.field_of_view import covered_by, filled_beyond

DATA = shared_data_folder()
needs_data = pytest.mark.skipif(DATA is None, reason="the folder of real scans is not beside this checkout")
BALLS = {
    1: ((-10, 5, -12), (38, 36, 42)),
    3: ((-12, 6, -14), (25, 24, 30)),
    2: ((-5, -30, 12), (22, 16, 18)),
    4: ((35, -12, 5), (18, 20, 25)),
    5: ((28, 20, -12), (24, 18, 26)),
    6: ((8, 5, 42), (13, 13, 30)),
}
"""A heart of ellipsoids: label -> centre and half axes (RAS+, mm); later ones lie on top."""


def heart_labels(world: np.ndarray) -> np.ndarray:
    """Labels at world positions (..., 3)."""
    labels = np.zeros(world.shape[:-1], np.uint8)
    for label, (centre, half_axes) in BALLS.items():
        labels[np.sum(((world - centre) / np.asarray(half_axes)) ** 2, axis=-1) < 1] = label
    return labels


def positions(grid: Geometry) -> np.ndarray:
    return grid.to_world(np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1))


def centred(size_mm: float, spacing, direction, centre) -> Geometry:
    """A cubic grid around a world position."""
    shape = tuple(int(size_mm / s) for s in spacing)
    origin = np.asarray(centre) - np.asarray(direction) @ ((np.asarray(shape) - 1) / 2 * spacing)
    return Geometry(shape, spacing, tuple(origin), direction)


def a_template(spacing=(1.5, 1.5, 1.5), size_mm=150.0) -> Template:
    grid = centred(size_mm, spacing, np.diag([-1.0, -1.0, 1.0]), (5, 0, 5))
    labels = heart_labels(positions(grid))
    image = Volume(np.where(labels > 0, 100.0 * labels, -100.0), grid)
    return Template(ImageMaskPair(image, LabelMap(labels, grid, CARDIAC)), "ellipsoids")


def target_under(motion: np.ndarray, spacing, direction, size_mm=150.0) -> LabelMap:
    """The heart as seen where ``motion`` leads from target world to template world."""
    centre = np.linalg.solve(motion[:3, :3], np.array((5, 0, 5)) - motion[:3, 3])
    grid = centred(size_mm, spacing, direction, centre)
    world = positions(grid) @ motion[:3, :3].T + motion[:3, 3]
    return LabelMap(heart_labels(world), grid, CARDIAC)


def motion_of(angles_deg, shift_mm, scales=(1.0, 1.0, 1.0)) -> np.ndarray:
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_euler("xyz", angles_deg, degrees=True).as_matrix() @ np.diag(scales)
    motion[:3, 3] = shift_mm
    return motion


def error_mm(found, motion: np.ndarray, target: LabelMap) -> float:
    """Mean distance between where the found and the true motion lead the labelled voxels."""
    points = positions(target.geometry)[target.voxels > 0][::37]
    difference = np.asarray(found) - motion
    return float(np.linalg.norm(points @ difference[:3, :3].T + difference[:3, 3], axis=1).mean())


angles = st.tuples(*[st.floats(-40, 40)] * 3)
shifts = st.tuples(*[st.floats(-150, 150)] * 3)


@given(angles, shifts, st.floats(1.4, 2.5), st.sampled_from([(1, 1, 1), (-1, 1, 1), (-1, -1, 1), (1, 1, -1)]))
@settings(max_examples=5, derandomize=True, deadline=None)
def test_a_rigid_motion_is_recovered_on_any_grid(angles_deg, shift, spacing, flips):
    direction = Rotation.from_euler("zyx", (15, -10, 25), degrees=True).as_matrix() @ np.diag(np.asarray(flips, float))
    motion = motion_of(angles_deg, shift)
    target = target_under(motion, (spacing, spacing, 1.3 * spacing), direction)
    report = align_template(a_template(), target).report
    assert error_mm(report.matrix, motion, target) < 1.0
    assert report.overall_overlap > 0.9


@given(angles, st.tuples(*[st.floats(0.85, 1.18)] * 3))
@settings(max_examples=4, derandomize=True, deadline=None)
def test_an_affine_motion_is_recovered(angles_deg, scales):
    motion = motion_of(np.multiply(angles_deg, 0.5), (20, -30, 10), scales)
    target = target_under(motion, (2.0, 2.0, 2.0), np.eye(3))
    report = align_template(a_template(), target).report
    assert error_mm(report.matrix, motion, target) < 1.5
    assert report.overall_overlap > 0.9


@pytest.mark.parametrize("angles_deg", [(0, 0, 175), (90, 0, 90), (120, 40, -60)])
def test_a_patient_lying_another_way_is_found_too(angles_deg):
    motion = motion_of(angles_deg, (10, 20, 30))
    target = target_under(motion, (2.0, 2.0, 2.0), np.eye(3))
    assert error_mm(align_template(a_template(), target).report.matrix, motion, target) < 1.5


def test_a_target_whose_field_of_view_cuts_the_heart_is_aligned():
    motion = motion_of((8, -5, 12), (15, -20, 25))
    whole = target_under(motion, (1.5, 1.5, 1.5), np.eye(3))
    lower = (slice(None), slice(None), slice(0, 50))
    grid = whole.geometry.cropped((0, 0, 0), (100, 100, 50))
    cut = LabelMap(whole.voxels[lower], grid, CARDIAC)
    assert error_mm(align_template(a_template(), cut).report.matrix, motion, cut) < 2.0


@pytest.fixture(scope="module")
def an_alignment():
    """A target 5 degrees and some centimetres away, and the template aligned to it."""
    target = target_under(motion_of((5, 0, 0), (30, 10, -20)), (2.0, 2.0, 2.0), np.eye(3))
    return target, align_template(a_template(), target)


def test_the_aligned_image_shows_the_template_under_the_target(an_alignment):
    target, aligned = an_alignment
    assert aligned.image.geometry.same_as(target.geometry)
    assert aligned.labels.geometry.same_as(target.geometry)
    for label in (2, 3, 6):
        core = (target.voxels == label) & (aligned.labels.voxels == label)
        assert np.median(aligned.image.voxels[core]) == pytest.approx(100 * label, abs=5)


def test_parts_may_share_one_template_label():
    grid = a_template().pair.geometry
    whole = np.isin(a_template().pair.mask.voxels, (1, 2, 3, 4, 5)).astype(int) + 2 * (a_template().pair.mask.voxels == 6)
    image = a_template().pair.image
    template = Template(ImageMaskPair(image, LabelMap(whole, grid, LabelScheme.from_values([1, 2]))), "whole heart")
    motion = motion_of((5, 8, -6), (12, 8, 30))
    target = target_under(motion, (2.0, 2.0, 2.0), np.eye(3))
    report = align_template(template, target, {1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 2}).report
    assert error_mm(report.matrix, motion, target) < 2.0
    assert set(report.overlap_after) == {1, 2}
    assert report.overlap_after[1] > 0.9 > report.overlap_before[1]


def test_beyond_the_template_stands_its_nearest_unlabelled_tissue():
    motion = motion_of((0, 0, 0), (0, 0, 0))
    target = target_under(motion, (2.0, 2.0, 2.0), np.eye(3), size_mm=220.0)
    aligned = align_template(a_template(), target)
    assert 0.2 < aligned.report.covered_grid < 0.5
    assert aligned.covered.mean() == pytest.approx(aligned.report.covered_grid, abs=0.02)
    np.testing.assert_allclose(aligned.image.voxels[~aligned.covered], -100, atol=1)
    assert not aligned.labels.voxels[~aligned.covered].any()


def test_the_covered_part_of_a_grid_is_counted_by_hand():
    source, target = Geometry((4, 4, 4)), Geometry((6, 4, 4), origin=(-1, 0, 0))
    covered = covered_by(source, target, np.eye(4))
    assert covered[:, 0, 0].tolist() == [False, True, True, True, True, False]


def test_filling_keeps_what_is_covered():
    grid = Geometry((20, 20, 20))
    voxels = np.random.default_rng(0).normal(50, 5, grid.shape).astype(np.float32)
    covered = np.zeros(grid.shape, bool)
    covered[:10] = True
    filled = filled_beyond(voxels, covered, covered, grid)
    np.testing.assert_array_equal(filled[:10], voxels[:10])
    assert filled[10:].min() > 20


def test_another_shape_is_refused_with_its_number_and_the_threshold():
    grid = a_template().pair.geometry
    world = positions(grid)
    labels = np.zeros(grid.shape, int)
    labels[np.abs(world[..., 0]) < 1.6] = 3
    labels[np.abs(world[..., 2] - 30) < 1.6] = 6
    with pytest.raises(StructDiffError, match=r"cannot be aligned.*(Dice 0\.\d\d.*0\.35 needed|scaled)"):
        align_template(a_template(), LabelMap(labels, grid, CARDIAC))


def test_the_threshold_is_the_callers():
    target = target_under(motion_of((0, 0, 0), (0, 0, 0)), (2.0, 2.0, 2.0), np.eye(3))
    with pytest.raises(StructDiffError, match=r"1\.10 needed"):
        align_template(a_template(), target, min_overlap=1.1)


def test_the_report_is_json_and_one_line(an_alignment):
    report = an_alignment[1].report
    document = json.loads(json.dumps(report.as_dict()))
    assert document["dice_overall"] > 0.9
    assert document["rotation_deg"] == pytest.approx(5, abs=0.5)
    assert "\n" not in report.line
    assert report.seconds > 0


@needs_data
def test_one_patients_two_scans_meet():
    """The same aorta cut out twice: nothing has to move."""
    template = read_template(DATA / "ts_aorta_cta_1p5mm_ct.nii.gz", DATA / "ts_aorta_cta_1p5mm_labels.nii.gz")
    target = read_label_map(DATA / "ts_thorax_cta_1p5mm_labels.nii.gz")
    report = align_template(template, target).report
    assert report.overall_overlap > 0.9
    assert report.shift_mm < 2.0


@needs_data
def test_a_modelled_heart_meets_a_real_one_without_chambers():
    template = read_template(DATA / "ts_thorax_cta_1p5mm_ct.nii.gz", DATA / "ts_thorax_cta_1p5mm_labels.nii.gz")
    target = read_label_map(DATA / "hra_VH_F_heart_coronary_labels_0p5mm.nii.gz")
    every = (slice(None, None, 3),) * 3
    i, j, k = target.voxels[every].shape
    grid = Geometry((i, j, k), (1.5, 1.5, 1.5), target.geometry.origin, target.geometry.direction)
    target = LabelMap(target.voxels[every], grid, target.scheme)
    report = align_template(template, target, {**dict.fromkeys(range(1, 9), 1), 9: 3, 10: 2}).report
    assert report.overlap_after[1] > 0.75
    assert report.overlap_before[1] < 0.1
