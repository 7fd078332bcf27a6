"""Betti numbers against gudhi, scikit-image and cases that can be counted by eye."""

import numpy as np
import pytest
from skimage.measure import euler_number as skimage_euler_number

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap
from StructDiffCore.topology.betti import Betti, betti_numbers, boxed, euler_number
from StructDiffCore.topology.report import contact_patches, topology_report


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


def random_structures(count):
    rng = np.random.default_rng(7)
    for _ in range(count):
        yield rng.random(rng.integers(3, 9, 3)) < rng.uniform(0.05, 0.95)


def test_the_euler_number_equals_scikit_images():
    for structure in random_structures(100):
        cropped = boxed(structure)
        if cropped is not None:
            assert euler_number(cropped) == skimage_euler_number(cropped, connectivity=3)


def test_betti_numbers_equal_gudhis_on_random_volumes():
    gudhi = pytest.importorskip("gudhi")
    for structure in random_structures(150):
        padded = np.pad(structure, 1)
        # a voxel is a closed cube: top-dimensional cells carry the filtration, 26-connected structure
        cells = gudhi.CubicalComplex(top_dimensional_cells=np.where(padded, 0.0, 1.0))
        cells.compute_persistence()
        expected = cells.persistent_betti_numbers(0.0, 0.5)
        assert betti_numbers(structure) == Betti(*([*list(expected), 0, 0, 0])[:3])


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
