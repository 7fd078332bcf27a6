"""PreparedCase: a pair at the network's voxel size as arrays on disk, so that a crop costs a few pages of it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry, ImageMaskPair, LabelScheme, StructDiffError, Volume
from StructDiffCore.io.integrity import naming, refuse_missing
from StructDiffCore.io.schemes import identity_of
from StructDiffCore.preprocess.grids import resample_labels, resample_volume
from StructDiffCore.preprocess.sanity import check_hu
from StructDiffCore.segmentation.fit import class_indices

from .cases import PairFiles
from .confidence import TrustFile, read_confidence, refuse_no_trust, trust_file
from .settings import PretrainSettings
from .trust_report import trust_by_class

NOTE = "case.json"
MOST_POSITIONS = 20_000
"""Voxels kept per class for centring crops on; more would not make the draw any finer."""
BEYOND = -1.0
"""Marks voxels of the new grid that the map does not reach."""


@dataclass(frozen=True)
class PreparedCase:
    """Arrays of one pair: image.npy (int16 HU), classes.npy (uint8), trust.npy (float16, synthetic pairs with a map only)."""

    folder: Path
    files: PairFiles

    @cached_property
    def note(self) -> dict[str, Any]:
        """Digest of the files, ids of the pair, voxels per class, and what its confidence map does."""
        return json.loads((self.folder / NOTE).read_text(encoding="utf-8"))

    @property
    def image(self) -> NDArray[np.int16]:
        return np.load(self.folder / "image.npy", mmap_mode="r", allow_pickle=False)

    @property
    def classes(self) -> NDArray[np.uint8]:
        return np.load(self.folder / "classes.npy", mmap_mode="r", allow_pickle=False)

    @property
    def trust(self) -> NDArray[np.float16] | None:
        path = self.folder / "trust.npy"
        return np.load(path, mmap_mode="r", allow_pickle=False) if path.is_file() else None

    @cached_property
    def positions(self) -> dict[int, NDArray[np.int32]]:
        """Voxels (n, 3) of every class that occurs, background apart."""
        table = np.load(self.folder / "positions.npy", allow_pickle=False)
        return {int(number): table[table[:, 0] == number, 1:] for number in np.unique(table[:, 0])}

    @property
    def kin(self) -> frozenset[str]:
        """What this pair is and what it was made from: shared with another pair, both belong on one side of a split."""
        return frozenset({*self.note["ids"], *self.files.parents})


def prepared(files: PairFiles, place: Path, settings: PretrainSettings, scheme: LabelScheme, weighted: bool) -> PreparedCase:
    """Read, check and resample one pair into ``place``, unless that was done already; refuses whatever is wrong with it."""
    trust = wanted_trust(files, settings) if weighted else None
    return prepared_as(_key(files, settings, scheme, trust), files, place, settings, scheme, trust)


def prepared_as(
    name: str, files: PairFiles, place: Path, settings: PretrainSettings, scheme: LabelScheme, trust: TrustFile | None
) -> PreparedCase:
    """The pair as ``place / name``: all of it, or nothing under that name."""
    case = PreparedCase(place / name, files)
    if not (case.folder / NOTE).is_file():
        partial = place / f".{name}.{os.getpid()}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            _write(partial, files, settings, scheme, trust)
            _moved(partial, case.folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return case


def _moved(partial: Path, final: Path) -> None:
    """Rename, unless another process of the run was faster."""
    try:
        os.replace(partial, final)
    except OSError:
        if not (final / NOTE).is_file():
            raise


def learnt_values(settings: PretrainSettings, scheme: LabelScheme) -> tuple[int, ...]:
    """The labels that are classes 1..n: those asked for, without those that count as another."""
    strangers = scheme.unknown([*settings.labels, *settings.merged, *settings.merged.values()])
    if strangers:
        raise StructDiffError(f"the scheme '{scheme.name}' does not know the labels {strangers}", f"choose from {scheme.values}")
    wanted = settings.labels or scheme.values
    return tuple(value for value in scheme.values if value in wanted and value not in settings.merged)


def _key(files: PairFiles, settings: PretrainSettings, scheme: LabelScheme, trust: TrustFile | None) -> str:
    """Changes whenever a file or what is made of it does."""
    stats = []
    for path in _read_files(files, trust):
        refuse_missing(path)
        stats.append((str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns))
    ways = preparation(settings, scheme)
    return hashlib.sha256(json.dumps([stats, ways, trust is not None, files.id]).encode()).hexdigest()[:16]


def preparation(settings: PretrainSettings, scheme: LabelScheme) -> dict[str, Any]:
    """How pairs are prepared, JSON-able: what is made of the same files changes with it."""
    content = settings.as_dict()
    ways = {name: content[name] for name in ("labels", "merged", "spacing_mm", "confidence")}
    return {**ways, "scheme": identity_of(scheme, settings.scheme)}


def _read_files(files: PairFiles, trust: TrustFile | None) -> tuple[Path, ...]:
    """Everything that decides the prepared pair."""
    return files.files if trust is None else (*files.files, trust.path)


def _write(folder: Path, files: PairFiles, settings: PretrainSettings, scheme: LabelScheme, trust: TrustFile | None) -> None:
    pair, ids = files.read(scheme)
    check_hu(pair.image, str(files.image))
    grid = pair.geometry.with_spacing((settings.spacing_mm,) * 3)
    note: dict[str, Any] = {"digest": _digest(_read_files(files, trust)), "ids": list(ids)}
    known = None if trust is None else _trust(trust, pair, grid, settings)
    image, labels = resample_volume(pair.image, grid).voxels, resample_labels(pair.mask, grid).voxels
    for old, new in settings.merged.items():
        labels = np.where(labels == old, new, labels)
    classes = class_indices(labels, learnt_values(settings, scheme))
    np.save(folder / "image.npy", np.clip(np.rint(image), -32768, 32767).astype(np.int16))
    np.save(folder / "classes.npy", classes)
    np.save(folder / "positions.npy", _positions(classes))
    numbers, counts = np.unique(classes, return_counts=True)
    note["voxels"] = dict(zip(map(str, numbers), map(int, counts)))
    if known is not None and trust is not None:
        np.save(folder / "trust.npy", known)
        note["trust"] = {"map": f"{trust.path.name} ({trust.words})", "classes": trust_by_class(known, classes)}
    (folder / NOTE).write_text(json.dumps(note), encoding="utf-8")


def _trust(source: TrustFile, pair: ImageMaskPair, grid: Geometry, settings: PretrainSettings) -> NDArray[np.float16]:
    """The pair's confidence at the network's voxel size; 1 beyond the map, where there is air for certain."""
    found = read_confidence(source, pair.geometry, settings.confidence.tolerance_hu, settings.confidence.full_trust_at)
    around = resample_volume(Volume(found.voxels, found.geometry), grid, outside=BEYOND, antialias=False).voxels
    kept = np.clip(around, 0, 1).astype(np.float16)
    refuse_no_trust(kept, source.path)
    return np.where(around == BEYOND, np.float16(1), kept)


def wanted_trust(files: PairFiles, settings: PretrainSettings) -> TrustFile | None:
    """The pair's map; None where none is asked for, or a missing one means trust."""
    if not settings.confidence.weighs:
        return None
    found = trust_file(files, settings.confidence.kind)
    if found is None and settings.confidence.missing == "refuse":
        raise StructDiffError(
            f"the synthetic pair {files.id} has no confidence map", "synthesize with --ssv, or set confidence.missing: trust"
        )
    return found


def _positions(classes: NDArray[np.uint8]) -> NDArray[np.int32]:
    """(n, 4): class and voxel, an evenly spread part of each class."""
    found = []
    for number in np.unique(classes[classes > 0]):
        voxels = np.argwhere(classes == number)
        voxels = voxels[:: max(1, len(voxels) // MOST_POSITIONS)]
        found.append(np.column_stack([np.full(len(voxels), number), voxels]))
    return np.concatenate([np.zeros((0, 4), np.int32), *found]).astype(np.int32)


def _digest(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with naming(path), path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
