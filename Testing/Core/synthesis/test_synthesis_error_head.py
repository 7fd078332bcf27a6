"""The error head: what it is shown, and that it learns where errors are large from examples alone."""

import numpy as np
import torch
from numpy.testing import assert_allclose

from StructDiffCore.models.condition_tensors import MAP_NAMES
from StructDiffCore.synthesis.error_head import ErrorHead, local_deviation
from StructDiffCore.synthesis.error_head_examples import Example
from StructDiffCore.synthesis.error_head_training import FitSettings, fit

EDGE = 16


def test_the_local_deviation_is_that_of_the_neighbours_that_exist():
    shown = np.random.default_rng(0).normal(0, 3, (4, 5, 6)).astype(np.float32)
    found = local_deviation(torch.from_numpy(shown)[None, None])[0, 0].numpy()
    assert_allclose(found[2, 2, 2], shown[1:4, 1:4, 1:4].std(), rtol=1e-4)
    assert_allclose(found[0, 0, 0], shown[:2, :2, :2].std(), rtol=1e-4)


def an_example(seed):
    """Errors of 2 units where the first map is 1 (one half), of 0.2 elsewhere."""
    chance = torch.Generator().manual_seed(seed)
    maps = torch.zeros(1, len(MAP_NAMES), EDGE, EDGE, EDGE)
    maps[:, 0, EDGE // 2 :] = 1
    clean, noise = (torch.randn(1, 1, EDGE, EDGE, EDGE, generator=chance) for _ in range(2))
    return Example(torch.zeros(1, 8, EDGE // 2, EDGE // 2, EDGE // 2), maps, clean, noise * (0.2 + 1.8 * maps[:, :1]))


def test_a_head_tells_large_errors_from_small_ones_by_their_size():
    head = fit([an_example(n) for n in range(3)], FitSettings(steps=150, piece=8, learning_rate=1e-2))
    unseen = an_example(9)
    with torch.no_grad():
        told = torch.exp(0.5 * head(unseen.level, unseen.maps, unseen.clean))[0, 0]
    assert_allclose(float(told[:6].median()), 0.2, rtol=0.3)
    assert_allclose(float(told[-6:].median()), 2.0, rtol=0.3)


def test_the_same_examples_make_the_same_head():
    one, same = (fit([an_example(0)], FitSettings(steps=3, piece=8)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters()))
    assert not torch.equal(one.answer.weight, ErrorHead(8).answer.weight)


def test_a_piece_of_an_example_shows_the_same_place_on_both_grids(tmp_path):
    whole = an_example(0)
    whole.level[0, 0, 2, 3, 4] = 7.0
    whole.error[0, 0, 4:6, 6:8, 8:10] = 9.0
    whole.write(tmp_path / "example.safetensors")
    piece = Example.read(tmp_path / "example.safetensors").piece((2, 4, 6), 8)
    assert piece.level[0, 0, 1, 1, 1] == 7.0
    assert (piece.error[0, 0, 2:4, 2:4, 2:4] == 9.0).all()
    assert piece.maps.shape == (1, len(MAP_NAMES), 8, 8, 8)
