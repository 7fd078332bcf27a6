"""HeartPool: the geometry of training hearts, grown once in parallel processes and kept on disk."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from StructDiffCore.domain import StructDiffError
from StructDiffCore.phantom.domains import DOMAINS
from StructDiffCore.phantom.heart import Heart, digital_heart
from StructDiffCore.phantom.storage import load_heart, save_heart
from StructDiffCore.phantom.tissues import Tissue

from .seeds import seed_of
from .settings import PairSettings

ATTEMPTS = 40


@dataclass(frozen=True)
class HeartPool:
    """Hearts on disk, in the order of their seeds."""

    paths: tuple[Path, ...]
    spacings: int = 1
    """Voxel sizes; they take turns along the paths."""

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> Heart:
        heart = load_heart(self.paths[number])
        if not may_train_on(heart):
            raise StructDiffError(f"{self.paths[number].name} is a held-out kind of heart", "delete it, the pool grows another")
        return heart

    def partners(self, number: int) -> list[int]:
        """The other hearts of the same voxel size."""
        every = self.spacings
        return [n for n in range(number % every, len(self), every) if n != number]

    @property
    def data_hash(self) -> str:
        """SHA-256 over the files' contents: what a continued run must find again."""
        digest = hashlib.sha256()
        for path in self.paths:
            digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


def fill_pool(folder: Path, settings: PairSettings, seed: int, processes: int = 1) -> Iterator[tuple[int, int]]:
    """Grow the hearts that are still missing in the folder; yields (present, wanted) after each."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [n for n, path in enumerate(pool_paths(folder, settings, seed)) if not path.exists()]
    done = settings.hearts - len(missing)
    yield done, settings.hearts
    grow = partial(_grow, folder, settings, seed)
    with ProcessPoolExecutor(max(1, processes), multiprocessing.get_context("spawn")) as executor:
        for _ in executor.map(grow, missing):
            done += 1
            yield done, settings.hearts


def open_pool(folder: Path, settings: PairSettings, seed: int) -> HeartPool:
    """The pool that ``fill_pool`` made."""
    paths = pool_paths(folder, settings, seed)
    absent = sum(not path.exists() for path in paths)
    if absent:
        raise StructDiffError(f"{absent} of {len(paths)} hearts are missing in {folder}", "fill the pool first")
    return HeartPool(paths, len(settings.spacings_mm))


def calcium_mm3(heart: Heart) -> float:
    """Volume of calcified plaque."""
    plaque = int(Tissue.CALCIFIED_PLAQUE)
    shares = heart.share[heart.tissue == plaque].sum(dtype=float) + (255.0 - heart.share[heart.second == plaque]).sum(dtype=float)
    return float(shares) / 255 * heart.geometry.voxel_volume_mm3


def may_train_on(heart: Heart) -> bool:
    """Whether the training domain may show this heart, whatever its look."""
    domain = DOMAINS["training"]
    low, high = domain.calcium_range
    return heart.dominance in domain.dominances and low <= calcium_mm3(heart) < high


def pool_paths(folder: Path, settings: PairSettings, seed: int) -> tuple[Path, ...]:
    """Where the hearts of a pool lie, in order; missing ones included."""
    return tuple(folder / f"heart-{seed}-{number:05d}.npz" for number in range(settings.hearts))


def _grow(folder: Path, settings: PairSettings, seed: int, number: int) -> None:
    """Grow heart ``number``: the first of its seeds that the training domain may show and the grid can carry."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    spacing_mm = settings.spacings_mm[number % len(settings.spacings_mm)]
    seeds = (seed_of(seed, "heart", number, attempt) % 2**31 for attempt in range(ATTEMPTS))
    heart = next(h for h in (_allowed(s, spacing_mm) for s in seeds) if h is not None)
    path = pool_paths(folder, settings, seed)[number]
    temporary = path.with_name(f"part-{os.getpid()}-{path.name}")
    save_heart(heart, temporary)
    os.replace(temporary, path)


def _allowed(seed: int, spacing_mm: float) -> Heart | None:
    """The heart of a seed, or None where it is of a held-out kind or its vessels do not fit the grid."""
    try:
        heart = digital_heart(seed, spacing_mm=spacing_mm)
    except StructDiffError:
        return None
    return heart if may_train_on(heart) else None
