"""Digital hearts on disk, and bent into another shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from StructDiffCore.domain import Geometry, StructDiffError
from StructDiffCore.phantom.deformation import Displacement, deformed
from StructDiffCore.phantom.heart import Heart, digital_heart
from StructDiffCore.phantom.storage import load_heart, save_heart
from StructDiffCore.phantom.tissues import Tissue


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


def test_a_deformed_heart_differs_a_little_and_is_reproducible(a_coarse_heart: Heart) -> None:
    bent, again = (deformed(a_coarse_heart, np.random.default_rng(3), 2.5) for _ in range(2))
    np.testing.assert_array_equal(bent.tissue, again.tissue)
    assert 0.02 < np.mean(bent.tissue != a_coarse_heart.tissue) < 0.4
    ratio = (bent.tissue == Tissue.LV).sum() / (a_coarse_heart.tissue == Tissue.LV).sum()
    assert 0.8 < ratio < 1.25


def test_no_amplitude_leaves_the_heart_as_it_is_and_too_much_is_refused(a_coarse_heart: Heart) -> None:
    np.testing.assert_array_equal(deformed(a_coarse_heart, np.random.default_rng(0), 0.0).tissue, a_coarse_heart.tissue)
    with pytest.raises(StructDiffError, match="cannot stay smooth"):
        deformed(a_coarse_heart, np.random.default_rng(0), 30.0)


def test_carried_points_land_where_the_displacement_takes_from(a_coarse_heart: Heart) -> None:
    displacement = Displacement.draw(a_coarse_heart.geometry, np.random.default_rng(1), 3.0)
    points = np.random.default_rng(2).uniform(-40, 40, (50, 3))
    moved = displacement.carried(points)
    np.testing.assert_allclose(moved + displacement.at(moved), points, atol=0.05)


def test_the_trees_move_with_their_lumen() -> None:
    heart = digital_heart(6)
    bent = deformed(heart, np.random.default_rng(4), 3.0)
    points = np.concatenate([branch.points_mm for branch in bent.trees["right"].branches])
    index = np.rint(bent.geometry.to_index(points)).astype(int)
    index = index[np.all((index >= 0) & (index < bent.geometry.shape), axis=1)]
    lumen = binary_dilation(np.isin(bent.tissue, (Tissue.RIGHT_CORONARY, Tissue.AORTA)), np.ones((3, 3, 3)))
    assert lumen[tuple(index.T)].mean() > 0.98
