"""Tensor files against the safetensors library, and damage."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, safe_open, save_file

from StructDiffCore.systems.tensor_file import read_tensors, write_tensors


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "matrix": torch.randn(3, 5, generator=generator),
        "half": torch.randn(2, 2, 2, generator=generator).half(),
        "brain": torch.randn(4, generator=generator).bfloat16(),
        "number": torch.tensor(7),
        "bytes": torch.arange(5, dtype=torch.uint8),
        "strided": torch.randn(4, 6, generator=generator).t(),
        "nothing": torch.empty(0, 3),
    }


def test_the_safetensors_library_reads_what_we_write(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    write_tensors(tmp_path / "a.safetensors", tensors, {"key": "value"})
    theirs = load_file(tmp_path / "a.safetensors")
    assert set(theirs) == set(tensors)
    for name, tensor in tensors.items():
        assert theirs[name].dtype == tensor.dtype
        torch.testing.assert_close(theirs[name], tensor, rtol=0, atol=0)
    with safe_open(str(tmp_path / "a.safetensors"), framework="pt") as file:
        assert file.metadata() == {"key": "value"}


def test_we_read_what_the_safetensors_library_writes(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()}, str(tmp_path / "b.safetensors"), metadata={"a": "b"}
    )
    ours = read_tensors(tmp_path / "b.safetensors")
    assert ours.metadata == {"a": "b"}
    for name, tensor in tensors.items():
        torch.testing.assert_close(ours.tensors[name], tensor.contiguous(), rtol=0, atol=0)


@pytest.mark.parametrize("kept", [0, 5, 40, -1])
def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, tensors: dict[str, torch.Tensor], kept: int) -> None:
    write_tensors(tmp_path / "c.safetensors", tensors, {})
    content = (tmp_path / "c.safetensors").read_bytes()
    (tmp_path / "c.safetensors").write_bytes(content[:kept])
    with pytest.raises(ValueError, match=r"cut off|Expecting|malformed"):
        read_tensors(tmp_path / "c.safetensors")


def test_writing_leaves_no_temporary_file(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    write_tensors(tmp_path / "d.safetensors", tensors, {})
    write_tensors(tmp_path / "d.safetensors", tensors, {})
    assert [path.name for path in tmp_path.iterdir()] == ["d.safetensors"]
