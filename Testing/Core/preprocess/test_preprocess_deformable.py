"""Deformable alignment: a known smooth motion is found, an exact fit is left alone, thin labels do not pull."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from StructDiffCore.domain import CARDIAC, Geometry, ImageMaskPair, LabelMap, Template, Volume
from StructDiffCore.io.itk_images import resampled
from StructDiffCore.preprocess.alignment import align_template

SHAPE = (64, 64, 64)
GRID = Geometry(SHAPE, (2.0, 2.0, 2.0), (-63.0, -63.0, -63.0))


def _world() -> np.ndarray:
    return GRID.to_world(np.moveaxis(np.indices(SHAPE), 0, -1))


def _labels(at: np.ndarray) -> np.ndarray:
    """A big ventricle, an atrium upon it, an aorta."""
    labels = np.zeros(at.shape[:-1], np.uint8)
    for label, centre, radius in ((3, (0, 0, -15), 26.0), (2, (0, 0, 25), 18.0), (6, (28, 5, 22), 9.0)):
        labels[np.linalg.norm(at - np.asarray(centre), axis=-1) < radius] = label
    return labels


def _bulged(at: np.ndarray, mm: float) -> np.ndarray:
    """Positions pulled inwards on the right side: what is drawn there bulges by about ``mm``."""
    weight = np.exp(-(((at - np.array((24.0, 0, -15))) / 18.0) ** 2).sum(-1))
    return at - mm * weight[..., None] * np.array((1.0, 0, 0))


def _template() -> Template:
    labels = _labels(_world())
    image = Volume(np.where(labels > 0, 100.0 * labels, -90.0).astype(np.float32), GRID)
    return Template(ImageMaskPair(image, LabelMap(labels, GRID, CARDIAC)), "balls")


def test_a_bulge_that_no_affine_motion_makes_is_followed():
    target = LabelMap(_labels(_bulged(_world(), 7.0)), GRID, CARDIAC)
    aligned = align_template(_template(), target)
    report = aligned.report
    assert 1 - report.overlap_deformed < 0.65 * (1 - report.overall_overlap)
    assert 2 < report.deformation_mm[1] < 12
    tissue = aligned.image.voxels[(target.voxels == 3) & (aligned.labels.voxels == 3)]
    assert np.median(tissue) == pytest.approx(300, abs=2)


def test_where_an_affine_motion_fits_nothing_is_displaced_much():
    motion = Rotation.from_euler("z", 6, degrees=True).as_matrix()
    target = LabelMap(_labels(_world() @ motion.T + (3, -4, 5)), GRID, CARDIAC)
    report = align_template(_template(), target).report
    assert report.overlap_deformed >= report.overall_overlap > 0.94
    assert report.deformation_mm[0] < 1.5


def test_the_report_tells_of_the_displacement():
    target = LabelMap(_labels(_bulged(_world(), 7.0)), GRID, CARDIAC)
    report = align_template(_template(), target).report
    assert report.as_dict()["dice_deformed"] == round(report.overlap_deformed, 4)
    assert f"{report.deformation_mm[1]:.1f}" in report.line


@settings(max_examples=15, derandomize=True, deadline=None)
@given(
    shift=st.tuples(*[st.floats(-4, 4)] * 3),
    angles=st.tuples(*[st.floats(-60, 60)] * 3),
    flip=st.sampled_from([(1, 1, 1), (-1, 1, 1), (1, -1, -1)]),
)
def test_a_constant_displacement_is_a_shift_on_any_grid(shift, angles, flip):
    """SimpleITK's affine resampling gives the answer: first x + d, then the matrix."""
    rng = np.random.default_rng(0)
    image = rng.normal(size=(20, 18, 16)).astype(np.float32)
    direction = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ np.diag(np.asarray(flip, float))
    source, target = Geometry(image.shape, (1.0, 1.2, 1.5)), Geometry((14, 14, 14), (1.0, 1.0, 1.0), (2.0, 2.0, 2.0), direction)
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("y", 12, degrees=True).as_matrix()
    grid = Geometry((30, 30, 30), (4.0, 4.0, 4.0), (-58.0, -58.0, -58.0))
    field = np.broadcast_to(np.reshape(shift, (3, 1, 1, 1)), (3, 30, 30, 30)).astype(np.float32)
    shifted = matrix.copy()
    shifted[:3, 3] = matrix[:3, :3] @ np.asarray(shift)
    one = resampled(image, source, target, sitk.sitkLinear, 0.0, matrix, (field, grid))
    other = resampled(image, source, target, sitk.sitkLinear, 0.0, shifted)
    np.testing.assert_allclose(one, other, atol=2e-4)
