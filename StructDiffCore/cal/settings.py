"""PretrainSettings: which pairs, which network, how long, and how much the confidence maps are believed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from StructDiffCore.domain import StructDiffError
from StructDiffCore.segmentation.networks import HALVINGS, MULTIPLE, NARROWEST_BF16, NETWORKS

from .confidence import FILE_KIND, KINDS


@dataclass(frozen=True)
class StageSettings:
    """One stage: where its pairs come from and how long it learns from them."""

    sources: tuple[str, ...] = ()
    """Folders of samples or of a known data set, data lists (.json), or plans (.yaml) to make synthetic pairs by, in any number;
    relative to the settings file."""
    steps: int = 0
    """Optimiser steps."""
    learning_rate: float = 1e-3
    """Peak learning rate of AdamW: a tenth of the stage warms up, then a cosine falls to a hundredth of it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sources", _texts(self.sources))
        _refuse_wrong_kinds(self)
        if self.steps < 0 or not self.learning_rate > 0:
            raise StructDiffError(
                f"a stage has {self.steps} steps at a learning rate of {self.learning_rate}", "give steps >= 0 and a rate > 0"
            )
        if bool(self.sources) != bool(self.steps):
            raise StructDiffError(
                f"a stage has {len(self.sources)} sources and {self.steps} steps", "give both, or leave the stage away"
            )


@dataclass(frozen=True)
class ConfidenceSettings:
    """How the synthetic pairs' confidence maps are read."""

    use: bool = True
    """False trusts every voxel, as kind 'none' does: the plain loss."""
    kind: str = KINDS[0]
    """Whose map: 'confidence' (calibrated, in [0, 1]; where a pair has none, its standard deviation), 'deviation_hu', 'none', or
    'file:NAME': a map in [0, 1] of that name beside each image ({id} in it stands for the pair's id)."""
    tolerance_hu: float = 50.0
    """Error that a standard deviation is held against; a calibrated map has its own."""
    full_trust_at: float = 1.0
    """Confidence from which on a voxel is trusted whole; those below it count in proportion (ADR 12). 1 believes every doubt."""
    missing: str = "refuse"
    """A synthetic pair without a map: 'refuse', or 'trust' it whole."""

    def __post_init__(self) -> None:
        _refuse_wrong_kinds(self)
        if self.kind not in KINDS and not (self.kind.startswith(FILE_KIND) and len(self.kind) > len(FILE_KIND)):
            raise StructDiffError(f"confidence.kind is '{self.kind}'", f"choose one of {', '.join(KINDS)}, {FILE_KIND}NAME")
        if self.missing not in ("refuse", "trust"):
            raise StructDiffError(f"confidence.missing is '{self.missing}'", "choose 'refuse' or 'trust'")
        if not self.tolerance_hu > 0:
            raise StructDiffError(f"confidence.tolerance_hu is {self.tolerance_hu}", "give a positive number of HU")
        if not 0 < self.full_trust_at <= 1:
            raise StructDiffError(f"confidence.full_trust_at is {self.full_trust_at}", "give a confidence above 0, at most 1")

    @property
    def weighs(self) -> bool:
        """Whether any map counts."""
        return self.use and self.kind != "none"


@dataclass(frozen=True)
class CacheSettings:
    """How many of the pairs that a plan makes lie on the disk at a time, and how long each is used."""

    pairs: int = 16
    """Most pairs on disk: those in use, one made ahead, one about to leave."""
    gigabytes: float = 8.0
    """Most room for them; what comes first counts. The volume being made takes some more meanwhile."""
    uses: int = 64
    """Crops per new pair: each is drawn about so often before it is replaced (less where folders are sources too)."""

    def __post_init__(self) -> None:
        _refuse_wrong_kinds(self)
        if self.pairs < 3 or not self.gigabytes > 0 or self.uses < 1:
            raise StructDiffError(
                f"cache.pairs is {self.pairs}, cache.gigabytes {self.gigabytes}, cache.uses {self.uses}",
                "give 3 pairs or more, gigabytes above 0 and 1 use or more",
            )


