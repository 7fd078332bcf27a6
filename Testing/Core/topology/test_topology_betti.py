"""Betti numbers against gudhi, scikit-image and cases that can be counted by eye."""

import numpy as np
import pytest
from skimage.measure import euler_number as skimage_euler_number

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap
from StructDiffCore.topology.betti import Betti, betti_by_faces, betti_numbers, euler_number
from StructDiffCore.topology.report import contact_patches, topology_report
from StructDiffCore.topology.runs import LabelRuns, runs_of


def a_block(shape=(5, 5, 5)):
    structure = np.zeros((9, 9, 9), bool)
    structure[2 : 2 + shape[0], 2 : 2 + shape[1], 2 : 2 + shape[2]] = True
    return structure


def test_a_block_a_ring_and_a_shell_are_what_they_look_like():
    ring, shell = a_block((5, 5, 1)), a_block()
    ring[3:6, 3:6, 2] = False
    shell[3:6, 3:6, 3:6] = False
    assert betti_numbers(a_block()) == Betti(1, 0, 0)
    assert betti_numbers(ring) == Betti(1, 1, 0)
    assert betti_numbers(shell) == Betti(1, 0, 1)


def test_two_blocks_that_meet_in_a_corner_are_one_piece():
    structure = np.zeros((4, 4, 4), bool)
    structure[:2, :2, :2] = structure[2:, 2:, 2:] = True
    assert betti_numbers(structure) == Betti(1, 0, 0)


def test_an_empty_structure_has_no_topology():
    assert betti_numbers(np.zeros((4, 4, 4), bool)) == Betti(0, 0, 0)


def random_structures(count, largest=8):
    rng = np.random.default_rng(7)
    for _ in range(count):
        yield rng.random(rng.integers(3, largest + 1, 3)) < rng.uniform(0.05, 0.95)


def test_the_euler_number_equals_scikit_images():
    for structure in random_structures(100):
        if structure.any():
            assert euler_number(runs_of(structure)) == skimage_euler_number(np.pad(structure, 1), connectivity=3)


def gudhi_betti(structure, carriers):
    """Betti numbers of a cubical complex whose cubes (26-connected) or vertices (6-connected) are the voxels."""
    gudhi = pytest.importorskip("gudhi")
    cells = gudhi.CubicalComplex(**{carriers: np.where(np.pad(structure, 1), 0.0, 1.0)})
    cells.compute_persistence()
    return Betti(*([*cells.persistent_betti_numbers(0.0, 0.5), 0, 0, 0])[:3])


def test_betti_numbers_equal_gudhis_on_random_volumes():
    for structure in random_structures(600, largest=12):
        assert betti_numbers(structure) == gudhi_betti(structure, "top_dimensional_cells")


def test_betti_numbers_by_faces_equal_gudhis_on_random_volumes():
    for structure in random_structures(150):
        if structure.any():
            assert betti_by_faces(runs_of(structure)) == gudhi_betti(structure, "vertices")


def test_runs_hold_exactly_the_voxels_of_each_label():
    rng = np.random.default_rng(3)
    for dtype in (np.uint8, np.uint16, np.int64):
        voxels = rng.integers(0, 4, (5, 6, 7)).astype(dtype)
        runs = LabelRuns.of(voxels)
        everywhere = (slice(0, 5), slice(0, 6), slice(0, 7))
        for value in (1, 2, 3):
            assert np.array_equal(runs.of_value(value).painted(everywhere), voxels == value)
        assert np.array_equal(runs.of_value(1, 3).painted(everywhere), np.isin(voxels, (1, 3)))


def test_an_update_inside_a_box_equals_a_fresh_start():
    rng = np.random.default_rng(4)
    for _ in range(30):
        voxels = rng.integers(0, 4, (6, 7, 8)).astype(np.uint8)
        edited = voxels.copy()
        box = (slice(1, 4), slice(2, 6), slice(3, 5))
        edited[box] = rng.integers(0, 4, edited[box].shape)
        runs, changed = LabelRuns.of(voxels).updated(edited, box)
        fresh = LabelRuns.of(edited)
        for part in ("first", "start", "stop", "value"):
            assert np.array_equal(getattr(runs, part), getattr(fresh, part))
        assert set(changed) == {v for v in (1, 2, 3) if ((voxels == v) != (edited == v)).any()}


def a_heart_of_boxes():
    voxels = np.zeros((12, 12, 12), np.uint8)
    voxels[1:5, 1:5, 1:5] = 6
    voxels[5:11, 2, 2] = 8
    return voxels


def test_the_verdict_names_what_is_broken():
    whole = topology_report(LabelMap(a_heart_of_boxes(), Geometry((12, 12, 12)), CARDIAC))
    cut = a_heart_of_boxes()
    cut[8, 2, 2] = 0
    broken = topology_report(LabelMap(cut, Geometry((12, 12, 12)), CARDIAC))
    assert whole.verdict == "pass"
    assert broken.verdict == "fail"
    assert "left coronary tree: 2 pieces, expected 1" in broken.lines()


def test_an_ostium_that_touches_twice_is_two_patches():
    voxels = a_heart_of_boxes()
    voxels[5:8, 4, 4] = 8
    assert contact_patches(voxels == 6, voxels == 8) == 2
