"""The mask-only rival trains, goes on where it stopped, and answers on any grid."""

import json
from pathlib import Path

import numpy as np

from StructDiffCore.domain import Geometry
from StructDiffCore.evaluation.mask_only import MaskOnly, Plan, RivalSettings, train
from StructDiffCore.phantom.heart import Heart
from StructDiffCore.phantom.storage import save_heart
from StructDiffCore.phantom.tissues import Tissue
from StructDiffCore.training.pool import HeartPool

SMALL = RivalSettings((16, 16))


def a_pool(folder: Path) -> HeartPool:
    geometry = Geometry((24, 24, 24), (1.5,) * 3)
    away = np.linalg.norm(np.indices(geometry.shape).T - 11.5, axis=-1).T
    tissue = np.select([away < 5, away < 8], [int(Tissue.LV), int(Tissue.MYOCARDIUM)], int(Tissue.FAT)).astype(np.uint8)
    materials = (tissue, tissue.copy(), np.full(geometry.shape, 255, np.uint8))
    save_heart(Heart.of_materials(materials, geometry, {}, "right", 1), folder / "heart.npz")
    return HeartPool((folder / "heart.npz",))


def test_the_rival_trains_goes_on_and_answers(tmp_path: Path) -> None:
    pool = a_pool(tmp_path)
    assert train(MaskOnly(SMALL), pool, tmp_path, Plan(2, 16, 1, keep=[1])) == 2
    assert MaskOnly.load_weights(tmp_path / "mask-only-1.safetensors").settings.steps_done == 1
    again = MaskOnly.load_weights(tmp_path / "mask-only.safetensors")
    assert (again.settings.steps_done, again.settings.voxels) == (2, 2 * 16**3)
    spent = again.settings.seconds
    assert train(again, pool, tmp_path, Plan(3, 16, 1)) == 3
    assert again.settings.voxels == 3 * 16**3
    assert again.settings.seconds > spent
    labels = pool[0].mask.voxels[:20, :, :13]
    one, other = (again.sample(labels, steps=2, seed=4) for _ in range(2))
    assert one.shape == labels.shape
    np.testing.assert_array_equal(one, other)
    assert np.isfinite(one).all()


def test_the_rival_is_as_large_as_the_generator() -> None:
    shipped = json.loads((Path(__file__).parents[3] / "Resources/Models/structdiff-cardiac.json").read_text())
    size = sum(p.numel() for p in MaskOnly().network.parameters())
    assert 0.85 < size / shipped["parameters"] < 1.15
