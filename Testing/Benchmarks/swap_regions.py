"""What costs the judge its chambers: regions swapped between true renderings and the renderer's volumes, read in two windows,
and where the judge errs on the truth itself. Digital hearts of the evaluation's seeds; no network but the judge.

python Testing/Benchmarks/swap_regions.py --out DIR [--hearts 8]      (5 minutes of one core)
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from StructDiffCore.domain import CARDIAC, Volume
from StructDiffCore.evaluation.case import Case
from StructDiffCore.evaluation.cases import _first_seed, _target_heart, heart_of_domain, phantom_case
from StructDiffCore.evaluation.intervals import bootstrap, bootstrap_of, ratio_of_means
from StructDiffCore.evaluation.obedience import agreement, fidelity
from StructDiffCore.evaluation.settings import EvaluationSettings
from StructDiffCore.measures.distance import distance_to
from StructDiffCore.measures.overlap import dice
from StructDiffCore.phantom.anatomy import DEFAULT_VOXELS
from StructDiffCore.phantom.appearance import draw_appearance
from StructDiffCore.phantom.formation import render
from StructDiffCore.phantom.tissues import LABEL_OF_TISSUE, Tissue
from StructDiffCore.segmentation.judge import shipped_judge
from StructDiffCore.segmentation.segmenter import Segmenter
from StructDiffCore.synthesis.prepared import Prepared, prepare
from StructDiffCore.synthesis.renderer import render_from_prior

DOMAIN, SETTINGS = "training", EvaluationSettings()
VESSELS = (Tissue.DESCENDING_AORTA, Tissue.PULMONARY_VEIN, Tissue.VENA_CAVA)
WALLS = (Tissue.HEART_WALL, Tissue.VESSEL_WALL, Tissue.CALCIFIED_PLAQUE, Tissue.SOFT_PLAQUE)
LUNG = (Tissue.AIR, Tissue.LUNG, Tissue.AIRWAY, Tissue.LUNG_VESSEL)
LUNG_BELOW_HU, BRIGHT_FROM_HU = -300.0, 115.0
"""The renderer knows only HU outside the labels; what it paints bright there are the ghosts of the template's vessels."""
CASE, TRAINED, BETWEEN, WHOLE = SETTINGS.voxels, 48, 64, DEFAULT_VOXELS
"""Windows: all of a case; the crops the judge was trained on; its setting, between them; a whole heart's field."""
MIDDLE = (slice((WHOLE - CASE) // 2, (WHOLE + CASE) // 2),) * 3
READ_SMALL = ("truth", "truth again", "renderer", "labelled", "unlabelled", "vessels, ghosts", "walls", "fat, muscle, bone")
"""Rows that are read in the training window, too (it takes three times as long)."""
SCORES = ("Dice chambers", "Dice aorta", "clDice coronaries", "agreement")
NAMES = {label.value: label.name for label in CARDIAC.labels}
JUDGED = (2, 3, 4, 5, 1, 6)
Hearts = Sequence[dict[str, Any]]


def regions(tissue: NDArray, painted_hu: NDArray, spacing_mm: Sequence[float]) -> dict[str, NDArray]:
    """Where the truth is pasted, from the true tissue and the renderer's hard paint, all (i, j, k)."""
    labelled = LABEL_OF_TISSUE[tissue] > 0
    free, far = ~labelled, distance_to(labelled, np.asarray(spacing_mm))
    vessels, walls, lung = (free & np.isin(tissue, kind) for kind in (VESSELS, WALLS, LUNG))
    bright, dark = free & (painted_hu >= BRIGHT_FROM_HU), free & (painted_hu < LUNG_BELOW_HU)
    parts = {"labelled": labelled, "unlabelled": free, "vessels": vessels, "vessels, ghosts": vessels | bright}
    parts |= {"walls": walls, "lung": lung | dark, "fat, muscle, bone": free & ~(vessels | bright | walls | lung | dark)}
    return parts | {f"shell of {mm:g} mm": free & (far <= mm) for mm in (2.5, 5.0, 10.0)} | {"beyond 5 mm": free & (far > 5.0)}


@dataclass(frozen=True, eq=False)
class Pair:
    """A case, its heart's tissue and what the renderer starts from."""

    case: Case
    tissue: NDArray
    prepared: Prepared
    first_seed: int

    @classmethod
    def of(cls, number: int) -> Pair:
        case, first = phantom_case(DOMAIN, number, SETTINGS), _first_seed(DOMAIN, number, SETTINGS)
        heart = _target_heart(DOMAIN, first, SETTINGS.spacing_mm, SETTINGS.voxels)
        return cls(case, heart.tissue, prepare(case.target, case.template), first)

    def volumes(self, seed: int) -> dict[str, NDArray]:
        """By the table's rows; the seed is the renderer's noise's."""
        p, slots, true = self.prepared, self.prepared.source.slots, self.case.reference.image.voxels
        made = render_from_prior(p.source, p.geometry, p.look.noise, p.look.psf_sigma_mm, seed).noisy.voxels
        places = regions(self.tissue, np.asarray(slots.medians, np.float32)[slots.target], p.geometry.spacing)
        assert self.case.again is not None
        plain = {"truth": true, "truth again": self.case.again.image.voxels, "renderer": made}
        return plain | {name: np.where(w, true, made) for name, w in places.items()}

    def scores(self, read: NDArray) -> dict[str, float]:
        """Fidelity, agreement, and the Dice of every label."""
        labels, template = self.case.target.voxels, self.prepared.template_labels
        off, told = ~near_border(labels), {NAMES[v]: dice(read == v, labels == v) for v in JUDGED}
        told["agreement off borders"] = agreement(read[off], labels[off], template[off])
        return fidelity(read, labels) | told | {"agreement": agreement(read, labels, template)}

    def whole(self) -> Volume:
        """The truth's whole heart in the same look (texture and noise of another seed)."""
        heart = heart_of_domain(DOMAIN, self.first_seed, SETTINGS.spacing_mm)
        appearance = draw_appearance(np.random.default_rng(self.first_seed), DOMAIN)
        return render(heart, appearance, np.random.default_rng([self.first_seed, 2])).noisy


def read_in(judge: Segmenter, window: int, image: Volume) -> NDArray:
    """What the same judge reads with another sliding window."""
    other = copy(judge)
    other.settings = replace(judge.settings, patch=window)
    return other.predict(image).voxels


def near_border(labels: NDArray) -> NDArray:
    """Within two voxels of a border between labels."""
    return ndimage.grey_dilation(labels, size=5) != ndimage.grey_erosion(labels, size=5)


def errors(read: NDArray, tissue: NDArray, value: int) -> Counter[str]:
    """Voxels wrongly called a label or wrongly not, by place and by confusion."""
    labels, core = LABEL_OF_TISSUE[tissue], np.zeros(tissue.shape, bool)
    core[6:-6, 6:-6, 6:-6] = True
    inside, wrong = labels == value, (labels == value) != (read == value)
    extra, missed = wrong & ~inside, wrong & inside
    parts = {"wrong": wrong, "near border": wrong & near_border(labels), "rim": wrong & ~core}
    parts |= {"vessel": extra & np.isin(tissue, VESSELS), "wall": extra & np.isin(tissue, WALLS), "missed": missed}
    parts |= {"other label": extra & (labels > 0) | missed & (read > 0), "inside": inside, "inside rim": inside & ~core}
    parts |= {f"as {NAMES.get(v, 'nothing')}": missed & (read == v) for v in np.unique(read[missed]).tolist()}
    return Counter({name: int(part.sum()) for name, part in parts.items()})


def of_heart(number: int, judge: Segmenter) -> dict[str, Any]:
    """All scores of one case by window and row, and the errors on the truth."""
    pair = Pair.of(number)
    volumes, grid = pair.volumes(SETTINGS.seed + number), pair.case.target.geometry
    rows = {TRAINED: READ_SMALL, BETWEEN: ("truth", "renderer"), CASE: tuple(volumes)}
    found: dict[str, Any] = {"scores": {}, "errors": {}}
    for window, wanted in rows.items():
        reads = {row: read_in(judge, window, Volume(volumes[row], grid)) for row in wanted}
        found["scores"][str(window)] = {row: pair.scores(read) for row, read in reads.items()}
        found["errors"][str(window)] = {NAMES[v]: errors(reads["truth"], pair.tissue, v) for v in JUDGED}
    found["scores"][f"{WHOLE}, whole heart"] = {"truth": pair.scores(read_in(judge, WHOLE, pair.whole())[MIDDLE])}
    return found


def ratio(hearts: Hearts, window: str, row: str, score: str) -> str:
    """To the truth's in the same window, paired by heart; starred where the paired difference to the renderer's excludes zero."""
    told = np.array([[h["scores"][window][r][score] for r in (row, "truth", "renderer")] for h in hearts])
    told = told[np.isfinite(told).all(1)]
    gain = bootstrap((told[:, 0] - told[:, 2]).tolist())
    return f"{bootstrap_of(told, ratio_of_means)}{' *' * (gain.low > 0 or gain.high < 0)}"


def windows_table(hearts: Hearts) -> Iterator[str]:
    """What each window reads on the truth, and what share of it on the renderer's volume."""
    names = (*SCORES[:2], "Dice myocardium", *SCORES[2:], "agreement off borders")
    yield "\n".join(("| window | " + " | ".join(f"truth: {n} | renderer / truth's" for n in names) + " |", "|---" * 13 + "|"))
    for window, rows in hearts[0]["scores"].items():
        cells = [str(bootstrap([h["scores"][window]["truth"][n] for h in hearts])) for n in names]
        told = [ratio(hearts, window, "renderer", n) if "renderer" in rows else "" for n in names]
        yield f"| {window} | " + " | ".join(f"{a} | {b}" for a, b in zip(cells, told)) + " |"


def swaps_table(hearts: Hearts) -> Iterator[str]:
    """Score / truth's of every swap."""
    columns = [(str(w), n) for w in (CASE, TRAINED) for n in SCORES]
    yield "\n".join(("| renderer, true in | " + " | ".join(f"{n}, window {w}" for w, n in columns) + " |", "|---" * 9 + "|"))
    for row in [r for r in hearts[0]["scores"][str(CASE)] if r != "truth"]:
        told = [ratio(hearts, w, row, n) if row in hearts[0]["scores"][w] else "" for w, n in columns]
        yield f"| {row} | " + " | ".join(told) + " |"


def errors_table(hearts: Hearts) -> Iterator[str]:
    """Shares of the wrong voxels on the truth, all hearts together; "rim": within 6 voxels of the field's edge."""
    parts = ("near border", "other label", "vessel", "wall", "rim")
    yield f"| label | window | Dice | {' | '.join(parts)} (of the label) | missed voxels are called |\n" + "|---" * 9 + "|"
    for name, window in [(NAMES[v], str(w)) for v in JUDGED for w in (CASE, TRAINED)]:
        total: Counter[str] = sum((Counter(h["errors"][window][name]) for h in hearts), Counter())
        shares = " | ".join(f"{total[part] / max(1, total['wrong']):.2f}" for part in parts)
        missed = [(k[3:], n / max(1, total["missed"])) for k, n in total.most_common() if k.startswith("as ")]
        called = ", ".join(f"{as_what} {share:.2f}" for as_what, share in missed if share >= 0.05)
        told = bootstrap([h["scores"][window]["truth"].get(name, np.nan) for h in hearts])
        yield f"| {name} | {window} | {told} | {shares} ({total['inside rim'] / max(1, total['inside']):.2f}) | {called} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hearts", type=int, default=8)
    told, judge, hearts = parser.parse_args(), shipped_judge(), []
    told.out.mkdir(parents=True, exist_ok=True)
    for number in range(told.hearts):
        hearts.append(of_heart(number, judge))
        (told.out / "swap_regions.json").write_text(json.dumps(hearts, indent=1) + "\n")
        lines = (*windows_table(hearts), "", *swaps_table(hearts), "", *errors_table(hearts), "")
        (told.out / "swap_regions.md").write_text("\n".join(lines))
        print(f"heart {number + 1} of {told.hearts}", flush=True)


if __name__ == "__main__":
    main()
