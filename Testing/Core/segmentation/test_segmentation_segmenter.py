"""The segmenter learns what can be learnt, comes back from its file, and refuses strangers."""

import itertools

import numpy as np
import pytest
import torch

from StructDiffCore.domain import Geometry, Label, LabelScheme, StructDiffError, Volume
from StructDiffCore.measures.overlap import dice
from StructDiffCore.segmentation.fit import fit
from StructDiffCore.segmentation.segmenter import Segmenter
from StructDiffCore.systems.weights_file import write_weights

SCHEME = LabelScheme("boxes", (Label(3, "bright box"), Label(7, "dim box")))


def a_crop(rng, size=32):
    """A bright and a dim box in noise: (HU, labels)."""
    labels = np.zeros((size,) * 3, np.uint8)
    for value in (3, 7):
        start = rng.integers(0, size - 12, 3)
        labels[tuple(slice(a, a + 12) for a in start)] = value
    hu = np.select([labels == 3, labels == 7], [500.0, 200.0], -100.0) + rng.normal(0, 20, labels.shape)
    return hu.astype(np.float32), labels


def crops(seed):
    rng = np.random.default_rng(seed)
    return (a_crop(rng) for _ in itertools.count())


@pytest.fixture(scope="module")
def a_trained_segmenter():
    torch.manual_seed(0)
    segmenter = Segmenter.untrained(SCHEME, "UNet", spacing_mm=1.0, patch=32)
    losses = [step.loss for step in fit(segmenter, crops(1), steps=100, batch=2, learning_rate=2e-3)]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    return segmenter


def test_it_finds_boxes_it_never_saw_at_another_spacing(a_trained_segmenter):
    hu, labels = a_crop(np.random.default_rng(99))
    doubled = [axis.repeat(2, 0).repeat(2, 1).repeat(2, 2) for axis in (hu, labels)]
    found = a_trained_segmenter.predict(Volume(doubled[0], Geometry((64, 64, 64), (0.5, 0.5, 0.5))))
    assert found.scheme is SCHEME
    assert found.voxels.shape == (64, 64, 64)
    assert min(dice(found.voxels == v, doubled[1] == v) for v in (3, 7)) > 0.8


def test_it_comes_back_from_its_file(a_trained_segmenter, tmp_path):
    a_trained_segmenter.save_weights(tmp_path / "segmenter.safetensors")
    back = Segmenter.load_weights(tmp_path / "segmenter.safetensors", SCHEME)
    hu, _ = a_crop(np.random.default_rng(5))
    image = Volume(hu, Geometry((32, 32, 32)))
    same = back.predict(image).voxels == a_trained_segmenter.predict(image).voxels
    assert back.settings == a_trained_segmenter.settings
    assert same.mean() > 0.995


def test_weights_of_another_scheme_or_system_are_refused(a_trained_segmenter, tmp_path):
    path = tmp_path / "segmenter.safetensors"
    a_trained_segmenter.save_weights(path)
    with pytest.raises(StructDiffError, match="was trained on the labels"):
        Segmenter.load_weights(path, LabelScheme("other", (Label(1, "spleen"),)))
    write_weights(path, "structdiff", {"w": torch.zeros(1)}, {})
    with pytest.raises(StructDiffError, match="holds weights of structdiff"):
        Segmenter.load_weights(path, SCHEME)


def test_an_unknown_network_is_refused():
    with pytest.raises(StructDiffError, match="unknown segmenter"):
        Segmenter.untrained(SCHEME, "TransUNet")
