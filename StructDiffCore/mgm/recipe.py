"""Recipe: everything that decides a new mask. Drawn first, written down, and applied as often as one likes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from StructDiffCore.domain import StructDiffError

from .breaks import Break, break_from_dict
from .edit import Edit
from .edit_kinds import edit_from_dict
from .warp import WarpRecipe

FIELDS = ("reference", "trees_from", "warp", "edits", "breaks", "spacing_mm")


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
    breaks: tuple[Break, ...] = field(default=())
    """Faults laid into the proved mask on purpose, in the frame of the new mask; none in a good one."""
    spacing_mm: tuple[float, float, float] | None = None
    """Spacing of the new mask; None: the reference's."""

    def __post_init__(self) -> None:
        _refuse_contradictions(self.edits)
        if self.spacing_mm is not None and not all(0.1 <= step <= 5 for step in self.spacing_mm):
            raise StructDiffError(f"a spacing of {self.spacing_mm} mm cannot be", "give 0.1 to 5 mm per axis")

    def as_dict(self) -> dict[str, Any]:
        return {
            "reference": self.reference,
            "trees_from": self.trees_from,
            "warp": asdict(self.warp),
            "edits": [edit.as_dict() for edit in self.edits],
            "breaks": [one.as_dict() for one in self.breaks],
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
    references: tuple[str, ...] = ()
    """Digests of the references that a manifest was made from; none for a bare recipe."""

    def made_from_others(self, digests: Sequence[str]) -> list[str]:
        """Digests among the manifest's references that are not in their place among these."""
        here = [*digests, *[""] * len(self.references)]
        return [digest for digest, other in zip(self.references, here) if digest != other]

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
            return replace(cls.from_dict(content["recipe"]), references=_digests(content.get("references")))
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
        for name, made in (("edits", edit_from_dict), ("breaks", break_from_dict)):
            if name in given:
                if not isinstance(given[name], list):
                    raise StructDiffError(f"the recipe's {name} are no list", 'give [{"kind": ..., ...}, ...]')
                given[name] = tuple(made(one) for one in given[name])
        if given.get("spacing_mm") is not None:
            given["spacing_mm"] = _triple(given["spacing_mm"])
        for name in ("reference", "trees_from"):
            if given.get(name) is not None and (not isinstance(given[name], int) or isinstance(given[name], bool)):
                raise StructDiffError(f"the recipe gives {name} as {given[name]!r}", "give the number of a reference, from 0")
        cls(given).completed(Recipe(WarpRecipe(0)))
        return cls(given)

    @property
    def whole(self) -> bool:
        """Whether nothing is left to chance: every field that is drawn is given."""
        warp = self.given.get("warp", {})
        needed = {field.name for field in fields(WarpRecipe)} - {"towards", "share"}
        return {"reference", "trees_from", "edits"} <= set(self.given) and needed <= set(warp)

    def completed(self, drawn: Recipe) -> Recipe:
        """The drawn recipe with what is given put in its place."""
        given = dict(self.given)
        if "warp" in given:
            alone = {"towards": None, "share": 0.0} if "seed" in given["warp"] else {}
            given["warp"] = replace(drawn.warp, **{**alone, **given["warp"]})
        return replace(drawn, **given)


ONCE = (("shorten", "lengthen"), ("switch_dominance",), ("calibre",), ("tortuosity",), ("move_take_off",))
"""Of each group, a branch takes one edit at most."""


def _refuse_contradictions(edits: tuple[Edit, ...]) -> None:
    """A pruned branch takes no other edit, no branch is edited twice the same way, no name is given twice."""
    pruned = {_where(edit) for edit in edits if edit.kind == "prune"}
    seen: dict[object, str] = {}
    for edit in edits:
        if edit.kind != "prune" and _where(edit) in pruned:
            raise _contradiction(f"{_words(edit)} is pruned and gets a {edit.kind}")
        group = next((kinds for kinds in ONCE if edit.kind in kinds), None)
        key = (group, _where(edit)) if group else ("graft", getattr(edit, "tree", 0), getattr(edit, "name", ""))
        if (group or edit.kind == "graft") and key in seen:
            raise _contradiction(f"{_words(edit)} gets a {seen[key]} and a {edit.kind}")
        seen[key] = edit.kind


def _where(edit: Edit) -> tuple[object, object]:
    return getattr(edit, "tree", None), getattr(edit, "branch", None)


def _words(edit: Edit) -> str:
    return str(getattr(edit, "name", None) or getattr(edit, "branch", None) or "the heart")


def _contradiction(what: str) -> StructDiffError:
    return StructDiffError(f"the recipe contradicts itself: {what}", "choose one of the two")


def _digests(references: Any) -> tuple[str, ...]:
    entries = references if isinstance(references, list) else []
    return tuple(str(entry["sha256_16"]) for entry in entries if isinstance(entry, Mapping) and "sha256_16" in entry)


def _refuse_bad_warp(warp: Any) -> None:
    known = [field.name for field in fields(WarpRecipe)]
    if not isinstance(warp, Mapping) or set(warp) - set(known):
        raise StructDiffError(f"the recipe's warp is {warp!r}", f"give an object with any of {', '.join(known)}")
    for name, value in warp.items():
        whole = name in ("seed", "towards")
        if name == "towards" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise StructDiffError(f"the recipe's warp has {name} = {value!r}", "give a number")


def _triple(value: Any) -> tuple[float, float, float]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return (float(value),) * 3
    if isinstance(value, list) and len(value) == 3 and all(isinstance(step, (int, float)) for step in value):
        return (float(value[0]), float(value[1]), float(value[2]))
    raise StructDiffError(f"the recipe gives the spacing as {value!r}", "give one number or three, in mm")
