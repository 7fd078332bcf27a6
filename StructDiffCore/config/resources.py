"""Where the shipped Resources lie: in a checkout, in an installed wheel, inside Slicer."""

from __future__ import annotations

from pathlib import Path

import StructDiffCore
from StructDiffCore.domain import StructDiffError


def resources_folder() -> Path:
    """The folder with Models/ and Templates/; a wheel carries it inside the package, a checkout beside it."""
    package = Path(StructDiffCore.__file__).resolve().parent
    for candidate in (package / "Resources", package.parent / "Resources"):
        if (candidate / "Models").is_dir():
            return candidate
    raise StructDiffError(
        f"the shipped Resources are neither in {package} nor beside it",
        "install StructDiff again (pip install structdiff)",
        "missing_dependency",
    )


def shared_data_folder() -> Path | None:
    """The folder of real scans beside a developer's checkout, or None where there is none."""
    folder = Path(StructDiffCore.__file__).resolve().parent.parent.parent / "shared" / "data"
    return folder if folder.is_dir() else None
