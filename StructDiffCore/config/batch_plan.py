"""BatchPlan: the table of masks and templates behind ``structdiff synthesize-many``, read from YAML or JSON."""

from __future__ import annotations

import glob
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from StructDiffCore.domain import StructDiffError

KNOWN = ("masks", "templates", "pairs", "samples", "seed", "settings")
PLAIN_STEMS = ("mask", "labels", "segmentation")
"""File names that say nothing: the folder's name is taken."""
MOST_JOBS = 100_000


@dataclass(frozen=True)
class PlannedTemplate:
    """A template by name; no files where the name is that of a shipped one."""

    name: str
    image: Path | None = None
    mask: Path | None = None


@dataclass(frozen=True)
class BatchPlan:
    """Every (mask, template) pair that is wanted, how many volumes of each, and how they are made."""

    pairs: tuple[tuple[str, Path, PlannedTemplate], ...]
    """Mask name, mask file, template."""
    samples: int
    seed: int
    settings: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> BatchPlan:
        """The plan in a file; paths in it count from the file's folder. Refuses what it does not understand."""
        return cls.of(plan_content(path), path)

    @classmethod
    def of(cls, content: Mapping[str, Any], path: Path) -> BatchPlan:
        """The plan of a table that was read from ``path``."""
        unknown = sorted(set(map(str, content)) - set(KNOWN))
        if unknown:
            raise StructDiffError(f"{path} has unknown entries {unknown}", f"use only {', '.join(KNOWN)}")
        masks, templates = _masks(content.get("masks"), path.parent), _templates(content.get("templates"), path.parent)
        samples, seed = _whole(content, "samples", 1), _whole(content, "seed", 0)
        pairs = _pairs(content.get("pairs"), masks, templates)
        if samples < 1 or len(pairs) * samples > MOST_JOBS:
            raise StructDiffError(f"the plan asks for {len(pairs)} pairs, {samples} volumes each", f"at most {MOST_JOBS} in all")
        return cls(pairs, samples, seed, _settings(content.get("settings"), path.parent))


def plan_content(path: Path) -> Mapping[str, Any]:
    """The table in a YAML or JSON file; refuses what is none."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except FileNotFoundError:
        raise StructDiffError(f"no plan at {path}", "give the path of a YAML file") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, yaml.YAMLError) as error:
        raise StructDiffError(f"{path} is no readable plan ({' '.join(str(error).split())[:120]})", "correct it") from None
    if not isinstance(content, Mapping):
        raise StructDiffError(f"{path} holds no plan", f"give {', '.join(KNOWN)}")
    return content


def _settings(given: Any, folder: Path) -> dict[str, Any]:
    """As given; a scheme or a model that is a file counts from the plan's folder."""
    if not isinstance(given or {}, Mapping):
        raise StructDiffError(f"the plan's settings are {given!r}", "write them as {preset: quick}")
    settings = dict(given or {})
    for name in ("scheme", "model"):
        if isinstance(settings.get(name), str) and (folder / settings[name]).is_file():
            settings[name] = str(folder / settings[name])
    return settings


def _masks(given: Any, folder: Path) -> dict[str, Path]:
    if not isinstance(given, list) or not given:
        raise StructDiffError("the plan names no masks", "give masks: [file or pattern, ...]")
    found: dict[str, Path] = {}
    for item in given:
        files = sorted(glob.glob(str(folder / str(item)), recursive=True))
        if not files:
            raise StructDiffError(f"the plan's mask {item} is not there", f"paths count from {folder}")
        for file in map(Path, files):
            name = _mask_name(file)
            if found.setdefault(name, file) != file:
                raise StructDiffError(f"two masks are called {name} ({found[name]} and {file})", "rename one")
    return found


def _mask_name(file: Path) -> str:
    name = file.name.partition(".")[0]
    return file.parent.name if name.lower() in PLAIN_STEMS and file.parent.name else name


def _templates(given: Any, folder: Path) -> dict[str, PlannedTemplate]:
    if not isinstance(given, list) or not given:
        raise StructDiffError("the plan names no templates", "give templates: [{name, image, mask}, ...]")
    found: dict[str, PlannedTemplate] = {}
    for item in given:
        template = PlannedTemplate(item) if isinstance(item, str) else _template(item, folder)
        if template.name in found:
            raise StructDiffError(f"two templates are called {template.name}", "give them names")
        found[template.name] = template
    return found


def _template(item: Any, folder: Path) -> PlannedTemplate:
    if not isinstance(item, Mapping) or not {"image", "mask"} <= set(item) or set(item) - {"name", "image", "mask"}:
        raise StructDiffError(f"the plan's template {item!r} is not understood", "write {name: ..., image: ..., mask: ...}")
    image, mask = folder / str(item["image"]), folder / str(item["mask"])
    for path in (image, mask):
        if not path.exists():
            raise StructDiffError(f"the plan's template file {path} is not there", f"paths count from {folder}")
    return PlannedTemplate(str(item.get("name") or image.name.partition(".")[0]), image, mask)


def _pairs(
    given: Any, masks: Mapping[str, Path], templates: Mapping[str, PlannedTemplate]
) -> tuple[tuple[str, Path, PlannedTemplate], ...]:
    """The pairs named, else all masks with all templates."""
    named = [(mask, template) for mask in masks for template in templates] if given is None else given
    chosen = []
    for pair in named:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or pair[0] not in masks or pair[1] not in templates:
            raise StructDiffError(
                f"the plan's pair {pair!r} is not understood",
                f"give [mask, template] of {list(masks)[:5]} and {list(templates)[:5]}",
            )
        chosen.append((pair[0], masks[pair[0]], templates[pair[1]]))
    return tuple(dict.fromkeys(chosen))


def _whole(content: Mapping[str, Any], name: str, default: int) -> int:
    value = content.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise StructDiffError(f"the plan's {name} is {value!r}", "give a whole number")
    return value
