"""The README's quickstart does what it says, with the shipped weights."""

import re
from pathlib import Path

import numpy as np
import pytest

from StructDiffCore.domain import Geometry
from StructDiffCore.io import files
from StructDiffCore.phantom.appearance import draw_appearance
from StructDiffCore.phantom.formation import render
from StructDiffCore.phantom.heart import digital_heart

README = Path(__file__).resolve().parents[3] / "README.md"


@pytest.fixture
def a_folder_of_scans(tmp_path, monkeypatch):
    """A template and a target of 2 mm voxels: whole hearts, small files."""
    target, other = (digital_heart(seed, spacing_mm=1.6).cropped((32, 32, 32), (64, 64, 64)) for seed in (1, 2))
    scan = render(other, draw_appearance(np.random.default_rng(3)), np.random.default_rng(4)).noisy
    files.write_volume(scan, tmp_path / "ct.nii.gz")
    files.write_label_map(other.mask, tmp_path / "ct_mask.nii.gz")
    files.write_label_map(target.mask, tmp_path / "mask.nii.gz")
    monkeypatch.chdir(tmp_path)
    return target


def quickstart() -> str:
    return re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL).group(1)


def test_the_quickstart_has_at_most_five_lines():
    assert len(quickstart().strip().splitlines()) <= 5


def test_the_quickstart_writes_a_ct_on_the_masks_grid(a_folder_of_scans):
    exec(compile(quickstart(), "README.md", "exec"), {})
    made = files.read_volume("synthetic.nii.gz")
    assert isinstance(made.geometry, Geometry)
    assert made.geometry.same_as(a_folder_of_scans.geometry, tolerance_mm=1e-3)
    blood = made.voxels[a_folder_of_scans.mask.voxels == 3]
    lung = made.voxels.min()
    assert np.median(blood) > 100
    assert lung < -500
