"""Overlap and surface distances against MONAI, and by hand."""

import numpy as np
import pytest

from StructDiffCore.measures.intensity import intensities, wasserstein_hu
from StructDiffCore.measures.overlap import centreline_dice, dice, label_dice
from StructDiffCore.measures.surface import surface_distance


@pytest.fixture
def two_blobs():
    index = np.indices((30, 28, 26))
    one = ((index - np.array([14, 14, 13]).reshape(3, 1, 1, 1)) ** 2).sum(0) < 81
    other = ((index - np.array([16, 13, 13]).reshape(3, 1, 1, 1)) ** 2).sum(0) < 64
    return one, other


def test_dice_and_surface_distance_are_monais(two_blobs):
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("monai.metrics")
    one, other = two_blobs
    tensors = [torch.from_numpy(m.astype(np.float32))[None, None] for m in two_blobs]
    spacing = (0.7, 1.0, 1.3)
    assert dice(one, other) == pytest.approx(float(metrics.compute_dice(*tensors)))
    ours = surface_distance(one, other, spacing)
    hd95 = metrics.compute_hausdorff_distance(*tensors, include_background=True, percentile=95, spacing=spacing)
    assd = metrics.compute_average_surface_distance(*tensors, include_background=True, symmetric=True, spacing=spacing)
    assert ours.hd95_mm == pytest.approx(float(hd95), abs=0.05)
    assert ours.assd_mm == pytest.approx(float(assd), abs=0.05)


def test_two_shifted_boxes_are_one_shift_apart():
    one, other = np.zeros((12, 12, 12), bool), np.zeros((12, 12, 12), bool)
    one[2:6, 2:10, 2:10], other[4:8, 2:10, 2:10] = True, True
    assert surface_distance(one, other, (0.5, 1, 1)).hd95_mm == pytest.approx(1.0)
    assert dice(one, other) == pytest.approx(0.5)


def test_empty_masks_have_defined_answers():
    empty, full = np.zeros((4, 4, 4), bool), np.ones((4, 4, 4), bool)
    assert dice(empty, empty) == 1 == centreline_dice(empty, empty)
    assert dice(empty, full) == 0 == centreline_dice(empty, full)
    assert surface_distance(empty, empty, (1, 1, 1)).hd95_mm == 0
    assert np.isinf(surface_distance(empty, full, (1, 1, 1)).assd_mm)


def test_label_dice_counts_a_label_of_either_map():
    assert label_dice(np.array([[[1, 2]]]), np.array([[[1, 3]]])) == {1: 1.0, 2: 0.0, 3: 0.0}


def test_a_thicker_vessel_keeps_its_centreline_dice():
    thin, thick = np.zeros((40, 15, 15), bool), np.zeros((40, 15, 15), bool)
    thin[:, 6:9, 6:9], thick[:, 5:10, 5:10] = True, True
    assert dice(thin, thick) < 0.6
    assert centreline_dice(thin, thick) == pytest.approx(1.0)
    thin[18:24] = False
    assert 0.85 < centreline_dice(thin, thick) < 0.95


def test_intensities_by_hand():
    labels = np.array([[[0, 1, 1, 1, 1, 1]]])
    image = np.array([[[999.0, 10, 20, 30, 40, 50]]])
    found = intensities(image, labels)
    assert found[1].median_hu == 30
    assert found[1].iqr_hu == 20
    assert wasserstein_hu(image, labels, image + 7, labels) == {1: pytest.approx(7.0)}
