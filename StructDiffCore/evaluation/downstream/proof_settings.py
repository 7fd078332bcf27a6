"""ProofSettings: how large the proof is, and what it learns with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from StructDiffCore.domain import StructDiffError

from .arms import Arm, arm_named

STUDIES = ("digital hearts", "real scans")
MAY_CHANGE = ("arms", "few", "subsets", "tests", "pilot_tests", "pilot_subsets", "pilot_cases", "threads", "model")
"""Fields that say how much is done, not what: a started folder takes other values of them."""
DEFAULT_ARMS = (
    "truth @30", "synthetic @30", "real", "augmented", "warped", "SynthSeg", "renderer", "synthetic", "CAL",
    "CAL @30", "shuffled @30", "synthetic @10", "truth @10", "CAL @10", "shuffled",
)  # fmt: skip


@dataclass(frozen=True)
class LearningSettings:
    """What every arm learns with; equal for all."""

    network: str = "SegResNet"
    crop: int = 48
    batch: int = 2
    first_steps: int = 240
    """Optimiser steps on the arm's own pairs."""
    last_steps: int = 160
    """Optimiser steps on the few real pairs afterwards."""
    learning_rate: float = 2e-3
    cldice_weight: float = 0.0
    precision: str = "bf16-mixed"
    augment: bool = False
    """Augment every crop's picture, in both stages of every arm but 'real'."""
    tuned_on: str = "augmented"
    """Pairs of the last stage in every arm but 'real': 'augmented' (real ones and their augmented copies) or 'real'."""

    def __post_init__(self) -> None:
        if self.tuned_on not in ("augmented", "real"):
            raise StructDiffError(f"tuned_on is '{self.tuned_on}'", "choose 'augmented' or 'real'")
        if min(self.first_steps, self.last_steps) < 1:
            raise StructDiffError("an arm without steps", "give first_steps and last_steps of 1 or more")


@dataclass(frozen=True)
class ProofSettings:
    """One experiment."""

    study: str = STUDIES[0]
    """'digital hearts', or 'real scans' for the one real test."""
    arms: tuple[str, ...] = DEFAULT_ARMS
    """In the order of work: the ceiling first."""
    few: int = 0
    """Real cases; 0: the number that the pilot finds."""
    pilot_cases: tuple[int, ...] = (1, 2, 4, 8)
    pilot_subsets: int = 1
    pilot_tests: int = 10
    """Hearts of their own, so that the choice does not see the test hearts."""
    subsets: int = 5
    """Different few-shot subsets."""
    tests: int = 60
    spacing_mm: float = 0.8
    window: int = 120
    """Edge of every volume in voxels."""
    pairs: int = 16
    """Synthetic, rendered, Gaussian and warped pairs per subset each."""
    augmented: int = 24
    """Augmented copies per subset."""
    doses: tuple[int, ...] = (10, 30)
    """Per cent of the vessels' length that synthetic pairs lose their image evidence on, in versions of their own."""
    model: str = ""
    """Generator weights; empty: the shipped ones."""
    sampling_steps: int = 10
    """Denoising steps of a synthetic volume; the error head and the confidence fit hold for those they were measured at."""
    ssv: str = "head"
    """How our map is made; the error head sees the finished picture, and so also what a dose took away."""
    tolerance_hu: float = 50.0
    """Error that the map's deviation is held against where no measured fit is shipped."""
    learning: LearningSettings = field(default_factory=LearningSettings)
    seed: int = 1
    threads: int = 1
    """Threads per process; the command may be started several times side by side."""

    def __post_init__(self) -> None:
        for name in ("arms", "pilot_cases", "doses"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.study not in STUDIES:
            raise StructDiffError(f"unknown study '{self.study}'", f"choose one of {', '.join(STUDIES)}")
        counts = (self.subsets, self.tests, self.pairs, self.augmented, self.window, self.sampling_steps, self.threads)
        if min(counts) < 1 or self.few < 0 or not self.spacing_mm > 0:
            raise StructDiffError("a number of subsets, tests, pairs, voxels, steps or threads is too small", "give 1 or more")
        if not self.few and (not self.pilot_cases or min(*self.pilot_cases, self.pilot_subsets, self.pilot_tests) < 1):
            raise StructDiffError("neither few nor a pilot is given", "give few, or pilot_cases such as [1, 2, 4, 8]")
        if not self.chosen_arms:
            raise StructDiffError("the experiment has no arms", "list some under arms")
        if missing := {arm.dose for arm in self.chosen_arms} - {0, *self.doses}:
            raise StructDiffError(f"arms ask for the doses {sorted(missing)} %", f"add them to doses ({list(self.doses)})")

    @property
    def chosen_arms(self) -> tuple[Arm, ...]:
        return tuple(dict.fromkeys(map(arm_named, self.arms)))

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ProofSettings:
        """Settings from their JSON form; unknown fields and wrong types are refused."""
        try:
            given = dict(content)
            given["learning"] = LearningSettings(**given.get("learning", {}))
            return cls(**given)
        except (TypeError, ValueError, AttributeError) as error:
            reason, known = " ".join(str(error).split()), [f.name for f in fields(cls)]
            raise StructDiffError(f"the settings do not fit ({reason})", f"known fields: {known}") from None

    @classmethod
    def read(cls, path: Path) -> ProofSettings:
        """Settings from a YAML file."""
        import yaml

        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())[:160]
            raise StructDiffError(f"{path} is not readable as YAML ({reason})", "correct it") from None
        if not isinstance(content, dict):
            raise StructDiffError(f"{path} holds no settings", "give a table of settings")
        return cls.from_dict(content)
