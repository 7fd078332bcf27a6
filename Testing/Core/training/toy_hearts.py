"""Toy hearts for the training tests: a ball of ventricle in its wall, an aorta and two coronary tubes, in fat and lung."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from StructDiffCore.domain import Geometry
from StructDiffCore.models.network_settings import NetworkSettings
from StructDiffCore.phantom.heart import Heart
from StructDiffCore.phantom.storage import save_heart
from StructDiffCore.phantom.tissues import Tissue
from StructDiffCore.systems.structdiff import StructDiffSettings
from StructDiffCore.training.pool import pool_paths
from StructDiffCore.training.settings import PairSettings, Phase, TrainSettings


def toy_heart(seed: int, size: int = 32, spacing_mm: float = 1.5) -> Heart:
    """A heart of a few simple shapes on a cubic grid; every seed has another size and place."""
    rng = np.random.default_rng(seed)
    half = 0.5 * (size - 1) * spacing_mm
    geometry = Geometry((size,) * 3, (spacing_mm,) * 3, (-half,) * 3)
    at = geometry.to_world(np.moveaxis(np.indices(geometry.shape), 0, -1)) - rng.uniform(-2, 2, 3)
    radius = rng.uniform(0.45, 0.55) * half
    centre_distance = np.linalg.norm(at, axis=-1)
    shapes = [
        (Tissue.FAT, centre_distance - 1.6 * radius),
        (Tissue.MYOCARDIUM, centre_distance - radius),
        (Tissue.LV, centre_distance - 0.6 * radius),
        (Tissue.AORTA, np.maximum(np.hypot(at[..., 0], at[..., 1]) - 4.0, radius - at[..., 2])),
        (Tissue.LEFT_CORONARY, np.hypot(at[..., 0] - radius - 2.5, at[..., 1]) - 1.6),
        (Tissue.RIGHT_CORONARY, np.hypot(at[..., 0] + radius + 2.5, at[..., 2]) - 1.6),
    ]
    tissue = np.full(geometry.shape, Tissue.LUNG, np.uint8)
    second, share = tissue.copy(), np.full(geometry.shape, 255, np.uint8)
    for material, distance_mm in shapes:
        part = np.clip(0.5 - distance_mm / spacing_mm, 0, 1)
        inside, edge = part >= 0.5, (part > 0) & (part < 0.5)
        second = np.where(inside, np.where(part < 1, tissue, second), np.where(edge, material, second)).astype(np.uint8)
        tissue = np.where(inside, material, tissue).astype(np.uint8)
        share = np.where(inside, 255 * part, np.where(edge, 255 * (1 - part), share)).astype(np.uint8)
    return Heart.of_materials((tissue, second, share), geometry, {}, "right", seed)


def toy_settings(steps: int = 6, **changes: Any) -> TrainSettings:
    """A training run of seconds: a tiny network on two toy hearts."""
    network = NetworkSettings((8, 8), (1, 1), (1, 1), slot_features=4, embedding_width=8, detail_channels=4)
    defaults: dict[str, Any] = {
        "system": StructDiffSettings(network, 100.0),
        "phases": (Phase(steps // 2, 8, 2, 3), Phase(steps - steps // 2, 16, 1, 2)),
        "pairs": PairSettings(hearts=2, spacings_mm=(1.5,), pairs_per_group=1),
        "warm_up_steps": 2,
        "checkpoint_every": 2,
        "precision": "32-true",
    }
    return TrainSettings(**{**defaults, **changes})


def fill_with_toys(folder: Path, settings: TrainSettings, size: int = 24) -> Path:
    """Toy hearts under the names the pool looks for, so that none has to be grown."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(pool_paths(folder, settings.pairs, settings.seed)):
        save_heart(toy_heart(number, size), path)
    return folder
