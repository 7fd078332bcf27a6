"""What confidence maps do to a run: how many voxels of each class they doubt, and how much of its weight they move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import LabelScheme

DOUBTED = 0.5
"""A weight below this counts as doubt."""
EVEN = 0.05
"""Where the maps move less than this share of every class's weight, a person is warned that they do next to nothing."""
BACKGROUND = "background"


@dataclass(frozen=True)
class ClassTrust:
    """One class's voxels under the weights at the end of the ramp (rho = 1)."""

    voxels: int = 0
    doubted: float = 0.0
    """Voxels with a weight below ``DOUBTED``."""
    weight: float = 0.0
    """Sum of the weights."""
    moved: float = 0.0
    """Voxels' worth of weight that lies elsewhere than with even weights: voxels x total variation from even."""

    @classmethod
    def of(cls, weights: NDArray[np.floating]) -> ClassTrust:
        """Of one class of one pair, weights (n,) in [0, 1]."""
        values = weights.astype(np.float64)
        total = values.sum()
        moved = 0.5 * np.abs(values * (values.size / total) - 1).sum() if total > 0 else float(values.size)
        return cls(values.size, float((values < DOUBTED).sum()), float(total), float(moved))

    def __add__(self, other: ClassTrust) -> ClassTrust:
        ours, theirs = vars(self), vars(other)
        return ClassTrust(**{name: ours[name] + theirs[name] for name in ours})

    def shares(self) -> dict[str, float]:
        """Of the class's voxels: doubted, moved; and the mean weight."""
        n = max(1, self.voxels)
        told = {"mean": self.weight / n, "doubted": self.doubted / n, "moved": self.moved / n}
        return {"voxels": self.voxels, **{name: round(value, 6) for name, value in told.items()}}


def trust_by_class(trust: NDArray[np.floating], classes: NDArray[np.uint8]) -> dict[str, dict[str, float]]:
    """JSON form, by class number, of one pair."""
    return {str(number): vars(ClassTrust.of(trust[classes == number])) for number in np.unique(classes)}


def trust_summary(notes: Sequence[Mapping[str, Any]], scheme: LabelScheme) -> dict[str, Any]:
    """Over the pairs that have a map (their ``trust`` notes): which maps, and shares per class by name; empty without any."""
    told = [note["trust"] for note in notes if "trust" in note]
    if not told:
        return {}
    classes: dict[str, ClassTrust] = {}
    for one in told:
        for number, found in one["classes"].items():
            classes[number] = classes.get(number, ClassTrust()) + ClassTrust(**found)
    names = {"0": BACKGROUND, **{str(n): label.name for n, label in enumerate(scheme.labels, start=1)}}
    maps = [one["map"] for one in told]
    return {
        "pairs": len(notes),
        "maps": {name: maps.count(name) for name in sorted(set(maps))},
        "all": sum(classes.values(), ClassTrust()).shares(),
        "classes": {names[number]: classes[number].shares() for number in sorted(classes, key=int)},
    }


def words_on_trust(summary: Mapping[str, Any]) -> list[str]:
    """The summary for a person: which map, doubt per class, and a warning where the weights do next to nothing."""
    if not summary:
        return []
    maps = ", ".join(f"{name} for {count}" for name, count in summary["maps"].items())
    rest = summary["pairs"] - sum(summary["maps"].values())
    rest_words = f", trusted whole for {rest}" if rest else ""
    whole = summary["all"]
    doubt = ", ".join(f"{name} {_percent(one['doubted'])}" for name, one in summary["classes"].items())
    lines = [
        f"confidence of {summary['pairs']} synthetic pairs: {maps}{rest_words}; mean {whole['mean']:.4f}",
        f"voxels with a weight below {DOUBTED}: {_percent(whole['doubted'])} of all ({doubt})",
    ]
    everywhere, structure = _most_moved(summary["classes"]), _most_moved(summary["classes"], BACKGROUND)
    words = f"the weights move at most {everywhere} of a class's weight; of a structure's, {structure}"
    if all(one["moved"] < EVEN for one in summary["classes"].values()):
        words = f"warning: this is the plain loss in all but name: {words}"
    return [*lines, words]


def _most_moved(classes: Mapping[str, Mapping[str, float]], apart: str = "") -> str:
    moved = {name: one["moved"] for name, one in classes.items() if name != apart}
    most = max(moved, key=lambda name: moved[name], default="")
    return f"{_percent(moved[most])} (in {most})" if most else "nothing"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"
