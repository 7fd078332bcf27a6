"""TrainSettings: everything a training run is made of; two runs with equal settings give equal losses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from StructDiffCore.domain import StructDiffError
from StructDiffCore.models.nulled import NULLED
from StructDiffCore.systems.structdiff import StructDiffSettings


@dataclass(frozen=True)
class Phase:
    """A stretch of training with one crop size (curriculum: small crops first)."""

    steps: int
    """Optimiser steps of this phase."""
    crop: int
    """Edge of the cubic crop in voxels, a multiple of 8."""
    batch: int
    """Crops per step, all devices together."""
    crops_per_direction: int = 6
    """Crops taken from each direction (a -> b and b -> a) of one rendered pair."""
    robust: float = 0.0
    """Error (of the preconditioned answer F) beyond which the loss grows linearly at low noise; 0 = squared throughout."""


@dataclass(frozen=True)
class PairSettings:
    """How training pairs are drawn."""

    hearts: int = 48
    """Digital hearts in the pool (held-out kinds, such as left dominance, are skipped when it is filled)."""
    spacings_mm: tuple[float, ...] = (0.8, 0.8, 1.0, 1.5, 0.6)
    """Voxel sizes, taken in turn by the hearts; the two of a pair share theirs."""
    same_heart: float = 0.5
    """Share of pairs whose target is a smooth deformation of the template's heart; else another heart."""
    pairs_per_group: int = 3
    """Pairs whose crops are shuffled together."""
    vessel_share: float = 0.5
    """Share of crops centred on a vessel."""
    thin_weight: float = 4.0
    """Loss weight of thin labels, dilated by two voxels, before normalising the crop's mean to 1."""
    template_dropped: float = 0.1
    """Share of crops whose template image is withheld."""
    template_label_lost: float = 0.1
    """Share of directions whose template lacks one of the labels."""
    label_augmentation: float = 0.5
    """Share of pairs whose labels are merged, dropped or pruned."""
    misalignment_mm: float = 3.0
    """Spread of the template's remaining shift against the target after alignment."""
    real_share: float = 0.0
    """Share of pairs from real scans (cached in the run's folder scans), the rest from digital hearts."""
    whole_heart: float = 0.0
    """Share of heart pairs whose chambers and muscle are one label; most of them are the same heart in two shapes."""
    label_jitter: float = 0.35
    """Largest shift of a label's border, in voxels."""
    nulled: tuple[str, ...] = ()
    """Inputs withheld from every crop, for ablations: names of ``models/nulled.py``."""
    scan_spacing_mm: float = 1.0
    """Voxel size that scans given as a data set are brought to."""
    sharper: float = 0.0
    """Share of heart pairs whose point spread and slices shrink, by up to 70 %, below what a look draws."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "spacings_mm", tuple(float(s) for s in self.spacings_mm))
        object.__setattr__(self, "nulled", tuple(self.nulled))
        if unknown := sorted(set(self.nulled) - set(NULLED)):
            raise StructDiffError(f"unknown inputs to withhold: {', '.join(unknown)}", f"choose from {', '.join(NULLED)}")
        if not 0 <= self.real_share <= 1:
            raise StructDiffError(f"real_share is {self.real_share}, expected 0 to 1", "give the share of pairs from real scans")
        if self.real_share < 1 and self.hearts < 2 * len(self.spacings_mm):
            raise StructDiffError(f"{self.hearts} hearts, {len(self.spacings_mm)} voxel sizes", "give two hearts per voxel size")


@dataclass(frozen=True)
class TrainSettings:
    """One training run."""

    system: StructDiffSettings = field(default_factory=StructDiffSettings)
    """Network form and the diffused variable."""
    phases: tuple[Phase, ...] = (Phase(1000, 32, 4, 24), Phase(5000, 64, 1))
    """Crop sizes in order."""
    pairs: PairSettings = field(default_factory=PairSettings)
    """Where the training pairs come from."""
    learning_rate: float = 6e-4
    """Peak learning rate of AdamW."""
    warm_up_steps: int = 150
    """Steps of linear warm-up; afterwards a cosine falls to a hundredth of the peak at the last step."""
    weight_decay: float = 1e-4
    """AdamW's weight decay."""
    clip_norm: float = 1.0
    """Largest norm of the gradient."""
    ema_decay: float = 0.999
    """Decay of the weights' moving average, reached after a warm-up."""
    sigma_min: float = 0.02
    """Smallest noise level, in units of the residual."""
    sigma_max: float = 20.0
    """Largest noise level."""
    sigma_median: float = 0.0
    """Median of a log-normal law of noise levels; 0 = uniform in log sigma."""
    sigma_spread: float = 1.2
    """Standard deviation of log sigma about that median."""
    precision: str = "bf16-mixed"
    """'bf16-mixed' or '32-true'."""
    checkpoint_every: int = 200
    """Steps between checkpoints."""
    seed: int = 1
    """Every draw comes from hash(seed, step, sample)."""

    def __post_init__(self) -> None:
        if not self.phases or any(p.steps < 1 or p.batch < 1 or p.crop < 1 for p in self.phases):
            raise StructDiffError(
                "the training has a phase without steps, crops or voxels", "give every phase steps, crop and batch >= 1"
            )
        odd = [p.crop for p in self.phases if p.crop % self.system.network.multiple]
        if odd:
            raise StructDiffError(f"crop sizes {odd} are no multiples of {self.system.network.multiple}", "choose 32, 64 or 96")

    @property
    def total_steps(self) -> int:
        return sum(phase.steps for phase in self.phases)

    def phase_at(self, step: int) -> tuple[int, int]:
        """Index of the phase that step belongs to, and the step's number within it."""
        for index, phase in enumerate(self.phases):
            if step < phase.steps:
                return index, step
            step -= phase.steps
        raise ValueError(f"the training ends after {self.total_steps} steps")

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> TrainSettings:
        """Settings from their JSON form; unknown fields are refused."""
        try:
            parts: dict[str, Any] = dict(content)
            if "system" in parts:
                parts["system"] = StructDiffSettings.from_dict(dict(parts["system"]))
            if "phases" in parts:
                parts["phases"] = tuple(Phase(**phase) for phase in parts["phases"])
            if "pairs" in parts:
                parts["pairs"] = PairSettings(**parts["pairs"])
            return cls(**parts)
        except TypeError as error:
            raise StructDiffError(
                f"the training settings do not fit ({error})", f"known fields: {[f.name for f in fields(cls)]}"
            ) from None

    @classmethod
    def read(cls, path: Path) -> TrainSettings:
        """Settings from a JSON file, or a YAML file where PyYAML is installed."""
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise StructDiffError(
                f"{path} cannot be read ({error.strerror})", "give a training settings file (YAML or JSON)"
            ) from None
        content = _parsed(path, text)
        if not isinstance(content, dict):
            raise StructDiffError(f"{path} holds no training settings", "give a table of settings")
        return cls.from_dict(content)


def _parsed(path: Path, text: str) -> object:
    try:
        if path.suffix.lower() == ".json":
            return json.loads(text)
        import yaml

        return yaml.safe_load(text)
    except ImportError:
        raise StructDiffError(
            f"{path} needs PyYAML", "install pyyaml, or give the settings as JSON", "missing_dependency"
        ) from None
    except Exception as error:
        raise StructDiffError(f"{path} is neither JSON nor YAML ({' '.join(str(error).split())[:160]})", "correct it") from None
