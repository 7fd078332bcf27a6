"""manifest.json of a result folder: what made the voxels, and never where the inputs lay or whose they were."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from StructDiffCore.domain import StructDiffError

from .atomic import write_text
from .safe_paths import safe_path

MANIFEST = "manifest.json"


def write_manifest(folder: str | Path, content: Mapping[str, Any]) -> Path:
    """Write ``folder / manifest.json`` atomically, marked as synthetic; refuses absolute paths, which may name a patient."""
    document = {"synthetic": True, **content}
    for place, text in _strings(document, ""):
        if PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute():
            raise StructDiffError(f"the manifest's field {place} holds a path", "give an id or a digest instead", "internal")
    path = Path(folder) / MANIFEST
    try:
        write_text(path, json.dumps(document, indent=2, allow_nan=False) + "\n")
    except (TypeError, ValueError) as error:
        raise StructDiffError(f"the manifest cannot be written as JSON ({error})", "", "internal") from None
    return path


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """The manifest of a result folder."""
    path = Path(folder) / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StructDiffError(f"{folder} holds no {MANIFEST}", "give a result folder") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise StructDiffError(f"{path} is not readable ({error})", "make the result again") from None
    if not isinstance(content, dict):
        raise StructDiffError(f"{path} holds no manifest", "make the result again")
    return content


def file_digests(folder: str | Path, names: Iterable[str]) -> dict[str, str]:
    """Name -> SHA-256 of files inside a folder."""
    return {name: hashlib.sha256(safe_path(folder, name).read_bytes()).hexdigest() for name in names}


def _strings(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Every string in a nested structure with its place ("a.b.0")."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _strings(item, f"{place}.{key}".lstrip("."))
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _strings(item, f"{place}.{number}".lstrip("."))
