"""SynthesisRequest: everything ``structdiff synthesize`` was asked for, checked before anything is read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from StructDiffCore.domain import StructDiffError

from .devices import checked_device_name
from .messages import Job
from .presets import DEFAULT_MODEL, DEFAULT_PRESET, PRESETS, SAMPLERS, Preset
from .settings import SynthesisSettings

GENERATOR_SETTINGS = (
    "model", "preset", "steps", "sampler", "temperature", "tile", "overlap", "precision", "ssv", "ssv_paths", "template_detail",
)  # fmt: skip
KNOWN_SETTINGS = (*GENERATOR_SETTINGS, "samples", "scheme", "resample", "correspondence", "read_back")
MAX_SAMPLES = 1000
MAX_STEPS = 1000
MAX_TILE = 1024
MAX_SSV_PATHS = 50
SEED_LIMIT = 2**63


@dataclass(frozen=True)
class GeneratorRequest:
    """Which weights make the volume, how, and where."""

    model: str
    """Name of shipped weights or path of a safetensors file."""
    settings: SynthesisSettings
    seed: int
    device: str

    @classmethod
    def from_job(cls, job: Job) -> GeneratorRequest:
        """The job's generator settings; refuses unknown samplers and devices and numbers out of range."""
        return cls(
            model=str(job.settings.get("model", DEFAULT_MODEL)),
            settings=synthesis_settings(job.settings),
            seed=_whole({"seed": job.seed}, "seed", 0, 0, SEED_LIMIT - 1),
            device=checked_device_name(job.device),
        )


def chosen_preset(given: Mapping[str, Any]) -> Preset:
    """The preset that the settings name, else the default one; refuses an unknown name."""
    name = given.get("preset", DEFAULT_PRESET)
    if name not in PRESETS:
        raise StructDiffError(f"unknown preset '{name}'", f"choose one of {', '.join(PRESETS)}")
    return PRESETS[name]


def synthesis_settings(given: Mapping[str, Any]) -> SynthesisSettings:
    """The preset with what was asked for explicitly; a sampler other than the preset's runs with its own steps."""
    preset = chosen_preset(given)
    sampler = given.get("sampler", preset.sampler)
    if sampler not in SAMPLERS:
        raise StructDiffError(f"unknown sampler '{sampler}'", f"choose one of {', '.join(SAMPLERS)}")
    steps = preset.steps if sampler == preset.sampler else SAMPLERS[sampler].steps
    asked: dict[str, Any] = {"sampler": sampler, "steps": _whole(given, "steps", steps, 1, MAX_STEPS)}
    asked["ssv"] = given.get("ssv", preset.ssv)
    for name, most in (("tile", MAX_TILE), ("overlap", MAX_TILE), ("ssv_paths", MAX_SSV_PATHS)):
        if given.get(name) is not None:
            asked[name] = _whole(given, name, 0, 0, most)
    if given.get("precision") is not None:
        asked["precision"] = given["precision"]
    if given.get("temperature") is not None:
        asked["temperature"] = _number(given, "temperature")
    asked["template_detail"] = _yes_or_no(given, "template_detail")
    return SynthesisSettings(**asked)


def samples_asked(given: Mapping[str, Any]) -> int:
    """How many volumes: the number asked for, else the preset's."""
    return _whole(given, "samples", chosen_preset(given).samples, 1, MAX_SAMPLES)


@dataclass(frozen=True)
class SynthesisRequest:
    """A mask, a template pair, how many volumes, and how the generator runs."""

    mask: Path
    template_image: Path
    template_mask: Path
    samples: int
    scheme: str | None
    resample: bool
    correspondence: Mapping[int, int]
    """Target label -> template label it looks like."""
    read_back: bool
    """Let the shipped segmenter read every volume."""
    generator: GeneratorRequest

    @classmethod
    def from_job(cls, job: Job) -> SynthesisRequest:
        """Read a ``synthesize`` job; refuses missing inputs, unknown settings and numbers out of range."""
        refuse_unknown_settings(job, KNOWN_SETTINGS)
        return cls(
            mask=_path(job, "mask", "mask"),
            template_image=_path(job, "template_image", "template image"),
            template_mask=_path(job, "template_mask", "template mask"),
            samples=samples_asked(job.settings),
            scheme=job.settings.get("scheme"),
            resample=bool(job.settings.get("resample", False)),
            correspondence=_correspondence(job.settings.get("correspondence")),
            read_back=bool(job.settings.get("read_back", False)),
            generator=GeneratorRequest.from_job(job),
        )


def refuse_unknown_settings(job: Job, known: Sequence[str]) -> None:
    """Raise for a setting the verb does not have."""
    unknown = sorted(set(job.settings) - set(known))
    if unknown:
        raise StructDiffError(f"unknown settings {unknown} for {job.verb}", f"use only {', '.join(known)}")


def _path(job: Job, role: str, words: str) -> Path:
    given = job.inputs.get(role)
    if not given:
        raise StructDiffError(f"the job names no {words}", f"give inputs.{role}")
    return Path(given)


def _whole(settings: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = settings.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise StructDiffError(f"{name} is {value!r}, expected a whole number", f"give {name} from {low} to {high}")
    if not low <= value <= high:
        raise StructDiffError(f"{name} is {value}, expected {low} to {high}", f"give a number in that range for {name}")
    return value


def _number(settings: Mapping[str, Any], name: str) -> float:
    value = settings[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise StructDiffError(f"{name} is {value!r}, expected a number", f"give a number for {name}")
    return float(value)


def _yes_or_no(settings: Mapping[str, Any], name: str) -> bool:
    value = settings.get(name, False)
    if not isinstance(value, bool):
        raise StructDiffError(f"{name} is {value!r}, expected true or false", f"give true or false for {name}")
    return value


def _correspondence(given: Any) -> Mapping[int, int]:
    """From ["9=3", "10=2"], {"9": 3} or the path of a JSON file holding the latter."""
    if not given:
        return {}
    if isinstance(given, (list, tuple)) and len(given) == 1 and str(given[0]).endswith(".json"):
        given = _json_object(Path(given[0]))
    pairs = given.items() if isinstance(given, Mapping) else [str(item).partition("=")[::2] for item in given]
    try:
        return {int(target): int(source) for target, source in pairs}
    except (TypeError, ValueError):
        raise StructDiffError(f"the correspondence {given!r} is not made of pairs of labels", "write it as 9=3 10=2") from None


def _json_object(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise StructDiffError(f"{path} is not a readable JSON file ({error})", 'write it as {"9": 3, "10": 2}') from None
    if not isinstance(content, dict):
        raise StructDiffError(f"{path} holds no JSON object", 'write it as {"9": 3, "10": 2}')
    return content
