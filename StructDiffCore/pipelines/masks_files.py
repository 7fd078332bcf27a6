"""What ``structdiff masks`` writes for every mask: labels, trees, the manifest with recipe and proof, a picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .masks_inputs import NamedReference

if TYPE_CHECKING:
    from StructDiffCore.mgm.generate import NewMask


def write_mask(folder: Path, made: NewMask, seed: int, references: Sequence[NamedReference]) -> None:
    """mask.seg.nrrd, trees.json, mask_3d.png and manifest.json in ``folder``."""
    from StructDiffCore.io.files import write_label_map
    from StructDiffCore.pictures.surface_page import save_surface

    write_label_map(made.mask, folder / "mask.seg.nrrd")
    trees = {str(value): tree.as_dict() for value, tree in made.trees.items()}
    (folder / "trees.json").write_text(json.dumps(trees) + "\n", encoding="utf-8")
    faults = ", ".join(one.kind.replace("_", " ") for one in made.recipe.breaks)
    save_surface(
        folder / "mask_3d.png", made.mask, title=f"synthetic mask, broken on purpose: {faults}" if faults else "synthetic mask"
    )
    (folder / "manifest.json").write_text(json.dumps(_manifest(made, seed, references), indent=2) + "\n", encoding="utf-8")


def _manifest(made: NewMask, seed: int, references: Sequence[NamedReference]) -> dict[str, Any]:
    from StructDiffCore import __version__

    return {
        "verb": "masks",
        "synthetic": True,
        "software": {"structdiff": __version__},
        "references": [{"file": one.name, "sha256_16": one.digest, "mended": list(one.mended)} for one in references],
        "seed": seed,
        "quality": "broken on purpose" if made.recipe.breaks else "good",
        "recipe": made.recipe.as_dict(),
        "proof": made.proof.as_dict(),
        "mean_displacement_mm": round(made.displacement_mm, 3),
        "recipes_refused_before": list(made.refused),
        "geometry": made.mask.geometry.as_dict(),
        "files": {"mask": "mask.seg.nrrd", "trees": "trees.json", "picture": "mask_3d.png"},
    }
