"""Recipe: everything that decides a new mask. Drawn first, written down, and applied as often as one likes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from StructDiffCore.domain import StructDiffError

from .edits import Edit, edit_from_dict
from .warp import WarpRecipe

FIELDS = ("reference", "trees_from", "warp", "edits", "spacing_mm")


@dataclass(frozen=True)
class Recipe:
    """One new mask in JSON."""

    warp: WarpRecipe
    reference: int = 0
    """Number of the reference mask that gives the organs."""
    trees_from: int | None = None
    """Number of the reference whose vessels are laid onto those organs; None: the organs' own."""
    edits: tuple[Edit, ...] = field(default=())
    """In this order, in the frame of the organs' reference, before the warp."""
    spacing_mm: tuple[float, float, float] | None = None
    """Spacing of the new mask; None: the reference's."""

    def __post_init__(self) -> None:
        pruned = {(edit.tree, edit.branch) for edit in self.edits if edit.kind == "prune"}
        for edit in self.edits:
            if edit.kind != "prune" and (edit.tree, edit.branch) in pruned:
                raise StructDiffError(
                    f"the recipe contradicts itself: {edit.branch} is pruned and gets a {edit.kind}", "choose one of the two"
                )
        if self.spacing_mm is not None and not all(0.1 <= step <= 5 for step in self.spacing_mm):
            raise StructDiffError(f"a spacing of {self.spacing_mm} mm cannot be", "give 0.1 to 5 mm per axis")

    def as_dict(self) -> dict[str, Any]:
        return {
            "reference": self.reference,
            "trees_from": self.trees_from,
            "warp": asdict(self.warp),
            "edits": [edit.as_dict() for edit in self.edits],
            "spacing_mm": None if self.spacing_mm is None else list(self.spacing_mm),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Recipe:
        """The inverse of ``as_dict``."""
        return PartialRecipe.from_dict(content).completed(cls(WarpRecipe(0)))


@dataclass(frozen=True)
class PartialRecipe:
    """What a user fixes; the rest is drawn."""

    given: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> PartialRecipe:
        """A recipe file: a JSON object with any of the recipe's fields, or a manifest that holds one under "recipe"."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise StructDiffError(f"no recipe at {path}", "give a JSON file, e.g. the manifest of a mask made before") from None
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise StructDiffError(f"{path} is no readable recipe ({error})", "write it again") from None
        if isinstance(content, Mapping) and isinstance(content.get("recipe"), Mapping):
            content = content["recipe"]
        return cls.from_dict(content)

    @classmethod
    def from_dict(cls, content: Any) -> PartialRecipe:
        """Check the fields; StructDiffError in one line."""
        if not isinstance(content, Mapping):
            raise StructDiffError("the recipe is no JSON object", f"give an object with any of {', '.join(FIELDS)}")
        unknown = sorted(set(content) - set(FIELDS))
        if unknown:
            raise StructDiffError(f"the recipe has an unknown field {unknown[0]!r}", f"use {', '.join(FIELDS)}")
        given = dict(content)
        if "warp" in given:
            _refuse_bad_warp(given["warp"])
        if "edits" in given:
            if not isinstance(given["edits"], list):
                raise StructDiffError("the recipe's edits are no list", 'give [{"kind": "prune", ...}, ...]')
            given["edits"] = tuple(edit_from_dict(edit) for edit in given["edits"])
        if given.get("spacing_mm") is not None:
            given["spacing_mm"] = _triple(given["spacing_mm"])
        for name in ("reference", "trees_from"):
            if given.get(name) is not None and (not isinstance(given[name], int) or isinstance(given[name], bool)):
                raise StructDiffError(f"the recipe gives {name} as {given[name]!r}", "give the number of a reference, from 0")
        cls(given).completed(Recipe(WarpRecipe(0)))
        return cls(given)

    def completed(self, drawn: Recipe) -> Recipe:
        """The drawn recipe with what is given put in its place."""
        given = dict(self.given)
        if "warp" in given:
            given["warp"] = replace(drawn.warp, **given["warp"])
        return replace(drawn, **given)


def _refuse_bad_warp(warp: Any) -> None:
    known = [field.name for field in fields(WarpRecipe)]
    if not isinstance(warp, Mapping) or set(warp) - set(known):
        raise StructDiffError(f"the recipe's warp is {warp!r}", f"give an object with any of {', '.join(known)}")
    for name, value in warp.items():
        if isinstance(value, bool) or not isinstance(value, int if name == "seed" else (int, float)):
            raise StructDiffError(f"the recipe's warp has {name} = {value!r}", "give a number")


def _triple(value: Any) -> tuple[float, float, float]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return (float(value),) * 3
    if isinstance(value, list) and len(value) == 3 and all(isinstance(step, (int, float)) for step in value):
        return (float(value[0]), float(value[1]), float(value[2]))
    raise StructDiffError(f"the recipe gives the spacing as {value!r}", "give one number or three, in mm")
