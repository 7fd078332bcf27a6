"""LastUsed: what the job before had read, loaded and aligned, for the next job of a batch that wants the same."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

Thing = TypeVar("Thing")


class LastUsed:
    """One thing per role, kept while its key stays the same."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Hashable, Any]] = {}

    def last(self, role: str, key: Hashable) -> Any:
        """The thing kept for that role and key; None, and whatever was kept is forgotten, where the key is another."""
        known, thing = self._kept.get(role, (None, None))
        if known == key:
            return thing
        self._kept.pop(role, None)
        return None

    def keep(self, role: str, key: Hashable, thing: Thing) -> Thing:
        """Put a thing in the place of the role's last one, and hand it back."""
        self._kept[role] = (key, thing)
        return thing


def state_of(path: Path) -> tuple[str, int, int]:
    """A file by its path and state; a file that is not there has the state 0, 0."""
    try:
        found = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), found.st_mtime_ns, found.st_size
