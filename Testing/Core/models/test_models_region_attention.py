"""Region conditioning by cross-attention: PyTorch's attention as the oracle, order, null codes, tiles, unchanged defaults."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from StructDiffCore.domain import StructDiffError
from StructDiffCore.models.condition_tensors import ConditionTensors
from StructDiffCore.models.network import StructDiffNetwork
from StructDiffCore.models.network_settings import NetworkSettings
from StructDiffCore.models.region_attention import RegionAttention
from StructDiffCore.systems.structdiff import StructDiff, StructDiffSettings

SMALL = NetworkSettings((16, 16), (1, 1), (0, 1), embedding_width=16, detail_channels=4, region_conditioning="attention")
CODES = SMALL.code_length


@pytest.fixture
def attention() -> RegionAttention:
    torch.manual_seed(0)
    module = RegionAttention(16, CODES)
    torch.nn.init.normal_(module.nothing)
    return module.eval()


def _condition(size: int = 16, slots: int = 5) -> ConditionTensors:
    generator = torch.Generator().manual_seed(4)
    occupancy = torch.rand(1, slots, size // 2, size // 2, size // 2, generator=generator)
    codes = torch.randn(1, slots, CODES, generator=generator)
    return ConditionTensors(torch.randn(1, 6, size, size, size, generator=generator), occupancy, codes)


@torch.no_grad()
def test_it_equals_multi_head_attention_of_pytorch(attention: RegionAttention) -> None:
    level, codes = torch.randn(2, 16, 2, 3, 4), torch.randn(2, 5, CODES)
    oracle = torch.nn.MultiheadAttention(16, attention.heads, batch_first=True)
    oracle.in_proj_weight.copy_(torch.cat([attention.query.weight, attention.key_value.weight]))
    oracle.in_proj_bias.copy_(torch.cat([attention.query.bias, attention.key_value.bias]))
    oracle.out_proj.weight.copy_(attention.answer.weight)
    oracle.out_proj.bias.copy_(attention.answer.bias)
    tokens = torch.cat([attention.nothing.expand(2, -1, -1), attention.tokens(codes)], 1)
    voxels = attention.norm(level).flatten(2).transpose(1, 2)
    expected = oracle(voxels, tokens, tokens)[0].transpose(1, 2).reshape(level.shape)
    torch.testing.assert_close(attention(level, codes), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_order_of_regions_and_null_codes_do_not_matter(attention: RegionAttention) -> None:
    level, codes = torch.randn(1, 16, 2, 2, 2), torch.randn(1, 5, CODES)
    padded = torch.cat([codes[:, [3, 0, 4, 1, 2]], torch.zeros(1, 4, CODES)], 1)
    torch.testing.assert_close(attention(level, padded), attention(level, codes), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_with_null_codes_alone_every_voxel_hears_the_same(attention: RegionAttention) -> None:
    said = attention(torch.randn(1, 16, 2, 2, 2), torch.zeros(1, 3, CODES))
    torch.testing.assert_close(said, said[..., :1, :1, :1].expand_as(said))


@torch.no_grad()
def test_the_codes_reach_the_answer_and_the_labels_place_does_not() -> None:
    torch.manual_seed(0)
    network = StructDiffNetwork(SMALL).eval()
    torch.nn.init.normal_(network.unet.head.answer.weight, std=0.3)
    condition, noisy = _condition(), torch.randn(1, 1, 16, 16, 16)
    answer = network(noisy, torch.zeros(1), network.encode(condition))
    elsewhere, other = replace(condition, occupancy=condition.occupancy.flip(2)), replace(condition, codes=3 * condition.codes)
    torch.testing.assert_close(network(noisy, torch.zeros(1), network.encode(elsewhere)), answer)
    assert (network(noisy, torch.zeros(1), network.encode(other)) - answer).abs().max() > 1e-3


@torch.no_grad()
def test_a_far_voxel_does_not_reach_the_answer() -> None:
    torch.manual_seed(1)
    network = StructDiffNetwork(replace(SMALL, channels=(16,), blocks_per_level=(1,), condition_blocks=(1,))).eval()
    torch.nn.init.normal_(network.unet.head.answer.weight)
    condition, noisy = _condition(48), torch.randn(1, 1, 48, 48, 48)
    whole = network(noisy, torch.zeros(1), network.encode(condition))
    cut = ConditionTensors(condition.maps[:, :, :32], condition.occupancy[:, :, :16], condition.codes)
    tile = network(noisy[:, :, :32], torch.zeros(1), network.encode(cut))
    torch.testing.assert_close(tile[:, :, :16], whole[:, :, :16], rtol=1e-4, atol=1e-5)


def test_both_forms_are_about_equally_large() -> None:
    slots, attends = (StructDiffNetwork(NetworkSettings(region_conditioning=form)) for form in ("slots", "attention"))
    assert 0.97 < attends.parameter_count / slots.parameter_count < 1.03


def test_weights_written_before_the_setting_existed_are_slots() -> None:
    old = StructDiffSettings.from_dict(
        {"network": {"channels": [16, 16], "blocks_per_level": [1, 1], "condition_blocks": [0, 1]}}
    )
    assert old.network.region_conditioning == "slots"


def test_weights_of_the_attention_form_come_back_as_such(tmp_path: Path) -> None:
    system = StructDiff(StructDiffSettings(SMALL))
    system.save_weights(tmp_path / "w.safetensors")
    again = StructDiff.load_weights(tmp_path / "w.safetensors")
    assert again.settings == system.settings
    key = "encoder.regions.key_value.weight"
    torch.testing.assert_close(again.network.state_dict()[key], system.network.state_dict()[key], rtol=1e-3, atol=1e-4)


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(StructDiffError, match="region_conditioning is 'tokens'"):
        NetworkSettings(region_conditioning="tokens")
