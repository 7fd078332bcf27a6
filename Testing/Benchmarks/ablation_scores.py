"""Scores of ablation rows on crops that training never shows, the same crops for every row, and their tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage, stats

from StructDiffCore.config.presets import DEFAULT_SAMPLER, DEFAULT_TEMPERATURE, SAMPLERS
from StructDiffCore.diffusion.dpm_solver import dpm_solver_pp_2m
from StructDiffCore.diffusion.levels import log_snr_levels
from StructDiffCore.diffusion.sampling import last_clean, start_noise
from StructDiffCore.evaluation.intervals import Interval, bootstrap_of
from StructDiffCore.systems.structdiff import StructDiff
from StructDiffCore.training.crops import TrainingCrop
from StructDiffCore.training.pairs import PairStream
from StructDiffCore.training.pool import open_pool
from StructDiffCore.training.scan_pairs import ScanPairStream
from StructDiffCore.training.scans import open_scans
from StructDiffCore.training.seeds import numpy_generator, torch_generator
from StructDiffCore.training.settings import PairSettings, Phase

CROP, SEED, HEARTS_ASIDE = 32, 900_001, 10
DRAWS = 8
"""Calls that the estimate of the posterior's mean averages over."""
CALLS = SAMPLERS[DEFAULT_SAMPLER].steps
SOURCES = {"hearts": "phantoms", "scans": "real scan"}
"""Where the crops come from: hearts and a patient that no row was trained on."""
ANSWERS = {
    "mean": "mean estimate, rms",
    "sample": "sample, rms",
    "mean absolute": "mean estimate, absolute",
    "sample absolute": "sample, absolute",
}
"""Errors of the two answers: the posterior's mean, which only the squared error judges fairly, and the sample as shipped."""
COMPARED = (
    ("hearts", "mean", "mean estimate"),
    ("hearts", "mean thin", "thin, mean estimate"),
    ("hearts", "sample", "sample"),
    ("scans", "mean", "mean estimate"),
    ("scans", "sample", "sample"),
)
"""Rms errors that rows are compared by."""
BASES = "base"
"""Rows whose name begins so are the base under several seeds."""
Numbers = dict[str, float]
Found = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Validation:
    """Fixed pairs of the hearts and of the scan in a folder."""

    settings: PairSettings
    folder: Path
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
        return {
            "hearts": PairStream(open_pool(self.folder / "hearts", self.settings, SEED), self.settings),
            "scans": ScanPairStream(open_scans(self.folder / "scans"), self.settings),
        }


def scores(system: StructDiff, validation: Validation, nulled: Sequence[str]) -> dict[str, list[Numbers]]:
    """Per source the scores of every pair, a mean over its crops; ``nulled`` inputs are withheld."""
    system.to("cpu", torch.bfloat16)
    found: dict[str, list[Numbers]] = {}
    for source, pairs in validation.crops.items():
        found[source] = []
        for number, crops in enumerate(pairs):
            answers = _answers(system, [crop.nulled(nulled) for crop in crops], number)
            rows = [numbers({kind: hu[n] for kind, hu in answers.items()}, crop) for n, crop in enumerate(crops)]
            names = dict.fromkeys(name for row in rows for name in row)
            found[source].append({name: float(np.mean([row[name] for row in rows if name in row])) for name in names})
    return found


@torch.inference_mode()
def _answers(system: StructDiff, crops: Sequence[TrainingCrop], number: int) -> dict[str, list[np.ndarray]]:
    """HU (i, j, k) per crop: 'mean', what calls from noise alone expect on average, and 'sample', made as shipped."""
    conditions, levels = [crop.condition for crop in crops], log_snr_levels(CALLS)
    generators = [torch_generator(SEED, "start", number, n) for n in range(len(crops))]
    shape = (len(crops), 1, *conditions[0].shape)
    noises = [start_noise(shape, generators) * levels[0].sigma for _ in range(DRAWS)]
    denoiser = system.denoiser(system.encode(conditions))
    expected = torch.stack([denoiser(noise, levels[0]) for noise in noises]).mean(0)
    sample = last_clean(dpm_solver_pp_2m(denoiser, DEFAULT_TEMPERATURE * noises[0], levels, generators))
    scale = system.settings.residual_scale_hu
    return {
        kind: [scale * one[0].float().numpy() + told.prior_hu for one, told in zip(clean, conditions)]
        for kind, clean in (("mean", expected), ("sample", sample))
    }


