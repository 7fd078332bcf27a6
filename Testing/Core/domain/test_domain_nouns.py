"""The nouns: what they hold, and that bad ones cannot be born."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from StructDiffCore.domain import (
    CARDIAC,
    ConfidenceMap,
    Geometry,
    ImageMaskPair,
    Label,
    LabelMap,
    LabelScheme,
    StructDiffError,
    Volume,
)

triples = st.tuples(*[st.floats(0.2, 5.0)] * 3)
points = st.tuples(*[st.floats(-300, 300)] * 3)


@st.composite
def geometries(draw):
    direction = Rotation.from_rotvec(draw(st.tuples(*[st.floats(-3, 3)] * 3))).as_matrix()
    if draw(st.booleans()):
        direction[:, 0] *= -1
    return Geometry(draw(st.tuples(*[st.integers(1, 40)] * 3)), draw(triples), draw(points), direction)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(geometries(), points)
def test_world_to_index_to_world_is_the_same_point(geometry, point):
    np.testing.assert_allclose(geometry.to_world(geometry.to_index(point)), point, atol=1e-6)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(geometries())
def test_the_affine_makes_the_geometry_again(geometry):
    assert Geometry.from_affine(geometry.shape, geometry.affine).same_as(geometry)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(geometries(), st.integers(0, 2), st.floats(0.01, 10))
def test_a_shifted_grid_is_never_the_same(geometry, axis, shift_mm):
    origin = list(geometry.origin)
    origin[axis] += shift_mm
    assert not Geometry(geometry.shape, geometry.spacing, tuple(origin), geometry.direction).same_as(geometry)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(geometries(), triples)
def test_another_spacing_keeps_the_corner_of_the_field_of_view(geometry, spacing):
    corner = (-0.5, -0.5, -0.5)
    np.testing.assert_allclose(geometry.with_spacing(spacing).to_world(corner), geometry.to_world(corner), atol=1e-6)


def test_a_crop_keeps_every_voxel_in_its_place():
    geometry = Geometry((10, 10, 10), (0.5, 1, 2), (3, 4, 5))
    np.testing.assert_allclose(geometry.cropped((2, 3, 4), (2, 2, 2)).to_world((1, 1, 1)), geometry.to_world((3, 4, 5)))


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        ({"spacing": (0, 1, 1)}, "spacing"),
        ({"spacing": (-1, 1, 1)}, "spacing"),
        ({"origin": (np.nan, 0, 0)}, "origin"),
        ({"direction": [[1, 0.2, 0], [0, 1, 0], [0, 0, 1]]}, "sheared"),
        ({"shape": (0, 3, 3)}, "shape"),
    ],
)
def test_a_bad_geometry_cannot_be_born(arguments, fact):
    with pytest.raises(StructDiffError, match=fact):
        Geometry(**{"shape": (3, 3, 3), **arguments})


def test_a_left_handed_direction_is_legal():
    assert Geometry((3, 3, 3), direction=((-1, 0, 0), (0, 1, 0), (0, 0, 1))).shape == (3, 3, 3)


GRID = Geometry((2, 2, 2))


@pytest.mark.parametrize(
    ("make", "fact"),
    [
        (lambda: Volume(np.full((2, 2, 2), np.nan), GRID), "8 NaN"),
        (lambda: Volume(np.zeros((2, 2)), GRID), "2 dimensions"),
        (lambda: Volume(np.zeros((2, 2, 3)), GRID), "shape"),
        (lambda: LabelMap(np.full((2, 2, 2), 1.5), GRID, CARDIAC), "fractions"),
        (lambda: LabelMap(np.full((2, 2, 2), 77), GRID, CARDIAC), "labels \\[77\\]"),
        (lambda: LabelMap(np.full((2, 2, 2), -1), GRID, CARDIAC), "from -1"),
        (lambda: ConfidenceMap(np.full((2, 2, 2), 1.2), GRID), "leaves"),
        (lambda: LabelScheme("twice", (Label(1, "a"), Label(1, "b"))), "twice"),
        (lambda: CARDIAC.named("spleen"), "spleen"),
    ],
)
def test_bad_nouns_cannot_be_born(make, fact):
    with pytest.raises(StructDiffError, match=fact):
        make()


def test_image_and_mask_on_two_grids_are_no_pair():
    mask = LabelMap(np.zeros((2, 2, 2)), Geometry((2, 2, 2), (1, 1, 1.1)), CARDIAC)
    with pytest.raises(StructDiffError, match="different grids"):
        ImageMaskPair(Volume(np.zeros((2, 2, 2)), GRID), mask)


def test_voxels_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        Volume(np.zeros((2, 2, 2)), GRID).voxels[0, 0, 0] = 1


def test_any_other_label_set_gets_a_scheme_of_its_own():
    scheme = LabelScheme.from_values([0, 3, 58])
    assert scheme.values == (3, 58)
    assert scheme[3].colour != scheme[58].colour
