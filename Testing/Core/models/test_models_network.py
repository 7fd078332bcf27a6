"""The generator network: space-to-depth, permutation of slots, locality, noise level, sizes."""

from __future__ import annotations

import pytest
import torch

from StructDiffCore.domain import StructDiffError
from StructDiffCore.models.condition_tensors import ConditionTensors
from StructDiffCore.models.network import StructDiffNetwork
from StructDiffCore.models.network_settings import NetworkSettings
from StructDiffCore.models.space_to_depth import depth_to_space, space_to_depth

SMALL = NetworkSettings((16, 16, 16), (1, 1, 1), (1, 1, 1), slot_features=4, embedding_width=16, detail_channels=4)


@pytest.fixture
def a_network() -> StructDiffNetwork:
    torch.manual_seed(0)
    network = StructDiffNetwork(SMALL)
    torch.nn.init.normal_(network.unet.head.answer.weight, std=0.3)
    for module in network.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=0.3)
    return network.eval()


def _condition(size: int = 16, slots: int = 5) -> ConditionTensors:
    generator = torch.Generator().manual_seed(4)
    occupancy = torch.rand(1, slots, size // 2, size // 2, size // 2, generator=generator)
    codes = torch.randn(1, slots, SMALL.code_length, generator=generator)
    return ConditionTensors(torch.randn(1, 6, size, size, size, generator=generator), occupancy / occupancy.sum(1, True), codes)


def _noisy(size: int = 16) -> torch.Tensor:
    return torch.randn(1, 1, size, size, size, generator=torch.Generator().manual_seed(5))


def test_space_to_depth_puts_a_2x2x2_block_into_8_channels_in_reading_order() -> None:
    voxels = torch.arange(16.0).reshape(1, 1, 2, 2, 4)
    channels = space_to_depth(voxels)
    assert channels.shape == (1, 8, 1, 1, 2)
    assert channels[0, :, 0, 0, 0].tolist() == [0, 1, 4, 5, 8, 9, 12, 13]


def test_depth_to_space_undoes_space_to_depth() -> None:
    voxels = torch.randn(2, 3, 4, 6, 8)
    torch.testing.assert_close(depth_to_space(space_to_depth(voxels)), voxels, rtol=0, atol=0)


@torch.no_grad()
def test_the_order_of_label_slots_does_not_matter(a_network: StructDiffNetwork) -> None:
    condition, order = _condition(), torch.tensor([3, 0, 4, 1, 2])
    shuffled = ConditionTensors(condition.maps, condition.occupancy[:, order], condition.codes[:, order])
    answers = [a_network(_noisy(), torch.zeros(1), a_network.encode(c)) for c in (condition, shuffled)]
    torch.testing.assert_close(answers[0], answers[1], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_an_empty_slot_changes_nothing(a_network: StructDiffNetwork) -> None:
    condition = _condition()
    padded = ConditionTensors(
        condition.maps,
        torch.cat([condition.occupancy, torch.zeros_like(condition.occupancy[:, :1])], 1),
        torch.cat([condition.codes, torch.full_like(condition.codes[:, :1], 9.0)], 1),
    )
    answers = [a_network(_noisy(), torch.zeros(1), a_network.encode(c)) for c in (condition, padded)]
    torch.testing.assert_close(answers[0], answers[1], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_codes_template_and_noise_level_all_reach_the_answer(a_network: StructDiffNetwork) -> None:
    condition = _condition()
    answer = a_network(_noisy(), torch.zeros(1), a_network.encode(condition))
    other_codes = ConditionTensors(condition.maps, condition.occupancy, condition.codes.flip(1))
    maps = condition.maps.clone()
    maps[:, 3] += 1
    other_template = ConditionTensors(maps, condition.occupancy, condition.codes)
    assert (a_network(_noisy(), torch.zeros(1), a_network.encode(other_codes)) - answer).abs().max() > 1e-3
    assert (a_network(_noisy(), torch.zeros(1), a_network.encode(other_template)) - answer).abs().max() > 1e-3
    assert (a_network(_noisy(), torch.ones(1), a_network.encode(condition)) - answer).abs().max() > 1e-3


@torch.no_grad()
def test_a_far_voxel_does_not_reach_the_answer_so_tiles_agree_with_one_pass() -> None:
    settings = NetworkSettings((8,), (1,), (1,), slot_features=4, embedding_width=8, detail_channels=4)
    torch.manual_seed(1)
    network = StructDiffNetwork(settings).eval()
    torch.nn.init.normal_(network.unet.head.answer.weight)
    condition, noisy = _condition(48), _noisy(48)
    whole = network(noisy, torch.zeros(1), network.encode(condition))
    cut = ConditionTensors(condition.maps[:, :, :32], condition.occupancy[:, :, :16], condition.codes)
    tile = network(noisy[:, :, :32], torch.zeros(1), network.encode(cut))
    torch.testing.assert_close(tile[:, :, :16], whole[:, :, :16], rtol=1e-4, atol=1e-5)


def test_fresh_weights_answer_zero() -> None:
    network = StructDiffNetwork(SMALL)
    assert network(_noisy(), torch.zeros(1), network.encode(_condition())).abs().max() == 0


def test_a_tile_of_odd_size_is_refused(a_network: StructDiffNetwork) -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        a_network.encode(_condition(12))


def test_levels_without_their_block_counts_are_refused() -> None:
    with pytest.raises(StructDiffError, match="one of each per level"):
        NetworkSettings((64, 128), (1,), (1, 1))


@torch.no_grad()
def test_bfloat16_weights_stay_near_the_full_precision_answer(a_network: StructDiffNetwork) -> None:
    full = a_network(_noisy(), torch.zeros(1), a_network.encode(_condition()))
    half = a_network.bfloat16()
    answer = half(_noisy(), torch.zeros(1), half.encode(_condition())).float()
    assert (answer - full).pow(2).mean().sqrt() < 0.05 * full.std()
