"""The error head: what it is shown, and that it learns where errors are large from examples alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from StructDiffCore.models.condition_tensors import MAP_NAMES
from StructDiffCore.synthesis.error_head import ErrorHead, local_deviation
from StructDiffCore.synthesis.error_head_examples import FADED, GAP_VOXELS, Example, vessels_painted_over
from StructDiffCore.synthesis.error_head_training import FitSettings, fit, main, vessel_errors_hu

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
    return Example(torch.zeros(1, 8, EDGE // 2, EDGE // 2, EDGE // 2), maps, clean, noise * (0.2 + 1.8 * maps[:, :1]), clean)


def a_vessel():
    """A bar of 3 units along the first axis in nothing, as the first map wants it, drawn without an error."""
    empty, maps = torch.zeros(1, 1, EDGE, EDGE, EDGE), torch.zeros(1, len(MAP_NAMES), EDGE, EDGE, EDGE)
    clean = empty.clone()
    clean[..., 7:9, 7:9] = 3.0
    maps[:, :1] = clean > 0
    return replace(an_example(0), maps=maps, clean=clean, error=empty, bare=empty)


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


def test_a_vessel_fades_within_a_ball_and_the_error_is_what_was_lost():
    whole = a_vessel()
    for seed in range(20):
        part = whole.faded(torch.Generator().manual_seed(seed))
        lost = whole.clean - part.clean
        here = lost[0, 0].nonzero()
        assert 3 * FADED[0] <= lost.max() <= 3 * FADED[1]
        assert len(torch.unique(lost[lost > 0])) == 1
        assert here[:, 0].max() - here[:, 0].min() <= 2 * GAP_VOXELS[1]
        assert torch.equal(part.error, -lost)
        assert torch.equal(part.maps, whole.maps)


def test_where_there_is_no_vessel_nothing_fades():
    whole = an_example(0)
    assert whole.faded(torch.Generator().manual_seed(0)) is whole


def test_a_head_that_saw_vessels_fade_doubts_a_missing_one():
    """The picture alone tells: the maps say the same in both."""
    whole = a_vessel()
    missing = replace(whole, clean=whole.bare)
    seeing, blind = (fit([whole], FitSettings(steps=200, piece=EDGE, learning_rate=1e-2, faded=share)) for share in (0.5, 0.0))
    for head, wanted in ((seeing, True), (blind, False)):
        with torch.no_grad():
            told = [torch.exp(0.5 * head(one.level, one.maps, one.clean))[..., 7:9, 7:9].mean() for one in (missing, whole)]
        assert bool(told[0] > 0.5 > told[1]) is wanted
        summary = vessel_errors_hu(head, [whole], 100.0)
        assert summary["as drawn"]["true"] == 0
        assert 300 * FADED[0] <= summary["faded"]["true"] <= 300 * FADED[1]
        assert (summary["faded"]["expected"] > 50) is wanted


def test_painted_over_vessels_look_like_what_they_run_through():
    labels = np.zeros((12, 12, 12), np.uint8)
    labels[:6] = 1
    labels[:, :, :2] = 3
    labels[:, 5:7, 5:7] = 8
    hu = np.select([labels == 1, labels == 3, labels == 8], [100.0, 350.0, 400.0], -80.0).astype(np.float32)
    found = vessels_painted_over(hu, labels)
    assert (found[:4, 5:7, 5:7] == 100).all()
    assert (found[8:, 5:7, 5:7] == -80).all()
    assert (found[:, :, :2] == 350).all()


@pytest.mark.parametrize(
    "wrong",
    [["--windows", "0"], ["--steps", "0"], ["--temperature", "5"], ["--sampling-steps", "0"], ["--model", "no-such.safetensors"]],
)
def test_what_no_head_can_be_trained_with_is_refused_in_one_line(wrong, tmp_path, capsys):
    assert main(["--pool", str(tmp_path / "pool"), "--out", str(tmp_path / "out"), *wrong]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()
