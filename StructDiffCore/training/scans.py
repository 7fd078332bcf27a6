"""ScanPool: real scans split into anatomy and noise, cached on disk, read in boxes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import StructDiffError

CARD = "card.json"
ARRAYS = ("clean", "noise", "labels")
Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class ScanCard:
    """What is known of a cached scan."""

    name: str
    spacing_mm: tuple[float, float, float]
    train_slices: tuple[int, int]
    """Slices [first, last) along k that training may show; the others are held aside for validation."""
    thin_values: tuple[int, ...] = ()
    """Labels of thin vessels."""
    source: Mapping[str, Any] | None = None
    """Where it came from and what the split into anatomy and noise measured."""


@dataclass(frozen=True)
class Scan:
    """One scan on disk, oriented RAS."""

    folder: Path
    card: ScanCard

    @property
    def shape(self) -> tuple[int, int, int]:
        i, j, k = self._array("clean").shape
        return i, j, k

    def read(self, name: str, box: Box) -> NDArray[np.float32]:
        """A box of 'clean' or 'noise' in HU, float32."""
        return np.asarray(self._array(name)[box], np.float32)

    def labels(self, box: Box) -> NDArray[np.int32]:
        """The scan's own labels in a box, 0 where it has none."""
        return np.asarray(self._array("labels")[box], np.int32)

    def _array(self, name: str) -> NDArray[Any]:
        return np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)


@dataclass(frozen=True)
class ScanPool:
    """All scans of a folder, in the order of their names."""

    scans: tuple[Scan, ...]

    def __len__(self) -> int:
        return len(self.scans)

    def __getitem__(self, number: int) -> Scan:
        return self.scans[number]

    @property
    def data_hash(self) -> str:
        """SHA-256 over the files' contents."""
        digest = hashlib.sha256()
        for scan in self.scans:
            for name in (CARD, *(f"{array}.npy" for array in ARRAYS)):
                with (scan.folder / name).open("rb") as file:
                    digest.update(name.encode() + hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()


def open_scans(folder: Path) -> ScanPool:
    """The scans that ``write_scan`` put into a folder."""
    found = [Scan(card.parent, _read_card(card)) for card in sorted(folder.glob(f"*/{CARD}"))]
    if not found:
        raise StructDiffError(f"no cached scan in {folder}", "cache some first: python -m StructDiffCore.pipelines.scan_cache")
    return ScanPool(tuple(found))


def write_scan(folder: Path, card: ScanCard, arrays: Sequence[NDArray[Any]]) -> Path:
    """Write clean, noise (HU, stored as int16) and labels; the scan appears only when it is whole."""
    part, final = folder / f".part-{os.getpid()}-{card.name}", folder / card.name
    part.mkdir(parents=True, exist_ok=True)
    for name, array in zip(ARRAYS, arrays):
        stored = array.astype(np.uint16) if name == "labels" else np.clip(np.rint(array), -32768, 32767).astype(np.int16)
        np.save(part / f"{name}.npy", stored, allow_pickle=False)
    (part / CARD).write_text(json.dumps(asdict(card), indent=1), encoding="utf-8")
    os.replace(part, final)
    return final


def _read_card(path: Path) -> ScanCard:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        tuples = {name: tuple(content[name]) for name in ("spacing_mm", "train_slices", "thin_values")}
        return ScanCard(**{**content, **tuples})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StructDiffError(f"{path} is no scan card ({error})", "cache the scan again") from None
