"""StructDiff's weights: saved, loaded, and every reason to refuse a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from StructDiffCore.diffusion.levels import Level
from StructDiffCore.domain import StructDiffError
from StructDiffCore.models.condition_tensors import ConditionTensors
from StructDiffCore.models.network_settings import NetworkSettings
from StructDiffCore.systems.structdiff import StructDiff, StructDiffSettings
from StructDiffCore.systems.weights_file import sha256_of

SMALL = StructDiffSettings(NetworkSettings((8, 8), (1, 1), (1, 1), slot_features=4, embedding_width=16, detail_channels=4), 42.0)


@pytest.fixture
def a_system() -> StructDiff:
    torch.manual_seed(3)
    system = StructDiff(SMALL)
    for parameter in system.network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return system


@pytest.fixture
def a_file(tmp_path: Path, a_system: StructDiff) -> Path:
    a_system.save_weights(tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


def _refusal(path: Path) -> str:
    with pytest.raises(StructDiffError) as caught:
        StructDiff.load_weights(path)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_loaded_weights_are_the_saved_ones_in_half_precision(a_system: StructDiff, a_file: Path) -> None:
    loaded = StructDiff.load_weights(a_file)
    assert loaded.settings == SMALL
    for ours, theirs in zip(a_system.network.parameters(), loaded.network.parameters()):
        torch.testing.assert_close(theirs, ours.half().float(), rtol=0, atol=0)
    assert loaded.sha256 == sha256_of(a_file)


def test_shipped_size_is_at_most_16_megabytes_and_8_million_parameters(tmp_path: Path) -> None:
    system = StructDiff()
    assert system.network.parameter_count <= 8_000_000
    system.save_weights(tmp_path / "full.safetensors")
    assert (tmp_path / "full.safetensors").stat().st_size <= 16_000_000


@pytest.mark.parametrize("name", ["w.pt", "w.pth", "w.ckpt"])
def test_a_pickle_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"anything")
    assert "pickle" in _refusal(tmp_path / name)


def test_a_pickle_in_disguise_is_refused_by_its_first_bytes(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2)}, tmp_path / "w.safetensors")
    assert "pickle" in _refusal(tmp_path / "w.safetensors")


def test_another_systems_weights_are_refused(a_file: Path) -> None:
    save_file(load_file(a_file), str(a_file), metadata={"system": "med-lsdm", "settings": "{}"})
    assert "med-lsdm" in _refusal(a_file)


def test_a_file_without_a_system_is_refused(a_file: Path) -> None:
    save_file(load_file(a_file), str(a_file))
    assert "unnamed" in _refusal(a_file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "no weights at" in _refusal(tmp_path / "none.safetensors")


def test_a_truncated_file_is_refused(a_file: Path) -> None:
    a_file.write_bytes(a_file.read_bytes()[:-10])
    assert "not a readable" in _refusal(a_file)


def test_a_file_that_differs_from_its_card_is_refused(a_file: Path) -> None:
    a_file.with_suffix(".json").write_text(json.dumps({"sha256": sha256_of(a_file)}))
    StructDiff.load_weights(a_file)
    content = bytearray(a_file.read_bytes())
    content[-1] ^= 1
    a_file.write_bytes(content)
    assert "SHA-256" in _refusal(a_file)


def test_weights_of_another_form_are_refused(a_file: Path) -> None:
    tensors = load_file(a_file)
    tensors.pop(sorted(tensors)[0])
    from safetensors import safe_open

    with safe_open(str(a_file), framework="pt") as file:
        metadata = file.metadata()
    save_file(tensors, str(a_file), metadata=metadata)
    assert "does not fit" in _refusal(a_file)


def test_residual_and_image_convert_both_ways(a_system: StructDiff) -> None:
    image, prior = torch.randn(1, 1, 4, 4, 4) * 300, torch.randn(1, 1, 4, 4, 4) * 300
    residual = a_system.to_residual(image, prior)
    torch.testing.assert_close(residual * 42.0, image - prior)
    torch.testing.assert_close(a_system.to_hu(residual, prior), image)


def test_fresh_weights_answer_with_the_skip_alone() -> None:
    system = StructDiff(SMALL)
    condition = ConditionTensors(
        torch.randn(1, 6, 8, 8, 8), torch.rand(1, 3, 4, 4, 4), torch.randn(1, 3, SMALL.network.code_length)
    )
    noisy = torch.randn(1, 1, 8, 8, 8)
    with torch.no_grad():
        clean = system.denoiser(system.network.encode(condition))(noisy, Level(1.0, 2.0))
    torch.testing.assert_close(clean, noisy / 5)
