"""The memory formula: grows with voxels, not with luck."""

from pathlib import Path

import pytest
from toy_hearts import toy_settings

from StructDiffCore.training.memory import main, training_memory


def test_memory_grows_with_the_voxels_and_not_below_the_weights() -> None:
    memory = training_memory(toy_settings())
    assert memory.kept_bytes_per_voxel > 50
    grown = memory.of(64, 2) - memory.state_gib
    assert grown == pytest.approx(16 * (memory.of(32, 1) - memory.state_gib))


def test_the_table_names_the_runs_own_crops(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import json

    (tmp_path / "a.json").write_text(json.dumps(toy_settings().as_dict()))
    assert main([str(tmp_path / "a.json")]) == 0
    assert "| 16³ | 1 |" in capsys.readouterr().out
    assert main([str(tmp_path / "absent.json")]) == 2
