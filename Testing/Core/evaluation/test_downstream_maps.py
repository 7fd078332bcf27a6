"""Maps: the shuffled control keeps what it should keep; the truth is true; our map looks at the picture."""

import numpy as np
import pytest

from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.domain import CARDIAC, ConfidenceMap, Geometry, ImageMaskPair, LabelMap, Template, Volume
from StructDiffCore.evaluation.downstream.map_sight import Sight, sight
from StructDiffCore.evaluation.downstream.maps import EDGE_BINS_MM, label_borders, picture_reader, shuffled, truth_about
from StructDiffCore.io.files import write_confidence, write_label_map
from StructDiffCore.measures.distance import distance_to
from StructDiffCore.synthesis.prepared import prepare
from StructDiffCore.systems.structdiff import default_structdiff

GRID = Geometry((40, 40, 40), (0.8, 0.8, 0.8))


def a_target():
    labels = np.zeros(GRID.shape, np.uint8)
    labels[6:34, 6:34, 6:20] = 1
    labels[10:30, 10:30, 24:36] = 3
    labels[2:38, 20:23, 21:23] = 8
    return LabelMap(labels, GRID, CARDIAC)


def test_a_shuffled_map_keeps_the_histogram_of_every_class_and_edge_distance():
    target, rng = a_target(), np.random.default_rng(0)
    smooth = ConfidenceMap(np.linspace(0, 1, 40**3, dtype=np.float32).reshape(GRID.shape), GRID)
    mixed = shuffled(smooth, target, rng)
    bins = np.digitize(distance_to(label_borders(target.voxels), GRID.spacing), EDGE_BINS_MM)
    for value in (0, 1, 3, 8):
        for number in np.unique(bins[target.voxels == value]):
            here = (target.voxels == value) & (bins == number)
            np.testing.assert_array_equal(np.sort(mixed.voxels[here]), np.sort(smooth.voxels[here]))


def test_a_shuffled_map_loses_its_correlation_within_classes():
    target, rng = a_target(), np.random.default_rng(1)
    smooth = ConfidenceMap(np.linspace(0, 1, 40**3, dtype=np.float32).reshape(GRID.shape), GRID)
    inner = (target.voxels == 0) & (distance_to(label_borders(target.voxels), GRID.spacing) > EDGE_BINS_MM[-2])
    together = np.corrcoef(shuffled(smooth, target, rng).voxels[inner], smooth.voxels[inner])[0, 1]
    assert abs(together) < 0.05


def test_the_truth_doubts_what_was_lost_and_nothing_else():
    lost = a_target().voxels == 8
    found = truth_about(lost, a_target())
    assert (found.voxels[lost] == 0).all()
    assert (found.voxels[~lost] == 1).all()


def test_our_map_is_made_of_the_picture_it_judges():
    target = a_target()
    hu = np.select([target.voxels == v for v in (1, 3, 8)], [110.0, 350.0, 380.0], -90.0)
    rng = np.random.default_rng(2)
    scan = Volume(hu + rng.normal(0, 15, hu.shape), GRID)
    prepared = prepare(target, Template(ImageMaskPair(scan, target), "t"))
    reader = picture_reader(default_structdiff(), prepared, SynthesisSettings(steps=2, ssv="head", precision="float32"))
    assert reader is not None, "a head is shipped for the shipped weights"
    lost = target.voxels == 8
    before = reader.deviation(Volume(hu, GRID)).voxels
    after = reader.deviation(Volume(np.where(lost, -90.0, hu), GRID)).voxels
    assert np.abs(after - before)[lost].mean() > 10 * np.abs(after - before)[:, :, 30:].mean()


def test_the_sight_of_a_map_is_read_off_the_vessels_alone(tmp_path):
    target = a_target()
    lost = (target.voxels == 8) & (np.arange(40)[:, None, None] < 20)
    ours = np.where(lost, 0.2, 0.8) * np.where(target.voxels == 8, 1.0, 0.1)
    write_label_map(target, tmp_path / "mask.nii.gz")
    write_confidence(truth_about(lost, target), tmp_path / "truth-30.nii.gz")
    write_confidence(ConfidenceMap(ours.astype(np.float32), GRID), tmp_path / "CAL-30.nii.gz")
    found = sight([tmp_path], 30)
    assert found == Sight(30, 1, 1.0, *map(pytest.approx, (0.2, 0.8, 0.5, 1.0, 0.0)))


def test_where_nothing_was_lost_there_is_no_sight(tmp_path):
    target = a_target()
    write_label_map(target, tmp_path / "mask.nii.gz")
    for name in ("truth-10", "CAL-10"):
        write_confidence(truth_about(np.zeros(GRID.shape, bool), target), tmp_path / f"{name}.nii.gz")
    assert sight([tmp_path], 10) is None
