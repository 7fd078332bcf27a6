"""EvaluationSettings: which cases, which rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.domain import StructDiffError

from .rows import row_named, weights_of


@dataclass(frozen=True)
class EvaluationSettings:
    """One evaluation; equal settings give equal scores (seconds and memory apart)."""

    phantom_cases: int = 4
    """Digital hearts of unseen seeds in looks of the training domain, each with another heart as the template."""
    held_out_cases: int = 2
    """The same from the held-out domain (left dominance, heavy calcium, unseen noise texture and contrast phase)."""
    real_case: bool = True
    """The real thorax CT of ../shared/data as template, its mask after a smooth random warp as target."""
    voxels: int = 96
    """Edge of a phantom case's target grid."""
    spacing_mm: float = 0.8
    """Voxel size of the phantom cases."""
    warp_mm: float = 4.0
    """Spread of the real mask's displacement."""
    rows: tuple[str, ...] = ("truth", "renderer", "structdiff")
    """What is compared; see ``evaluation/rows.py`` for the names."""
    tiles: bool = False
    """Also compare tiles with one pass (slow: the last phantom case twice more)."""
    real_warps: int = 1
    """How many warps of the real mask are asked for."""
    model: str = ""
    """Weights file of the generator; the shipped weights where empty."""
    judge: str = ""
    """Weights file of the segmenter; the shipped judge where empty."""
    steps: int = SynthesisSettings().steps
    """Denoising steps of the network's rows."""
    temperature: float = SynthesisSettings().temperature
    """Strength of the start noise of the network's rows."""
    seed: int = 20_000_000
    """Seed of the first case; training pools never reach it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple(self.rows))
        for row in self.rows:
            row_named(row)
        if self.phantom_cases < 0 or self.held_out_cases < 0 or self.phantom_cases + self.held_out_cases + self.real_case == 0:
            raise StructDiffError("the evaluation has no case", "set phantom_cases, held_out_cases or real_case")
        if self.steps < 1:
            raise StructDiffError(f"steps is {self.steps}, expected 1 or more", "ask for 1 or more steps")

    def refuse_missing_weights(self) -> None:
        """Before an hour is spent on the other rows."""
        named = [Path(file) for file in (self.model, self.judge) if file]
        for path in [*named, *(path for row in self.rows if (path := weights_of(row)) is not None)]:
            if not path.is_file():
                raise StructDiffError(f"no weights file at {path}", "correct model, judge or rows of the settings")

    @classmethod
    def read(cls, path: Path) -> EvaluationSettings:
        """Settings from a YAML file; unknown fields are refused."""
        import yaml

        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise StructDiffError(f"{path} is no readable YAML ({' '.join(str(error).split())[:160]})", "correct it") from None
        try:
            return cls(**content)
        except TypeError as error:
            known = [field.name for field in fields(cls)]
            raise StructDiffError(f"{path} does not fit an evaluation ({error})", f"known fields: {known}") from None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
