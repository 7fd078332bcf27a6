"""Storage: digital hearts in .npz files (no pickle), written to a temporary name and renamed."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from StructDiffCore.domain import Geometry, StructDiffError
from StructDiffCore.vessels.graph import VesselGraph

from .heart import Heart

FORMAT = "structdiff-heart-1"


def save_heart(heart: Heart, path: Path | str) -> Path:
    """Write a heart to ``path`` (.npz); a reader never sees half of one. Returns the path."""
    path = Path(path)
    about = {
        "format": FORMAT,
        "geometry": heart.geometry.as_dict(),
        "trees": {side: tree.as_dict() for side, tree in heart.trees.items()},
        "dominance": heart.dominance,
        "seed": heart.seed,
    }
    text = np.frombuffer(json.dumps(about).encode(), np.uint8)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            np.savez_compressed(file, tissue=heart.tissue, second=heart.second, share=heart.share, about=text)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StructDiffError(f"the heart cannot be written to {path} ({error})", "give a writable folder with room") from None
    return path


def load_heart(path: Path | str) -> Heart:
    """Read a heart written by ``save_heart``; refuses anything else."""
    try:
        with np.load(Path(path), allow_pickle=False) as content:
            about = json.loads(content["about"].tobytes().decode())
            materials = (content["tissue"], content["second"], content["share"])
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise StructDiffError(f"{path} is no digital heart ({error})", "make it again with save_heart") from None
    if about.get("format") != FORMAT:
        raise StructDiffError(
            f"{path} has the format {about.get('format')!r}, expected {FORMAT!r}", "make it again with save_heart"
        )
    trees = {side: VesselGraph.from_dict(tree) for side, tree in about["trees"].items()}
    return Heart.of_materials(materials, _geometry(about["geometry"]), trees, about["dominance"], int(about["seed"]))


def _geometry(content: dict[str, Any]) -> Geometry:
    return Geometry(
        tuple(content["shape"]), tuple(content["spacing_mm"]), tuple(content["origin_ras_mm"]), content["direction_ras"]
    )