def numbers(answers: Mapping[str, np.ndarray], crop: TrainingCrop) -> Numbers:
    """Errors in HU against the noise-free target, the prior's too: mean square, also of 'thin' labels, and 'absolute'."""
    found, thin = {}, crop.weight > 1.5 * crop.weight.min()
    for kind, answer in {"prior": crop.condition.prior_hu, **answers}.items():
        wrong = answer - crop.target_hu
        found[kind] = _mean_square(wrong)
        found[f"{kind} absolute"] = float(np.abs(wrong).mean())
        found[f"{kind} detail"] = _detail(answer) / max(_detail(crop.target_hu), 1.0)
        if thin.any():
            found[f"{kind} thin"] = _mean_square(wrong[thin])
    return found


def _mean_square(wrong: np.ndarray) -> float:
    return float(np.square(wrong, dtype=float).mean())


def _detail(image: np.ndarray) -> float:
    """Robust spread of what is finer than about two voxels."""
    fine = image - ndimage.gaussian_filter(image, 1.5)
    return 1.4826 * float(np.median(np.abs(fine)))


def tables(found: Found) -> str:
    """Markdown: every row beside the painted prior alone, then beside the base."""
    return f"{beside_the_prior(found)}\n\n{beside_the_base(found)}"


def beside_the_prior(found: Found) -> str:
    """Errors in HU, in brackets their difference from the painted prior's over the same pairs [95 %]."""
    columns = [(source, kind) for source in SOURCES for kind in ANSWERS]
    lines = [["row", "steps", "CPU s", *(f"{SOURCES[source]}: {ANSWERS[kind]}" for source, kind in columns)]]
    first = next(iter(found.values()))
    lines.append(["painted prior alone", "", "", *(f"{errors(first, s, prior_of(k)).mean:.1f}" for s, k in columns)])
    for name, row in found.items():
        cells = [name, str(row["steps"]), f"{row['cpu seconds']:.0f}"]
        for source, kind in columns:
            error, prior = (errors(row, source, which) for which in (kind, prior_of(kind)))
            cells.append(f"{error.mean:.1f} ({signed(error.beyond([prior]))})")
        lines.append(cells)
    return markdown(lines)


def prior_of(kind: str) -> str:
    """The painted prior's error that an answer's is held against."""
    return "prior absolute" if kind.endswith("absolute") else "prior"


def beside_the_base(found: Found) -> str:
    """Differences from the mean of the base's seeds over the same pairs [95 %]; bold where a new seed would not explain them."""
    bases = [row for name, row in found.items() if name.startswith(BASES)]
    if not bases:
        return ""
    told = [[errors(base, source, kind) for base in bases] for source, kind, _ in COMPARED]
    floors = [seed_floor([error.mean for error in each]) for each in told]
    lines = [["row - mean of the base's seeds", *(f"{SOURCES[source]}: {title}" for source, _, title in COMPARED)]]
    lines.append([f"a new seed of the base (95 %, from {len(bases)} seeds)", *(f"±{floor:.1f}" for floor in floors)])
    for name, row in found.items():
        cells = [name]
        for (source, kind, _), each, floor in zip(COMPARED, told, floors, strict=True):
            change = errors(row, source, kind).beyond(each)
            decided = abs(change.mean) > floor and not change.low <= 0 <= change.high and not name.startswith(BASES)
            cells.append(f"**{signed(change)}**" if decided else signed(change))
        lines.append(cells)
    return markdown(lines)


@dataclass(frozen=True, eq=False)
class Errors:
    """One error of every pair: in HU, or its square."""

    pairs: np.ndarray
    squared: bool

    @property
    def mean(self) -> float:
        """Over all voxels, HU."""
        return float(self.of(self.pairs.mean()))

    def of(self, mean: np.ndarray) -> np.ndarray:
        """HU from a mean over pairs."""
        return np.sqrt(mean) if self.squared else mean

    def beyond(self, others: Sequence[Errors]) -> Interval:
        """How much larger it is than the mean of the others; the interval over the pairs they share."""
        columns = np.stack([self.pairs, *(other.pairs for other in others)], 1)
        return bootstrap_of(columns, lambda means: self.of(means[..., 0]) - self.of(means[..., 1:]).mean(-1))


def errors(row: Mapping[str, Any], source: str, kind: str) -> Errors:
    """An error of all pairs that have it."""
    return Errors(np.array([pair[kind] for pair in row[source] if kind in pair]), not kind.endswith("absolute"))


def seed_floor(means: Sequence[float]) -> float:
    """Half the 95 % prediction interval for one more seed about the mean of these; infinite for a single seed."""
    count = len(means)
    if count < 2:
        return float("inf")
    return float(stats.t.ppf(0.975, count - 1) * np.std(means, ddof=1) * np.sqrt(1 + 1 / count))


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """A table; the first line is its head."""
    rows = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([rows[0], "|---" * len(lines[0]) + "|", *rows[1:]])


def signed(change: Interval) -> str:
    """A difference in HU."""
    return f"{change.mean:+.1f} [{change.low:+.1f}, {change.high:+.1f}]"
