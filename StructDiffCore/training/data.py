"""TrainingData: what a run learns from: digital hearts, cached real scans, or both."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .pool import fill_pool, open_pool
from .scans import open_scans
from .settings import TrainSettings


@dataclass(frozen=True)
class TrainingData:
    """Folders of a run's data; which of them are used is said by ``real_share``."""

    settings: TrainSettings
    hearts: Path
    scans: Path

    @property
    def wants_hearts(self) -> bool:
        return self.settings.pairs.real_share < 1

    @property
    def wants_scans(self) -> bool:
        return self.settings.pairs.real_share > 0

    def fill(self, processes: int) -> Iterator[tuple[int, int]]:
        """Grow the hearts that are missing; yields (present, wanted). Scans must have been cached."""
        if self.wants_scans:
            open_scans(self.scans)
        if self.wants_hearts:
            yield from fill_pool(self.hearts, self.settings.pairs, self.settings.seed, processes)

    @property
    def hash(self) -> str:
        """SHA-256 over the contents of all that is used."""
        parts = []
        if self.wants_hearts:
            parts.append(open_pool(self.hearts, self.settings.pairs, self.settings.seed).data_hash)
        if self.wants_scans:
            parts.append(open_scans(self.scans).data_hash)
        return parts[0] if len(parts) == 1 else hashlib.sha256("/".join(parts).encode()).hexdigest()
