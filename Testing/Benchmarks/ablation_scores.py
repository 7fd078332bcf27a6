"""Scores of ablation rows on crops that training never shows, the same crops for every row, and their table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from StructDiffCore.diffusion.dpm_solver import dpm_solver_pp_2m
from StructDiffCore.diffusion.levels import log_snr_levels
from StructDiffCore.diffusion.sampling import last_clean, start_noise
from StructDiffCore.evaluation.intervals import bootstrap
from StructDiffCore.systems.structdiff import StructDiff
from StructDiffCore.training.crops import TrainingCrop
from StructDiffCore.training.pairs import PairStream
from StructDiffCore.training.pool import HeartPool
from StructDiffCore.training.scan_pairs import ScanPairStream
from StructDiffCore.training.scans import ScanPool, open_scans
from StructDiffCore.training.seeds import numpy_generator, torch_generator
from StructDiffCore.training.settings import PairSettings, Phase

CROP, CALLS, SEED, LOOK_SEED = 32, 6, 900_001, 2
SOURCES = {"hearts": "phantoms", "scans": "scans held aside"}
COLUMNS = {"mean": "mean error", "smooth": "smoothed", "thin": "thin", "detail": "detail"}
Numbers = dict[str, float]


@dataclass(frozen=True)
class Validation:
    """Fixed pairs: the pool's hearts in shapes and looks of another seed, slices of the scans that were held aside."""

    settings: PairSettings
    hearts: Path
    scans: Path
    pairs: int

    @cached_property
    def crops(self) -> dict[str, list[list[TrainingCrop]]]:
        """The crops of every pair, by source."""
        phase = Phase(1, CROP, 1, crops_per_direction=2)
        return {
            source: [list(stream.crops(phase, numpy_generator(SEED, source, n))) for n in range(self.pairs)]
            for source, stream in self._streams().items()
        }

    def _streams(self) -> dict[str, PairStream | ScanPairStream]:
        pool = HeartPool(tuple(sorted(self.hearts.glob(f"heart-{LOOK_SEED}-*.npz"))), len(self.settings.spacings_mm))
        aside = tuple(s for s in open_scans(self.scans).scans if s.shape[2] - s.card.train_slices[1] >= CROP)
        return {
            "hearts": PairStream(pool, self.settings),
            "scans": ScanPairStream(ScanPool(aside), self.settings, held_aside=True),
        }


@torch.inference_mode()
def scores(system: StructDiff, validation: Validation, nulled: Sequence[str]) -> dict[str, list[Numbers]]:
    """Per source the scores of every pair, a mean over its crops; ``nulled`` inputs are withheld."""
    system.to("cpu", torch.bfloat16)
    found: dict[str, list[Numbers]] = {}
    for source, pairs in validation.crops.items():
        found[source] = []
        for number, crops in enumerate(pairs):
            rows = [_numbers(_answer(system, crop.nulled(nulled), number), crop) for crop in crops]
            names = dict.fromkeys(name for row in rows for name in row)
            found[source].append({name: float(np.mean([row[name] for row in rows if name in row])) for name in names})
    return found


def _answer(system: StructDiff, crop: TrainingCrop, number: int) -> np.ndarray:
    """HU (i, j, k) of one sampled answer."""
    generator, levels = torch_generator(SEED, "start", number), log_snr_levels(CALLS)
    start = start_noise((1, 1, *crop.condition.shape), [generator]) * levels[0].sigma
    clean = last_clean(dpm_solver_pp_2m(system.denoiser(system.encode([crop.condition])), start, levels, [generator]))
    return clean[0, 0].float().numpy() * system.settings.residual_scale_hu + crop.condition.prior_hu


def _numbers(answer: np.ndarray, crop: TrainingCrop) -> Numbers:
    """Errors in HU against the noise-free target; 'thin' only where the crop has thin labels."""
    wrong, painted = answer - crop.target_hu, crop.condition.prior_hu - crop.target_hu
    numbers = {
        "mean": float(np.abs(wrong).mean()),
        "smooth": float(np.abs(ndimage.gaussian_filter(wrong, 1.5)).mean()),
        "detail": _detail(answer) / max(_detail(crop.target_hu), 1e-3),
        "prior": float(np.abs(painted).mean()),
    }
    thin = crop.weight > 1.5 * crop.weight.min()
    if thin.any():
        numbers |= {"thin": float(np.abs(wrong[thin]).mean()), "prior thin": float(np.abs(painted[thin]).mean())}
    return numbers


def _detail(image: np.ndarray) -> float:
    """Robust spread of what is finer than about two voxels."""
    fine = image - ndimage.gaussian_filter(image, 1.5)
    return 1.4826 * float(np.median(np.abs(fine)))


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown: rows down; errors, and their difference from the base over the same pairs [95 %], across."""
    head = ["row", "steps", "CPU s"]
    head += [f"{title}: {column}" for title in SOURCES.values() for column in COLUMNS.values()]
    head += [f"{title}: mean error - base [95 %]" for title in SOURCES.values()]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    if "base" in found:
        lines.append("| " + " | ".join(_cells("painted prior alone", found["base"], found["base"], prior=True)) + " |")
    return "\n".join([*lines, *("| " + " | ".join(_cells(n, row, found.get("base"))) + " |" for n, row in found.items())])


def _cells(name: str, row: Mapping[str, Any], base: Mapping[str, Any] | None, prior: bool = False) -> list[str]:
    keys = {"mean": "prior", "thin": "prior thin"} if prior else {column: column for column in COLUMNS}
    cells = [name, *(["-", "-"] if prior else [str(row["steps"]), f"{row['cpu seconds']:.0f}"])]
    cells += [_mean(row[source], keys.get(column)) for source in SOURCES for column in COLUMNS]
    return cells + [_difference(row[s], base[s], keys["mean"]) if base and name != "base" else "-" for s in SOURCES]


def _mean(pairs: Sequence[Numbers], name: str | None) -> str:
    known = [pair[name] for pair in pairs if name in pair]
    return f"{np.mean(known):.3g}" if known else "-"


def _difference(pairs: Sequence[Numbers], base: Sequence[Numbers], name: str) -> str:
    change = bootstrap([one[name] - other["mean"] for one, other in zip(pairs, base, strict=True)])
    return f"{change.mean:+.1f} [{change.low:+.1f}, {change.high:+.1f}]"
