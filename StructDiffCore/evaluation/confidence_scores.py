"""Scores of every map of a case, per region: against gross errors and against what the judge reads differently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Volume
from StructDiffCore.segmentation.segmenter import Segmenter

from .confidence_cases import ConfidenceCase
from .confidence_maps import Map, Mapped, baselines
from .confidence_metrics import auroc, ause, coverage, ence, partial_rank_correlation

TISSUES = {"coronaries": (8, 9), "myocardium": (1,), "blood": (2, 3, 4, 5, 6, 7), "unlabelled": (0,)}
BIN_EDGES_HU = np.concatenate([[0.0], np.geomspace(0.1, 1000.0, 61), [np.inf]])
"""Bins of deviation of which the isotonic fit is made."""
BIN_CENTRES_HU = np.concatenate([[0.05], np.sqrt(BIN_EDGES_HU[1:-2] * BIN_EDGES_HU[2:-1]), [1000.0]])
FEWEST_VOXELS = 30
"""A smaller region is not scored."""


@dataclass(frozen=True)
class Row:
    """One map on one region of one case."""

    case: str
    domain: str
    damage: str
    map: str
    region: str
    scores: dict[str, float]


@dataclass(frozen=True, eq=False)
class Judged:
    """One case, done."""

    case: str
    domain: str
    damage: str
    rows: list[Row]
    counts: Mapping[str, tuple[list[int], list[int]]]

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Judged:
        return cls(**{**content, "rows": [Row(**row) for row in content["rows"]]})


@dataclass(frozen=True, eq=False)
class Seen:
    """One case with its maps and what is wrong in it."""

    case: ConfidenceCase
    mapped: Mapped
    wrongs: Wrongs
    maps: Mapping[str, Map]
    """The methods' and the baselines'."""

    @classmethod
    def of(cls, case: ConfidenceCase, mapped: Mapped, wrongs: Wrongs) -> Seen:
        return cls(case, mapped, wrongs, {**mapped.deviations_hu, **baselines(case, mapped.clean_hu)})


@dataclass(frozen=True, eq=False)
class Wrongs:
    """What went wrong in a case; arrays (i, j, k). Errors are signed, in HU, against the clean truth."""

    independent: NDArray[np.float32]
    """Of a sample from another seed than the map's: the error that METHODS asks to be judged by."""
    own: NDArray[np.float32]
    """Of the map's own sample."""
    flips: NDArray[np.bool_]
    """Where the judge reads the independent sample otherwise than the truth, under one and the same noise."""


def wrongs_of(case: ConfidenceCase, own_hu: NDArray, independent_hu: NDArray, judge: Segmenter) -> Wrongs:
    """Errors and flips; the judge sees the sample amid the true surroundings, with the truth's own noise."""
    truth, noisy = case.window.truth.clean, case.window.truth.noisy
    shown = noisy.voxels.copy()
    shown[case.box] += independent_hu - truth.voxels[case.box]
    reader = Segmenter(replace(judge.settings, patch=min(judge.settings.patch, noisy.voxels.shape[0])), judge.scheme)
    reader.network = judge.network
    read, wanted = (reader.predict(Volume(voxels, noisy.geometry)).voxels[case.box] for voxels in (shown, noisy.voxels))
    return Wrongs(independent_hu - case.truth_hu, own_hu - case.truth_hu, read != wanted)


def rows_of(seen: Seen, threshold_hu: float, control: Seen | None = None) -> list[Row]:
    """Every map, baselines included, on every region; of a damaged case against the whole one as the ``control``."""
    case, mapped, wrongs = seen.case, seen.mapped, seen.wrongs
    where = {"all": np.ones(case.tube.shape, bool), "tube": case.tube}
    where |= {name: np.isin(case.labels, values) for name, values in TISSUES.items()}
    asked, rows = case.asked, []
    for name, values in seen.maps.items():
        extra = {"cost": mapped.cost[name], "calls": mapped.calls[name]} if name in mapped.cost else {}
        for region, inside in where.items():
            if np.count_nonzero(inside) >= FEWEST_VOXELS:
                scores = _scores(case, values, wrongs, inside, threshold_hu, name in mapped.cost)
                if region == "all":
                    scores |= extra | (damage_scores(name, seen, control, threshold_hu) if control else {})
                rows.append(Row(asked.name, asked.domain, case.damage, name, region, scores))
    return rows


def _scores(
    case: ConfidenceCase, values: Map, wrongs: Wrongs, inside: NDArray[np.bool_], threshold_hu: float, in_hu: bool
) -> dict[str, float]:
    found, error = values[inside], np.abs(wrongs.independent[inside])
    own, edge, tissue = np.abs(wrongs.own[inside]), case.condition.edge_distance_mm[inside], case.condition.slots[inside]
    gross, flips = error > threshold_hu, wrongs.flips[inside]
    scores = {
        "AUROC gross": auroc(found, gross),
        "AUSE gross": ause(found, gross),
        "AUSE HU": ause(found, error),
        "AUROC flips": auroc(found, flips),
        "AUSE flips": ause(found, flips),
        "partial rank correlation": partial_rank_correlation(found, error, tissue, edge),
        "partial rank correlation flips": partial_rank_correlation(found, flips, tissue, edge),
        "own-seed partial rank correlation": partial_rank_correlation(found, own, tissue, edge),
        "own-seed AUROC gross": auroc(found, own > threshold_hu),
        "gross share": float(gross.mean()),
        "flip share": float(flips.mean()),
    }
    return scores | ({"ENCE": ence(found, error), "coverage": coverage(found, error)} if in_hu else {})


def damage_scores(name: str, seen: Seen, control: Seen, threshold_hu: float) -> dict[str, float]:
    """Whether what the damage adds to the map (damaged minus whole, same seed) points at it, and at the errors it makes.

    New errors are gross with the damage and not without, in the independent sample; without the control, a map that is
    always high at vessels would seem to know of every damaged one.
    """
    damaged, values = seen.case.damaged, seen.maps[name]
    added = values - control.maps[name]
    new = (np.abs(seen.wrongs.independent) > threshold_hu) & (np.abs(control.wrongs.independent) <= threshold_hu)
    return {
        "AUROC damage, raw": auroc(values.ravel(), damaged.ravel()),
        "AUROC damage": auroc(added.ravel(), damaged.ravel()),
        "added there": float(added[damaged].mean()) if damaged.any() else float("nan"),
        "AUROC new errors": auroc(added.ravel(), new.ravel()),
        "new share": float(new.mean()),
        "new share there": float(new[damaged].mean()) if damaged.any() else float("nan"),
    }


def counts_of(mapped: Mapped, wrongs: Wrongs, threshold_hu: float) -> Mapping[str, tuple[list[int], list[int]]]:
    """Per method: voxels per bin of deviation, and how many of them are gross."""
    gross = (np.abs(wrongs.independent) > threshold_hu).ravel()
    told = {}
    for name, deviation in mapped.deviations_hu.items():
        place = np.digitize(deviation.ravel(), BIN_EDGES_HU) - 1
        voxels, wrong = (np.bincount(place[chosen], minlength=BIN_CENTRES_HU.size) for chosen in (slice(None), gross))
        told[name] = (voxels.tolist(), wrong.tolist())
    return told
