"""The journal: every scored answer as a line of JSON, so that a stopped evaluation goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from StructDiffCore.domain import StructDiffError

from .harness import Result

NAME = "answers.jsonl"


def read_journal(folder: Path, settings: Mapping[str, Any]) -> list[Result]:
    """Answers of an earlier run with the same settings; a journal of other settings is refused, a torn last line left out.

    One without any answer is no journal: its run ended before it began.
    """
    path = folder / NAME
    lines = _lines(path)
    if len(lines) < 2:
        return []
    head = _parsed(lines[0])
    if head is None or head.get("settings") != json.loads(json.dumps(settings)):
        raise StructDiffError(f"{path} belongs to an evaluation with other settings", "choose another --out or remove it")
    found = [_parsed(line) for line in lines[1:]]
    return [Result(**content) for content in found if content is not None]


def begin(folder: Path, settings: Mapping[str, Any]) -> None:
    """Write the settings as the first line, where there is no answer yet; end a line that was torn."""
    path = folder / NAME
    if len(_lines(path)) < 2:
        path.unlink(missing_ok=True)
        _append(folder, {"settings": settings})
    elif not path.read_bytes().endswith(b"\n"):
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")


def note(folder: Path, result: Result) -> None:
    """Add an answer."""
    _append(folder, asdict(result))


def _append(folder: Path, content: Mapping[str, Any]) -> None:
    with (folder / NAME).open("a", encoding="utf-8") as file:
        file.write(json.dumps(content) + "\n")


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        content = json.loads(line)
    except json.JSONDecodeError:
        return None
    return content if isinstance(content, dict) else None
