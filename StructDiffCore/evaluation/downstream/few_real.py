"""The few real pairs of a subset, and the new masks that MGM makes around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from StructDiffCore.domain import CARDIAC, ImageMaskPair, LabelMap, StructDiffError, Template
from StructDiffCore.io.files import mask_id, read_pair, template_id
from StructDiffCore.mgm.draw import DrawSettings
from StructDiffCore.mgm.generate import NewMask, new_masks
from StructDiffCore.mgm.reference import Reference
from StructDiffCore.mgm.repair import repaired
from StructDiffCore.mgm.traced_tree import traced_trees
from StructDiffCore.preprocess.grids import resample_labels

BLOCK = 16
"""Patients set aside per subset, so that no two subsets share one."""
FIRST_PILOT_TEST = 900
FIRST_TEST = 1000
"""Patients from here on are never learnt from."""
TRIES = 4
STILL = DrawSettings(
    calibre=(1.0, 1.0), tortuosity_mm=(0.0, 0.0), most_pruned=0, graft_chance=0, stenosis_chance=0, ectasia_chance=0,
    shorten_chance=0, lengthen_chance=0, move_chance=0, dominance_chance=0, blend_chance=0,
)  # fmt: skip
"""A warp and nothing else, so that the image can follow."""


def subset_patients(subset: int, cases: int) -> tuple[int, ...]:
    """The patients of a subset: the first ``cases`` of its block; subsets share none."""
    if not 1 <= cases <= BLOCK:
        raise StructDiffError(f"a subset of {cases} cases was asked for", f"choose 1 to {BLOCK}")
    return tuple(range(BLOCK * subset, BLOCK * subset + cases))


def further_patients(subset: int, cases: int, more: int) -> tuple[int, ...]:
    """``more`` patients of a subset's block behind the few: of the same domain and labeller, shared with no other subset."""
    return subset_patients(subset, cases + more)[cases:]


@dataclass(frozen=True, eq=False)
class FewReal:
    """Pairs to learn from, to start masks from, and to serve as templates."""

    names: tuple[str, ...]
    pairs: tuple[ImageMaskPair, ...]

    @classmethod
    def read(cls, folders: Sequence[Path]) -> FewReal:
        """From patient folders with image.nii.gz and mask.nii.gz."""
        pairs = [read_pair(folder / "image.nii.gz", folder / "mask.nii.gz", CARDIAC) for folder in folders]
        return cls(tuple(folder.name for folder in folders), tuple(pairs))

    def template(self, number: int) -> Template:
        pair = self.pairs[number]
        return Template(pair, template_id(pair))

    def mask_id(self, number: int) -> str:
        return mask_id(self.pairs[number].mask)

    @cached_property
    def references(self) -> tuple[tuple[int, Reference], ...]:
        """(number of the pair, its mended mask with traced trees); pairs that cannot be mended are left out."""
        found = []
        for number, pair in enumerate(self.pairs):
            try:
                found.append((number, _reference(pair)))
            except StructDiffError as error:
                reason = error
        if not found:
            raise StructDiffError(f"none of {', '.join(self.names)} can start new masks ({reason.fact})", "take other cases")
        return tuple(found)

    def as_scanned(self, mask: LabelMap, parent: int) -> LabelMap:
        """A new mask in the field of view of its parent's scan: beyond it no template shows what is there (bone, above all)."""
        return resample_labels(mask, self.pairs[parent].geometry)

    def new_mask(self, seed: int, still: bool = False) -> tuple[int, NewMask]:
        """(number of the pair it came from, a proved new mask); ``still``: a warp without edits of the trees."""
        references = [reference for _, reference in self.references]
        for attempt in range(TRIES):
            try:
                made = next(new_masks(references, 1, seed + attempt, STILL if still else None))
                return self.references[made.recipe.reference][0], made
            except StructDiffError as error:
                reason = error
        raise reason


def starts_masks(pair: ImageMaskPair) -> bool:
    """Whether MGM can make new masks around the pair's."""
    try:
        _reference(pair)
    except StructDiffError:
        return False
    return True


def _reference(pair: ImageMaskPair) -> Reference:
    return Reference.clean(repaired(pair.mask)[0], traced_trees)
