"""Where a synthetic case comes from: the ids that keep relatives on one side of a split when it is exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from StructDiffCore.domain import StructDiffError, Template
from StructDiffCore.io.files import mask_id
from StructDiffCore.io.manifest import read_manifest


def lineage_of(mask_file: Path, template: Template) -> dict[str, Any]:
    """Ids of the template's mask and of the masks that ``mask_file`` was made from, as the manifest beside it tells."""
    return {"template_mask_id": mask_id(template.pair.mask), "mask_references": mask_references(mask_file)}


def mask_references(mask_file: Path) -> list[str]:
    """Ids of the reference masks behind a mask that ``structdiff masks`` or a synthesis left; none for any other mask."""
    try:
        told = read_manifest(mask_file.parent)
    except StructDiffError:
        return []
    files = told.get("files")
    if not isinstance(files, dict) or files.get("mask") != mask_file.name:
        return []
    references = told.get("references") or []
    made_from = [str(one["sha256_16"]) for one in references if isinstance(one, dict) and "sha256_16" in one]
    return sorted({*made_from, *map(str, told.get("mask_references") or [])})
