"""PairPlan: masks and templates of which training pairs are made while the training runs."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from StructDiffCore.config.batch_plan import BatchPlan, PlannedTemplate, plan_content
from StructDiffCore.domain import StructDiffError
from StructDiffCore.io.integrity import ENDINGS
from StructDiffCore.training.seeds import numpy_generator, seed_of

REFERENCES, REPAIR = "references", "repair"
YAML = (".yaml", ".yml")


@dataclass(frozen=True)
class PairOrder:
    """What one pair is to be made of."""

    mask: Path | None
    """None: a new mask, made by MGM from the plan's references."""
    template: PlannedTemplate
    mask_seed: int
    seed: int
    """Of the synthesis."""


@dataclass(frozen=True)
class PairPlan:
    """An endless row of pairs; what the pair of a number is made of is a function of the plan and the number."""

    path: Path
    batch: BatchPlan
    """Its masks are the references where ``fresh``."""
    fresh: bool = False
    """Whether every pair has a new mask."""
    repair: bool = False
    """Mend dirty references first."""

    @classmethod
    def read(cls, path: Path) -> PairPlan:
        """A plan as ``structdiff synthesize-many`` takes it, or one with "references" instead of "masks"; refuses any other.

        A folder among the masks stands for all masks below it. "samples" does not count: as many are made as are needed.
        """
        content = dict(plan_content(path))
        fresh, repair = REFERENCES in content, content.pop(REPAIR, False)
        if fresh and "masks" in content:
            raise StructDiffError(f"{path} names both masks and {REFERENCES}", f"give masks, or {REFERENCES} for new ones")
        if not isinstance(repair, bool) or (repair and not fresh):
            raise StructDiffError(f"{path} gives repair as {repair!r}", f"give true or false, beside {REFERENCES}")
        masks = content.pop(REFERENCES) if fresh else content.get("masks")
        return cls(path, BatchPlan.of({**content, "masks": _files(masks, path.parent)}, path), fresh, repair)

    @property
    def references(self) -> list[Path]:
        return list(dict.fromkeys(mask for _, mask, _ in self.batch.pairs))

    @property
    def templates(self) -> list[PlannedTemplate]:
        return list(dict.fromkeys(template for _, _, template in self.batch.pairs))

    def order(self, number: int) -> PairOrder:
        """Pair ``number`` from 0 on: all masks with all templates in an order of chance, again and again in another one."""
        choices: list[tuple[Path | None, PlannedTemplate]] = [(mask, template) for _, mask, template in self.batch.pairs]
        if self.fresh:
            choices = [(None, template) for template in self.templates]
        turn, place = divmod(number, len(choices))
        mask, template = choices[numpy_generator(self.batch.seed, "order", turn).permutation(len(choices))[place]]
        seeds = (seed_of(self.batch.seed, what, number) for what in ("mask", "pair"))
        return PairOrder(mask, template, *seeds)


def is_plan(source: Path) -> bool:
    """Whether a source is a plan rather than pairs on disk."""
    if source.suffix.lower() in YAML:
        return True
    return source.suffix.lower() == ".json" and source.is_file() and "templates" in _quietly(source)


def _quietly(source: Path) -> Mapping[str, Any]:
    try:
        return plan_content(source)
    except StructDiffError:
        return {}


def _files(given: Any, base: Path) -> Any:
    """Masks with every folder replaced by what it holds; what is no list is left for the plan to refuse."""
    if not isinstance(given, list):
        return given
    found: list[str] = []
    for item in map(str, given):
        folder = base / item
        here = sorted(path for path in folder.rglob("*") if path.name.lower().endswith(ENDINGS)) if folder.is_dir() else []
        if folder.is_dir() and not here:
            raise StructDiffError(f"the plan's folder {item} holds no masks", f"give masks as {', '.join(ENDINGS)}")
        found += [glob.escape(str(path.resolve())) for path in here] if here else [item]
    return found