@dataclass(frozen=True)
class PretrainSettings:
    """One segmenter: pre-trained on synthetic pairs, fine-tuned on real ones."""

    synthetic: StageSettings = field(default_factory=StageSettings)
    """Stage 1, weighted by confidence."""
    real: StageSettings = field(default_factory=StageSettings)
    """Stage 2, every voxel with weight 1."""
    validation: tuple[str, ...] = ()
    """Sources of the cases that choose the best weights; without any, a fold of the last stage's cases."""
    folds: int = 5
    """Parts that the last stage's patients are split into where no validation is named; 0: none is held out."""
    fold: int = 0
    """The part held out."""
    scheme: str = "cardiac"
    """What the labels mean: a shipped scheme or a file, relative to the settings file."""
    labels: tuple[int, ...] = ()
    """Labels to learn, the others are background; all of the scheme without any."""
    merged: Mapping[int, int] = field(default_factory=dict)
    """Label -> label it counts as (both coronary trees as one: {9: 8})."""
    network: str = "SegResNet"
    """One of MONAI's SegResNet, DynUNet, UNet, AttentionUnet, VNet."""
    spacing_mm: float = 0.8
    """Voxel size the network works at."""
    crop: int = 64
    """Edge of a training crop, and of a sliding window, in voxels."""
    batch: int = 2
    """Crops per step, all processes together."""
    foreground: float = 0.75
    """Share of crops centred on a voxel of a label drawn among those present, thin ones as often as all others together."""
    augment: bool = False
    """Augment every crop's picture: contrast, brightness, blur, sharpness, resolution, noise; both stages."""
    confidence: ConfidenceSettings = field(default_factory=ConfidenceSettings)
    """How confidence maps are read."""
    cache: CacheSettings = field(default_factory=CacheSettings)
    """How pairs made on the fly are kept."""
    thin_weight: float = 5.0
    """Cross-entropy weight of thin labels."""
    cldice_weight: float = 0.2
    """Weight of the thin labels' soft clDice beside cross-entropy and Dice; 0 saves its time."""
    absent: str = "refuse"
    """A label that no pair of a stage shows, which the stage would unlearn: 'refuse' or 'allow'."""
    ema_decay: float = 0.99
    """Decay of the weights' moving average, which is what is validated and saved."""
    precision: str = "bf16-mixed"
    """'bf16-mixed' or '32-true'."""
    processes: int = 1
    """Processes (one per GPU, or on the CPU) that share every batch."""
    validate_every: int = 250
    """Steps between validations in the last stage; its last step is always validated."""
    checkpoint_every: int = 100
    """Steps between checkpoints."""
    tensorboard: bool = False
    """Also write TensorBoard events into OUT/tensorboard."""
    seed: int = 1
    """Every draw comes from hash(seed, stage, step, sample)."""

    def __post_init__(self) -> None:
        _refuse_wrong_kinds(self)
        object.__setattr__(self, "validation", _texts(self.validation))
        object.__setattr__(self, "labels", tuple(int(v) for v in self.labels))
        object.__setattr__(self, "merged", {int(a): int(b) for a, b in dict(self.merged).items()})
        self._refuse_bad_numbers()
        self._refuse_bad_words()

    def _refuse_bad_numbers(self) -> None:
        if self.crop < MULTIPLE or self.crop % MULTIPLE:
            raise StructDiffError(f"crop is {self.crop}, expected a multiple of {MULTIPLE}", "choose 48, 64 or 96")
        if self.processes < 1 or self.batch < 1 or self.batch % self.processes:
            raise StructDiffError(
                f"a batch of {self.batch} does not divide among {self.processes} processes", "give each process equally many"
            )
        if self.folds and not 0 <= self.fold < self.folds:
            raise StructDiffError(f"fold is {self.fold} of {self.folds} folds", f"give 0 to {self.folds - 1}")
        if self.folds < 0 or self.folds == 1 or min(self.validate_every, self.checkpoint_every) < 1:
            raise StructDiffError(
                "folds, validate_every or checkpoint_every is too small", "give folds 0 or >= 2, the others >= 1"
            )
        if not self.spacing_mm > 0 or not 0 <= self.foreground <= 1 or min(self.thin_weight, self.cldice_weight) < 0:
            raise StructDiffError("spacing_mm, foreground or a loss weight is out of range", "give a positive voxel size")

    def _refuse_bad_words(self) -> None:
        if self.network not in NETWORKS:
            raise StructDiffError(f"unknown segmenter '{self.network}'", f"choose one of {', '.join(NETWORKS)}")
        if self.absent not in ("refuse", "allow"):
            raise StructDiffError(f"absent is '{self.absent}'", "choose 'refuse' or 'allow'")
        if self.precision not in ("bf16-mixed", "32-true"):
            raise StructDiffError(f"precision is '{self.precision}'", "choose 'bf16-mixed' or '32-true'")
        self._refuse_narrow_bf16()
        if not (self.synthetic.steps or self.real.steps):
            raise StructDiffError("neither a synthetic nor a real stage has steps", "give synthetic or real sources and steps")

    def _refuse_narrow_bf16(self) -> None:
        halvings = HALVINGS[self.network]
        if self.precision == "bf16-mixed" and self.crop >> halvings < NARROWEST_BF16:
            enough = -(-(NARROWEST_BF16 << halvings) // MULTIPLE) * MULTIPLE
            raise StructDiffError(
                f"a crop of {self.crop} is {self.crop >> halvings} voxels wide at the bottom of a {self.network}, "
                "where bf16 gradients cannot be trusted",
                f"choose a crop of {enough} or more, or precision 32-true",
            )

    @property
    def total_steps(self) -> int:
        return self.synthetic.steps + self.real.steps

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> PretrainSettings:
        """Settings from their JSON form; unknown fields and wrong types are refused."""
        try:
            parts: dict[str, Any] = dict(content)
            for name, kind in _PARTS.items():
                if name in parts:
                    parts[name] = kind(**parts[name])
            return cls(**parts)
        except (TypeError, ValueError, AttributeError) as error:
            raise StructDiffError(
                f"the settings do not fit ({' '.join(str(error).split())})", f"known fields: {[f.name for f in fields(cls)]}"
            ) from None

    @classmethod
    def read(cls, path: Path) -> PretrainSettings:
        """Settings from a YAML or JSON file (JSON is YAML)."""
        import yaml

        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise StructDiffError(
                f"{path} is not readable as YAML ({' '.join(str(error).split())[:160]})", "correct it"
            ) from None
        if not isinstance(content, dict):
            raise StructDiffError(f"{path} holds no settings", "give a table of settings")
        return cls.from_dict(content)


_PARTS: dict[str, Any] = {
    "synthetic": StageSettings,
    "real": StageSettings,
    "confidence": ConfidenceSettings,
    "cache": CacheSettings,
}


def _refuse_wrong_kinds(settings: Any) -> None:
    """A field whose default is a number, a truth value or a word takes no other kind (a whole number passes for a fraction)."""
    for one in fields(settings):
        kind, value = type(one.default), getattr(settings, one.name)
        allowed = (int, float) if kind is float else kind
        if kind in (int, float, bool, str) and (not isinstance(value, allowed) or (kind is not bool and isinstance(value, bool))):
            raise StructDiffError(f"{one.name} is {value!r}, expected {_KIND_WORDS[kind]}", f"write it as {one.default!r}")


_KIND_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}


def _texts(given: Any) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(str(item) for item in given)
