"""Whose paths are believed (ADR 14).

Settings files, plans and data lists are written by the person who runs the command: as arguments do, they may name any file to
*read*. What travels with data (manifests, dataset.json, splits) was written by others: its paths stay inside their folder.
Nothing that a file says moves what is *written* out of the folder that the command was given.
"""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

from StructDiffCore.domain import StructDiffError


def safe_path(folder: str | Path, name: str) -> Path:
    """``folder / name`` if that lies inside the folder, links resolved; refused otherwise."""
    root = Path(folder).resolve()
    if not isinstance(name, str) or not name or "\0" in name:
        raise StructDiffError(f"{name!r} is not a file name", f"name a file inside {root}")
    portable = name.replace("\\", "/")
    inside = (root / portable).resolve()
    if Path(portable).is_absolute() or PureWindowsPath(name).drive or _is_outside(root, inside):
        raise _leaves(name, root)
    return inside


def refuse_outside(folder: str | Path, path: Path) -> None:
    """Refuse a path that, links resolved, does not lie inside the folder."""
    root = Path(folder).resolve()
    if _is_outside(root, path.resolve()):
        raise _leaves(str(path), root)


def _is_outside(root: Path, found: Path) -> bool:
    return found == root or not found.is_relative_to(root)


def _leaves(name: str, root: Path) -> StructDiffError:
    return StructDiffError(f"the path '{name}' leaves its folder {root}", "use names relative to that folder")
