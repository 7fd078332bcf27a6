"""Digital hearts on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from StructDiffCore.domain import Geometry, StructDiffError
from StructDiffCore.phantom.heart import Heart, digital_heart
from StructDiffCore.phantom.storage import load_heart, save_heart


@pytest.fixture(scope="module")
def a_coarse_heart() -> Heart:
    return digital_heart(6, Geometry((64,) * 3, (1.6,) * 3, (-51.0,) * 3))


def test_a_heart_comes_back_from_disk_as_it_went(a_coarse_heart: Heart, tmp_path: Path) -> None:
    back = load_heart(save_heart(a_coarse_heart, tmp_path / "heart.npz"))
    for name in ("tissue", "second", "share"):
        np.testing.assert_array_equal(getattr(back, name), getattr(a_coarse_heart, name))
    assert back.geometry.same_as(a_coarse_heart.geometry)
    assert (back.seed, back.dominance, set(back.trees)) == (6, a_coarse_heart.dominance, {"left", "right"})
    for side, tree in back.trees.items():
        np.testing.assert_allclose(tree.branches[0].points_mm, a_coarse_heart.trees[side].branches[0].points_mm)
    assert [file.name for file in tmp_path.iterdir()] == ["heart.npz"]


@pytest.mark.parametrize("content", [b"", b"no heart", b"PK\x03\x04half"])
def test_what_is_no_heart_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "wrong.npz"
    path.write_bytes(content)
    with pytest.raises(StructDiffError, match="no digital heart"):
        load_heart(path)


def test_a_missing_folder_is_refused_and_nothing_is_written(a_coarse_heart: Heart, tmp_path: Path) -> None:
    with pytest.raises(StructDiffError, match="cannot be written"):
        save_heart(a_coarse_heart, tmp_path / "nowhere" / "heart.npz")
    assert list(tmp_path.iterdir()) == []
