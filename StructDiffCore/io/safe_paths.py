"""Paths that come from files (manifests, plans, data-set lists) stay inside their folder."""

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
    absolute = Path(portable).is_absolute() or bool(PureWindowsPath(name).drive)
    if absolute or inside == root or not inside.is_relative_to(root):
        raise StructDiffError(f"the path '{name}' leaves its folder {root}", "use names relative to that folder")
    return inside
