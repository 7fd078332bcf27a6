"""The line under the segment editor: the report's counts, fast, and the same without numba."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, StructDiffError
from StructDiffCore.phantom.heart import digital_heart
from StructDiffCore.topology import line
from StructDiffCore.topology.betti import betti_numbers
from StructDiffCore.topology.line import line_of
from StructDiffCore.topology.plain_betti import plain_betti
from StructDiffCore.topology.report import topology_report

LEFT = CARDIAC.named("left coronary tree").value
AORTA = CARDIAC.named("aorta").value


@pytest.fixture(scope="module")
def a_heart() -> LabelMap:
    return digital_heart(5).mask


def a_grid(voxels: np.ndarray) -> Geometry:
    return Geometry(voxels.shape, (0.5, 0.5, 0.5))


def test_a_hand_drawn_ring_with_a_twig_has_one_loop_and_one_end():
    labels = np.zeros((20, 20, 5), np.uint8)
    labels[5:12, 5:12, 2] = LEFT
    labels[6:11, 6:11, 2] = 0
    labels[12:18, 8, 2] = LEFT
    assert line_of(labels, LEFT, a_grid(labels), CARDIAC) == "LCA: 1 piece, 1 loop, 1 end"


def test_two_hand_drawn_rods_are_two_pieces_with_four_ends():
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[2:18, 3, 3] = LEFT
    labels[2:18, 12, 12] = LEFT
    assert line_of(labels, LEFT, a_grid(labels), CARDIAC, name="tree") == "tree: 2 pieces, 0 loops, 4 ends"


def test_a_thick_label_tells_its_cavities_and_no_ends():
    labels = np.full((9, 9, 9), 0, np.uint8)
    labels[1:8, 1:8, 1:8] = AORTA
    labels[4, 4, 4] = 0
    assert line_of(labels, AORTA, a_grid(labels), CARDIAC) == "aorta: 1 piece, 0 loops, 1 cavity"


def test_a_label_that_was_erased_is_called_empty():
    labels = np.zeros((5, 5, 5), np.uint8)
    assert line_of(labels, LEFT, a_grid(labels), CARDIAC) == "LCA: empty"


def test_a_value_outside_the_scheme_is_refused():
    labels = np.zeros((5, 5, 5), np.uint8)
    with pytest.raises(StructDiffError, match="label 77 is not in the scheme"):
        line_of(labels, 77, a_grid(labels), CARDIAC)


@pytest.mark.parametrize("seed", [0, 5, 8])
def test_the_line_tells_what_the_report_tells(seed):
    mask = digital_heart(seed).mask
    report = topology_report(mask)
    for found in report.labels:
        told = line_of(mask.voxels, found.label.value, mask.geometry, mask.scheme, name=found.label.name)
        assert told == found.line()


def test_the_memory_order_of_the_labels_does_not_matter(a_heart):
    slicer_order = np.asfortranarray(a_heart.voxels.astype(np.int16))
    as_here = line_of(a_heart.voxels, LEFT, a_heart.geometry, CARDIAC)
    assert line_of(slicer_order, LEFT, a_heart.geometry, CARDIAC) == as_here


def test_without_numba_the_ends_are_left_open_and_the_rest_is_told(a_heart, monkeypatch):
    whole = line_of(a_heart.voxels, LEFT, a_heart.geometry, CARDIAC)
    monkeypatch.setattr(line, "HAS_NUMBA", False)
    plain = line_of(a_heart.voxels, LEFT, a_heart.geometry, CARDIAC)
    assert plain == whole.rpartition(",")[0] + "; ends need numba"
    assert line_of(a_heart.voxels, AORTA, a_heart.geometry, CARDIAC) == "aorta: 1 piece, 0 loops, 0 cavities"


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), share=st.floats(0.05, 0.9), size=st.tuples(*[st.integers(1, 9)] * 3))
def test_plain_and_compiled_betti_numbers_agree_on_any_voxels(seed, share, size):
    structure = np.random.default_rng(seed).random(size) < share
    compiled = betti_numbers(structure)
    assert plain_betti(structure) == (compiled.b0, compiled.b1, compiled.b2)


def test_plain_and_compiled_betti_numbers_agree_on_every_label_of_a_heart(a_heart):
    for value in a_heart.present:
        compiled = betti_numbers(a_heart.voxels == value)
        assert plain_betti(a_heart.voxels == value) == (compiled.b0, compiled.b1, compiled.b2)


@pytest.mark.slow
def test_the_line_comes_within_a_third_of_a_second_on_a_large_scan(a_heart):
    labels = np.zeros((512, 512, 256), np.uint8)
    labels[200:328, 200:328, 60:188] = a_heart.voxels[:128, :128, :128]
    grid = Geometry(labels.shape, (0.4, 0.4, 0.5))
    line_of(labels, LEFT, grid, CARDIAC)
    begin = time.perf_counter()
    line_of(labels, LEFT, grid, CARDIAC)
    assert time.perf_counter() - begin <= 0.3
