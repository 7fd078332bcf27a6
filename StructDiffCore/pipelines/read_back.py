"""Read back: what the shipped segmenter sees in a synthetic volume, held against the mask asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from StructDiffCore.domain import CARDIAC, LabelMap, StructDiffError, Volume
from StructDiffCore.measures.distance import nearest_seed
from StructDiffCore.measures.overlap import label_dice
from StructDiffCore.topology.report import TopologyReport, topology_report

READ_BACK = "read_back.seg.nrrd"
WORTH = (
    "the segmenter learnt from true renderings of digital hearts only, and on those it already misses and breaks thin vessels: "
    "a broken vessel here may be its error or the volume's"
)


@dataclass(frozen=True, eq=False)
class ReadBack:
    """A segmenter's mask of a synthetic volume on the volume's grid, in the cardiac scheme."""

    mask: LabelMap
    report: TopologyReport
    dice: dict[str, float]
    """Dice per structure against the mask asked for."""
    segmenter_sha256: str

    def lines(self) -> list[str]:
        """Per vessel tree: its topology and how much of it lies where it was asked for."""
        thin = [found for found in self.report.labels if found.label.thin]
        return [f"{found.line()}, Dice {self.dice[found.label.name]:.2f}" for found in thin]

    def as_dict(self) -> dict[str, Any]:
        """JSON form, as manifests carry it."""
        return {
            "segmenter_sha256": self.segmenter_sha256,
            "dice": {name: round(value, 4) for name, value in self.dice.items()},
            "topology": self.report.as_dict(),
            "worth": WORTH,
        }


def refuse_other_schemes(target: LabelMap) -> None:
    """The shipped segmenter knows the cardiac labels only."""
    if target.scheme != CARDIAC:
        raise StructDiffError(
            f"no volume can be read back: the segmenter knows the cardiac labels, the mask's scheme is '{target.scheme.name}'",
            "give --scheme cardiac where the values mean the same, or leave --read-back out",
        )


def read_back(image: Volume, target: LabelMap, before_call: Callable[[], None] | None = None) -> ReadBack:
    """Segment ``image``; the segmenter knows one coronary tree, which is left or right as the nearest vessel asked for."""
    from StructDiffCore.segmentation.judge import shipped_judge, shipped_judge_sha256

    judge = shipped_judge()
    found = judge.predict(image, before_call).voxels.astype(np.uint8)
    asked = np.isin(target.voxels, CARDIAC.thin_values)
    if asked.any():
        sides = nearest_seed(asked, target.voxels, target.geometry.spacing).value
        found = np.where(np.isin(found, CARDIAC.thin_values), sides, found).astype(np.uint8)
    mask = LabelMap(found, target.geometry, CARDIAC)
    dice = {CARDIAC[value].name: share for value, share in label_dice(found, target.voxels).items()}
    return ReadBack(mask, topology_report(mask), dice, shipped_judge_sha256())
