"""SHA-256 of shipped files, and what their cards state."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def expected_sha256(path: Path) -> str | None:
    """The "sha256" of the JSON card beside a file (same name, .json); None without a card."""
    card = path.with_suffix(".json")
    if not card.is_file():
        return None
    stated = json.loads(card.read_text(encoding="utf-8")).get("sha256")
    return str(stated) if stated else None
