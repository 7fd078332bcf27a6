"""Testing: what a segmenter sees on one test scan, structure by structure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import ImageMaskPair, Triple
from StructDiffCore.io.atomic import write_text
from StructDiffCore.io.files import mask_id, template_id
from StructDiffCore.measures.betti_errors import betti_error
from StructDiffCore.measures.mask_comparison import homotopic_cldice
from StructDiffCore.measures.overlap import dice
from StructDiffCore.measures.surface import surface_distance
from StructDiffCore.segmentation.segmenter import Segmenter

from .learning import PRETRAINED, WEIGHTS, refuse_leak

SCORES = "scores.json"
Structures = Mapping[str, tuple[int, ...]]
"""Name -> the labels that make it up."""


def test_scan(
    training: Path, name: str, pair: ImageMaskPair, structures: Structures, thin: tuple[str, ...], out: Path, tuned: bool
) -> None:
    """Write scores.json {structure: {score: value}} of the segmenter in ``training``; refuses a scan that it learnt from."""
    refuse_leak(training, name, (template_id(pair), mask_id(pair.mask)))
    found = _segmenter(training / (WEIGHTS if tuned else PRETRAINED)).predict(pair.image).voxels
    truth, spacing = pair.mask.voxels, pair.geometry.spacing
    scores = {
        structure: structure_scores(np.isin(found, values), np.isin(truth, values), spacing, structure in thin)
        for structure, values in structures.items()
    }
    write_text(out / SCORES, json.dumps(scores, indent=1))


def structure_scores(found: NDArray[np.bool_], truth: NDArray[np.bool_], spacing: Triple, thin: bool) -> dict[str, float]:
    """Dice, HD95, Betti errors and, of thin structures, clDice with skeletons that keep the topology.

    A structure that only one of the masks shows is the grid's diagonal away.
    """
    distance, betti = surface_distance(found, truth, spacing).hd95_mm, betti_error(found, truth)
    farthest = float(np.linalg.norm(np.multiply(truth.shape, spacing)))
    scores = {"Dice": dice(found, truth), "HD95 mm": min(distance, farthest)}
    scores |= {"b0 error": float(betti.b0), "b1 error": float(betti.b1), "b2 error": float(betti.b2)}
    return scores | ({"clDice": homotopic_cldice(found, truth, spacing)} if thin else {})


def read_scores(place: Path) -> dict[str, dict[str, float]]:
    """What ``test_scan`` left."""
    scores: dict[str, dict[str, float]] = json.loads((place / SCORES).read_text(encoding="utf-8"))
    return scores


@lru_cache(maxsize=1)
def _segmenter(weights: Path) -> Segmenter:
    return Segmenter.load_weights(weights)
