"""Maps of ones against no maps: the same run bit for bit, also beside the scan and between its voxels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toy_pairs import GRID, run, same_tensors, write_config, write_scene

from StructDiffCore.domain import Volume
from StructDiffCore.io.files import write_float_volume


@pytest.fixture(scope="module")
def a_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whose samples have maps of ones."""
    folder = write_scene(tmp_path_factory.mktemp("cal")).parent
    for sample in (folder / "samples").iterdir():
        write_float_volume(Volume(np.ones(GRID.shape, np.float32), GRID), sample / "confidence_0_to_1.nii.gz")
    return folder


@pytest.mark.parametrize(
    ("spacing_mm", "crop"), [(1.0, 32), (1.6, 16), (1.1, 32)], ids=["scan smaller than the crop", "resampled", "both"]
)
def test_maps_of_ones_give_the_plain_run_bit_for_bit(a_scene: Path, tmp_path: Path, spacing_mm: float, crop: int) -> None:
    losses = {}
    for use in (True, False):
        config = write_config(a_scene, spacing_mm=spacing_mm, crop=crop, confidence={"use": use})
        losses[use] = run(config, tmp_path / f"{use}")
    assert losses[True] == losses[False]
    for name in ("pretrained", "last"):
        same_tensors(tmp_path / "True" / f"{name}.safetensors", tmp_path / "False" / f"{name}.safetensors")
