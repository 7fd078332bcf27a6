"""MeasuredAt: the samples that an error head or a confidence fit was made from; of others it says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from StructDiffCore.config.settings import SynthesisSettings


@dataclass(frozen=True)
class MeasuredAt:
    """Weights and settings that decide how large a sample's errors are."""

    weights_sha256: str
    sampler: str
    steps: int
    temperature: float
    template_detail: bool = False

    @classmethod
    def of(cls, weights_sha256: str, settings: SynthesisSettings) -> MeasuredAt:
        """Of samples made with these weights and settings."""
        return cls(weights_sha256, settings.sampler, settings.steps, settings.temperature, settings.template_detail)

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> MeasuredAt | None:
        """Of the sample with this record (``Synthesis.record``); None where the record does not tell."""
        try:
            return cls.from_dict({**record["settings"], "weights_sha256": record["weights_sha256"]})
        except (KeyError, TypeError, ValueError):
            return None

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> MeasuredAt:
        """From its JSON form; further fields are passed over. Raises KeyError, TypeError or ValueError for anything else."""
        weights, sampler = str(content["weights_sha256"]), str(content["sampler"])
        detail = bool(content.get("template_detail", False))  # files from before it was a setting have none
        return cls(weights, sampler, int(content["steps"]), float(content["temperature"]), detail)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        told = f"weights {self.weights_sha256[:12]}, {self.sampler}, {self.steps} steps, temperature {self.temperature:g}"
        return told + (", template detail" if self.template_detail else "")
