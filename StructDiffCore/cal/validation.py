"""How good the weights are on the held-out cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from StructDiffCore.measures.overlap import dice
from StructDiffCore.segmentation.segmenter import Segmenter

from .prepared import PreparedCase


@dataclass(frozen=True)
class Score:
    """Dice per label over the held-out cases that show it, and their mean."""

    mean: float
    labels: dict[str, float]


def validate(segmenter: Segmenter, cases: Sequence[PreparedCase]) -> Score:
    """Dice at the network's voxel size; a label that no held-out case shows is not counted."""
    found: dict[str, list[float]] = {}
    for case in cases:
        answer, truth = segmenter.classes_of(case.image), case.classes
        for number, name in enumerate(segmenter.settings.label_names, start=1):
            if case.note["voxels"].get(str(number)):
                found.setdefault(name, []).append(dice(answer == number, truth == number))
    labels = {name: sum(values) / len(values) for name, values in found.items()}
    return Score(sum(labels.values()) / len(labels) if labels else 0.0, labels)
