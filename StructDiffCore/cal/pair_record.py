"""What is known of the pairs that a run has made, also of those that have left the cache."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RECORD = "record.jsonl"


class PairRecord:
    """record.jsonl in the cache's folder: one line per pair made; the last line of a number counts, torn ones do not."""

    def __init__(self, folder: Path) -> None:
        self._path, self._seen = folder / RECORD, -1
        self._told: dict[int, dict[str, Any]] = {}

    def append(self, number: int, told: dict[str, Any]) -> None:
        """One more line; a line that a kill has torn is closed first."""
        before = self._path.read_bytes() if self._path.is_file() else b""
        start = "\n" if before and not before.endswith(b"\n") else ""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(start + json.dumps({"pair": number, **told}) + "\n")

    def read(self) -> dict[int, dict[str, Any]]:
        """Number -> what was told of the pair."""
        size = self._path.stat().st_size if self._path.is_file() else 0
        if size != self._seen:
            self._told, self._seen = dict(_lines(self._path)), size
        return self._told


def _lines(path: Path) -> list[tuple[int, dict[str, Any]]]:
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            told = json.loads(line)
            found.append((int(told.pop("pair")), told))
        except (ValueError, KeyError, AttributeError):
            continue
    return found
