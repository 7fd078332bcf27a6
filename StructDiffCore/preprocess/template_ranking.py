"""Which template suits a mask best, and why, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from StructDiffCore.domain import Label, LabelMap

from .template_library import LabelSummary, TemplateEntry, spacing_words

WEIGHTS = {"labels": 0.5, "volumes": 0.2, "spacing": 0.2, "field of view": 0.1}
GROUP_WORTH = 0.5
"""A label that is there only by its group (a coronary by the aorta's blood), against one that is there itself."""
WARNING_COST = 0.1


@dataclass(frozen=True)
class RankedTemplate:
    """A template and how well it suits a mask."""

    entry: TemplateEntry
    score: float
    """0 (cannot be used) to 1 (every label, the same volumes, spacing and field of view)."""
    why: str
    """ "has 8 of 9 labels; spacing 0.8 mm"."""


@dataclass(frozen=True)
class _Target:
    """What a mask asks of a template."""

    labels: tuple[Label, ...]
    volume_mm3: dict[int, float]
    spacing: float
    size_mm: float
    """Geometric means over the axes."""

    @classmethod
    def of(cls, mask: LabelMap) -> _Target:
        counts = np.bincount(mask.voxels.ravel())
        volumes = {value: float(counts[value]) * mask.geometry.voxel_volume_mm3 for value in mask.present}
        labels = tuple(mask.scheme[value] for value in mask.present)
        return cls(labels, volumes, _mean(mask.geometry.spacing), _mean(mask.geometry.size_mm))


def rank(entries: Iterable[TemplateEntry], target: LabelMap) -> list[RankedTemplate]:
    """The entries by how well they suit the mask, the best first; those that cannot be used come last with their problem."""
    wanted = _Target.of(target)
    ranked = [_ranked(entry, wanted) for entry in entries]
    return sorted(ranked, key=lambda one: (-one.entry.usable, -one.score, one.entry.id))


def _ranked(entry: TemplateEntry, target: _Target) -> RankedTemplate:
    if not entry.usable:
        return RankedTemplate(entry, 0.0, f"cannot be used: {entry.problem}")
    own = {label.value: found for label in target.labels if (found := _same(label, entry.labels)) is not None}
    groups = {label.group for label in entry.labels if label.group}
    by_group = [label for label in target.labels if label.value not in own and label.group in groups]
    size_mm = _mean(tuple(n * s for n, s in zip(entry.shape, entry.spacing)))
    parts = {
        "labels": (len(own) + GROUP_WORTH * len(by_group)) / max(1, len(target.labels)),
        "volumes": _volume_match(own, target),
        "spacing": _alike(_mean(entry.spacing), target.spacing),
        "field of view": min(1.0, size_mm / target.size_mm),
    }
    score = sum(WEIGHTS[name] * worth for name, worth in parts.items())
    score = max(0.0, score - WARNING_COST * len(entry.warnings))
    return RankedTemplate(entry, round(score, 4), _why(entry, target, own, by_group))


def _same(label: Label, found: tuple[LabelSummary, ...]) -> LabelSummary | None:
    return next((other for other in found if other.name.lower() == label.name.lower()), None)


def _volume_match(own: dict[int, LabelSummary], target: _Target) -> float:
    worth = [_alike(found.volume_mm3, target.volume_mm3[value]) for value, found in own.items()]
    return float(np.mean(worth)) if worth else 0.0


def _alike(one: float, other: float) -> float:
    """1 for equal sizes, 1/2 where one is double the other."""
    return min(one, other) / max(one, other)


def _mean(sizes: tuple[float, ...]) -> float:
    return float(np.exp(np.mean(np.log(sizes))))


def _why(entry: TemplateEntry, target: _Target, own: dict[int, LabelSummary], by_group: list[Label]) -> str:
    words = [f"has {len(own)} of {len(target.labels)} labels"]
    if by_group:
        words.append(f"{', '.join(label.name for label in by_group)} by the look of its group")
    words.append(f"spacing {spacing_words(entry.spacing)}")
    if own:
        ratios = [found.volume_mm3 / target.volume_mm3[value] for value, found in own.items()]
        words.append(f"volumes {min(ratios):.1f} to {max(ratios):.1f} times the mask's")
    return "; ".join([*words, *entry.warnings])
