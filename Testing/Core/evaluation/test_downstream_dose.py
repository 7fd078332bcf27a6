"""Dose: exactly the asked share of the vessels' length loses its contrast, and nothing else changes."""

import numpy as np
import pytest

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, Volume
from StructDiffCore.evaluation.downstream.dose import lost_part, lost_voxels, shuffled_stretches, without_evidence
from StructDiffCore.vessels.graph import Branch, VesselGraph

GRID = Geometry((80, 48, 48), (0.8, 0.8, 0.8))
VESSEL_HU, FAT_HU, MUSCLE_HU = 400.0, -80.0, 110.0


def a_scene():
    """Two straight vessels in fat, one of them along a block of myocardium: labels, trees and a noise-free picture."""
    at = GRID.to_world(np.moveaxis(np.indices(GRID.shape), 0, -1))
    labels = np.zeros(GRID.shape, np.uint8)
    labels[:, 30:, :] = 1
    trees = {}
    for value, (y, z), name in ((8, (12.0, 12.0), "LAD"), (9, (22.0, 28.0), "RCA")):
        labels[(np.hypot(at[..., 1] - y, at[..., 2] - z) < 1.5) & (at[..., 0] > 4) & (at[..., 0] < 58)] = value
        along = np.linspace(4, 58, 55)
        points = np.column_stack([along, np.full(55, y), np.full(55, z)])
        trees[value] = VesselGraph((Branch(points, np.full(55, 1.5), name, None),), points[0])
    image = np.select([labels >= 8, labels == 1], [VESSEL_HU, MUSCLE_HU], FAT_HU)
    return LabelMap(labels, GRID, CARDIAC), trees, Volume(image, GRID)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 1.0])
def test_stretches_make_up_exactly_the_share_of_the_length(share):
    _, trees, _ = a_scene()
    pieces = shuffled_stretches(trees, np.random.default_rng(0))
    total = sum(tree.length_mm for tree in trees.values())
    assert sum(piece.length_mm for piece in pieces) == pytest.approx(total)
    assert sum(piece.length_mm for piece in lost_part(pieces, share)) == pytest.approx(share * total)


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_that_share_of_the_centrelines_lost_its_contrast_and_the_rest_kept_every_bit(share):
    target, trees, clean = a_scene()
    lost = lost_part(shuffled_stretches(trees, np.random.default_rng(1)), share)
    gone = lost_voxels(target, trees, lost)
    image = without_evidence(clean, target, gone)
    points = np.concatenate([tree.branches[0].point_at(np.arange(0.5, 53.5, 0.1)) for tree in trees.values()])
    index = tuple(np.rint(GRID.to_index(points)).astype(int).T)
    contrast = image.voxels[index] - FAT_HU
    assert (contrast < 0.5 * (VESSEL_HU - FAT_HU)).mean() == pytest.approx(share, abs=0.02)
    far = np.abs(image.voxels - clean.voxels) > 0
    vessel = target.voxels >= 8
    np.testing.assert_array_equal(far & vessel, gone)
    assert image.voxels[gone].max() <= MUSCLE_HU + 1


def test_a_larger_dose_takes_away_all_that_a_smaller_one_does():
    target, trees, _ = a_scene()
    pieces = shuffled_stretches(trees, np.random.default_rng(2))
    small, large = (lost_voxels(target, trees, lost_part(pieces, share)) for share in (0.1, 0.3))
    assert (large | ~small).all()
    assert large.sum() > 2 * small.sum() > 0


def test_no_dose_changes_nothing():
    target, trees, clean = a_scene()
    gone = lost_voxels(target, trees, lost_part(shuffled_stretches(trees, np.random.default_rng(3)), 0.0))
    assert without_evidence(clean, target, gone) is clean
