"""The painted prior: partial volume of thin vessels, their walls, edges without stairs, no lung against a vessel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from StructDiffCore.models.composite import composite_slots
from StructDiffCore.models.painted_prior import paint_prior
from StructDiffCore.models.pseudo_labels import PSEUDO_BASE, PSEUDO_NAMES
from StructDiffCore.models.region_code import RegionCode
from StructDiffCore.models.vessel_surroundings import SHEATH_MM, WALL_MM, runs_in, sheath, wall_share

few = settings(max_examples=20, derandomize=True, deadline=None)
AIR, LUNG, FAT, SOFT = (PSEUDO_NAMES.index(name) for name in ("air", "lung", "fat", "soft tissue"))


def _tube(radius_mm: float, spacing_mm: float, size: int = 33, slope: float = 0.0, shift: float = 0.0) -> np.ndarray:
    """A straight tube (i, j, k) along k, leaning towards i."""
    i, j, k = np.indices((size, size, size)) - size // 2
    return np.hypot((i - shift - slope * k) / np.hypot(1, slope), j) * spacing_mm <= radius_mm


def _ball(radius: float, size: int = 41) -> tuple[np.ndarray, np.ndarray]:
    """A ball's mask and every voxel's distance to its surface, in voxels."""
    distance = np.linalg.norm(np.indices((size,) * 3) - size // 2 - 0.3, axis=0) - radius
    return distance <= 0, distance


@few
@given(slope=st.floats(-0.6, 0.6), shift=st.floats(-0.5, 0.5))
def test_a_wall_has_its_thickness_in_any_direction(slope, shift):
    """Area of wall and lumen together in a slice across, against the circle's; a jagged mask costs some percent."""
    spacing, radius = 0.4, 2.0
    lumen = _tube(radius, spacing, 41, slope, shift)
    share = wall_share(lumen, spacing_mm=(spacing,) * 3)
    assert not share[lumen].any()
    middle = slice(15, 26)
    area = share[..., middle].sum() * spacing**2 / 11
    ring = np.pi * ((radius + WALL_MM) ** 2 - radius**2) * np.hypot(1, slope)
    assert area == pytest.approx(ring, rel=0.13)


def test_a_wall_is_laid_where_it_is_darker_only():
    labels = np.where(_tube(1.2, 0.8), 2, 0)
    labels[:16][labels[:16] == 0] = 1
    wall = wall_share(labels == 2, (0.8,) * 3)
    prior = paint_prior(labels, {0: -100.0, 1: 120.0, 2: 400.0}, (0.8,) * 3, 0.3, thin=(2,), wall=wall, wall_hu=50.0)
    bare = paint_prior(labels, {0: -100.0, 1: 120.0, 2: 400.0}, (0.8,) * 3, 0.3, thin=(2,))
    assert (prior - bare)[18, 16, 16] > 100, "in fat there is a wall"
    assert abs((prior - bare)[13, 16, 16]) < 5, "muscle is brighter than a wall"


def test_a_thin_vessel_keeps_its_contrast_whatever_the_voxels():
    """The paint's excess summed over a slice is area times contrast: partial volume, no loss."""
    lumen = _tube(0.9, 0.8)
    prior = paint_prior(lumen.astype(int), {0: -100.0, 1: 400.0}, (0.8,) * 3, 0.5, thin=(1,))
    assert (prior + 100)[..., 16].sum() == pytest.approx(500 * lumen[..., 16].sum(), rel=1e-3)


@few
@given(radius=st.floats(9.0, 14.0), softness=st.floats(0.3, 1.2))
def test_edges_are_as_soft_as_the_point_spread_and_have_no_stairs(radius, softness):
    """Against the exact edge of a ball, an error function of the distance: nearest-voxel paint is off by half a voxel's step."""
    ball, distance = _ball(radius)
    prior = paint_prior(ball.astype(int), {0: 0.0, 1: 1.0}, (1.0,) * 3, softness)
    near = np.abs(distance) < 2.5
    exact = 0.5 * (1 - special.erf(distance / (np.sqrt(2) * softness)))
    stairs = np.sqrt(np.mean((ball[near] - exact[near]) ** 2))
    assert np.sqrt(np.mean((prior[near] - exact[near]) ** 2)) < 0.09
    assert softness > 1.0 or np.sqrt(np.mean((prior[near] - exact[near]) ** 2)) < 0.6 * stairs


def _codes(thin_hu: float = 300.0) -> dict[int, RegionCode]:
    return {
        1: RegionCode(thin_hu, thin_hu, thin_hu, thin=True, known=True),
        PSEUDO_BASE + LUNG: RegionCode(-820.0, -900.0, -700.0, pseudo=True, known=True),
        PSEUDO_BASE + FAT: RegionCode(-95.0, -120.0, -70.0, pseudo=True, known=True),
    }


def _slots(template_pseudo: int, template_labels: np.ndarray):
    vessel = _tube(1.0, 0.8).astype(np.uint8)
    pseudo = np.full(vessel.shape, PSEUDO_BASE + template_pseudo, np.int32)
    return vessel, composite_slots(vessel, template_labels, pseudo, _codes(), None, thin_values=(1,), spacing_mm=(0.8, 0.8, 0.8))


def test_no_lung_lies_against_a_coronary():
    vessel, slots = _slots(LUNG, np.zeros((33, 33, 33), np.uint8))
    near = sheath(vessel > 0, (0.8,) * 3)
    painted = np.asarray(slots.medians)[slots.target]
    assert set(painted[near]) == {-95.0}
    assert set(painted[~near & (vessel == 0)]) == {-820.0}


def test_a_vessel_of_the_lung_stays_in_lung():
    vessel = _tube(1.0, 0.8).astype(np.uint8)
    _, slots = _slots(LUNG, vessel)
    assert set(np.asarray(slots.medians)[slots.target[vessel == 0]]) == {-820.0}


def test_the_sheath_reaches_two_millimetres_beyond_the_wall():
    point = np.zeros((33, 33, 33), bool)
    point[16, 16, 16] = True
    reached = np.argwhere(sheath(point, (0.5,) * 3)) - 16
    assert 0.5 * np.linalg.norm(reached, axis=1).max() == pytest.approx(WALL_MM + SHEATH_MM, abs=0.5)


def test_what_a_vessel_runs_in_is_what_most_of_its_surroundings_are():
    vessel, some = _tube(1.0, 0.8), np.zeros((33, 33, 33), bool)
    some[17:] = True
    everything = ~vessel
    assert runs_in(vessel, everything, everything, (0.8,) * 3)
    assert not runs_in(vessel, some & (np.indices(some.shape)[1] > 16), everything, (0.8,) * 3)
