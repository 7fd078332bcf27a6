"""Weights by name or by file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from StructDiffCore.config.resources import resources_folder
from StructDiffCore.domain import StructDiffError

if TYPE_CHECKING:
    from StructDiffCore.systems.structdiff import StructDiff


def weights_path(model: str) -> Path:
    """The file behind a shipped name or a path; refuses what is neither."""
    shipped = resources_folder() / "Models" / f"{model}.safetensors"
    if shipped.parent == (resources_folder() / "Models") and shipped.is_file():
        return shipped
    path = Path(model).expanduser()
    if path.is_dir():
        raise StructDiffError(f"the model {path} is a folder", "give a .safetensors file")
    if path.is_file():
        return path
    names = sorted(entry.stem for entry in shipped.parent.glob("*.safetensors"))
    known = f"choose {', '.join(names)}" if names else "no weights are shipped with this installation"
    raise StructDiffError(f"no model '{model}': neither shipped weights nor a file", f"{known}, or give a .safetensors file")


def load_system(model: str) -> StructDiff:
    """The generator with its weights; refuses pickles, damaged files and other systems' weights."""
    from StructDiffCore.systems.structdiff import StructDiff

    return StructDiff.load_weights(weights_path(model))
