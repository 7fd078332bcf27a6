"""ConfidenceSettings: which maps are asked whether they know, on which cases."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from StructDiffCore.config.presets import SSV_METHODS, SSV_PATHS
from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.domain import StructDiffError

DAMAGES = ("patch", "branch", "moved")
"""Template patch 300 HU too bright; both coronary trees missing in the template; coronary labels moved by a diagonal voxel."""


@dataclass(frozen=True)
class ConfidenceSettings:
    """One judgement of confidence maps; equal settings and weights give equal scores."""

    phantom_cases: int = 8
    """Unseen digital hearts in looks of the training domain, each with another heart as the template."""
    held_out_cases: int = 4
    """The same from the held-out domain."""
    damaged_cases: int = 3
    """How many of the phantom cases are repeated under every planted damage; the whole case is the control."""
    damages: tuple[str, ...] = DAMAGES
    """Which damages are planted."""
    methods: tuple[str, ...] = ("trajectory", "tails", "noises", "full", "head")
    """Maps: methods of SSV, 'full@20' with that many paths."""
    references: tuple[str, ...] = ("full@20", "noises@20")
    """Costly maps shown beside them on the first ``reference_cases`` phantoms."""
    reference_cases: int = 3
    """See ``references``."""
    voxels: int = 96
    """Edge of the window that template and target show, laid around a coronary."""
    crop: int = 64
    """Edge of the window's middle that is synthesised and judged."""
    steps: int = SynthesisSettings().steps
    """Denoising steps of a sample."""
    temperature: float = SynthesisSettings().temperature
    """Strength of a sample's start noise."""
    template_detail: bool = False
    """Samples carry over the template's detail of unlabelled tissue."""
    threshold_hu: float = 50.0
    """A larger error is gross: half the contrast between muscle and fat, a sixth of that between muscle and contrast blood."""
    pool: str = "runs/judge-pool"
    """Folder of cached hearts of ``pool_seed`` for the training domain, grown where missing."""
    pool_seed: int = 7001
    """Another pool than the generator's."""
    first_heart: int = 12
    """Hearts of the pool before this one train the error head."""
    hearts: str = "runs/confidence/hearts"
    """Folder of cached hearts of the held-out domain, grown where missing."""
    model: str = ""
    """Weights file of the generator; the shipped weights where empty."""
    head: str = ""
    """Weights file of the error head; the shipped one where empty."""
    seed: int = 40_000_000
    """Seed of windows, looks and samples; the held-out hearts' is 1000 higher."""

    @property
    def sampling(self) -> SynthesisSettings:
        """How the samples are made."""
        return SynthesisSettings(steps=self.steps, temperature=self.temperature, template_detail=self.template_detail)

    def __post_init__(self) -> None:
        for name in ("methods", "damages", "references"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in (*self.methods, *self.references):
            method_and_paths(name)
        self.sampling  # noqa: B018  (refuses what no sample can be made with)
        unknown = sorted(set(self.damages) - set(DAMAGES))
        if unknown:
            raise StructDiffError(f"unknown damages {unknown}", f"choose from {', '.join(DAMAGES)}")
        if not 0 < self.crop <= self.voxels or self.crop % 8:
            raise StructDiffError(f"a crop of {self.crop} in {self.voxels} voxels", "give a multiple of 8 inside the window")
        if self.phantom_cases < 1:
            raise StructDiffError("no phantom case to judge on", "set phantom_cases to 1 or more")

    @classmethod
    def read(cls, path: Path) -> ConfidenceSettings:
        """Settings from a YAML file; unknown fields are refused."""
        import yaml

        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
            return cls(**content)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise StructDiffError(f"{path} is no readable YAML ({' '.join(str(error).split())[:160]})", "correct it") from None
        except TypeError as error:
            known = [field.name for field in fields(cls)]
            raise StructDiffError(f"{path} does not fit ({error})", f"known fields: {known}") from None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def method_and_paths(name: str) -> tuple[str, int]:
    """'full@20' -> ("full", 20); 'full' -> ("full", 5). Raises StructDiffError for unknown ones."""
    method, _, paths = name.partition("@")
    if method not in SSV_METHODS or method == "off" or (paths and not paths.isdigit()):
        raise StructDiffError(f"unknown confidence map '{name}'", f"choose from {', '.join(SSV_METHODS)}, with @PATHS or without")
    return method, int(paths or SSV_PATHS)
