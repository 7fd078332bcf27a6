"""Mask editing: MGM edits of the vessels of a segmentation, each proved before it is shown and one undo step."""

from dataclasses import dataclass, field

from StructDiffCore.domain import StructDiffError

from .translation import _

EDITS = {
    "lengthen": ("lengthen", {"byMM": "by_mm"}),
    "prune": ("prune", {}),
    "move": ("move_take_off", {"byMM": "by_mm"}),
    "narrow": ("stenosis", {"centreMM": "centre_mm", "lengthMM": "length_mm", "percent": "percent_diameter"}),
    "widen": ("ectasia", {"centreMM": "centre_mm", "lengthMM": "length_mm", "percent": "percent_diameter"}),
}
"""Kind on the panel -> the core's kind of edit and its fields by the names used here."""
KINDS = ("newMask", "repair", *EDITS)
STILL = {"seed": 0, "sd_mm": 0.0}
"""A warp that moves nothing."""


@dataclass(frozen=True)
class BranchRow:
    """One branch that can be edited."""

    tree: int
    treeName: str
    branch: str
    lengthMM: float
    radiusMM: float
    """Median along the branch."""
    positionRAS: tuple
    """Its middle."""
    isRoot: bool


@dataclass(frozen=True)
class EditResult:
    """A new mask that passed its proof, with everything that decides it."""

    labelMap: object = field(repr=False)
    message: str
    recipe: dict


def branches(labelMap):
    """Every branch of every vessel label, the trunk of each tree first."""
    from StructDiffCore.mgm.traced_tree import traced_trees

    return [
        _row(value, labelMap.scheme[value].name, branch)
        for value, tree in traced_trees(labelMap).items()
        for branch in tree.branches
    ]


def edited(labelMap, kind, **options):
    """The mask after one edit; takes seconds and touches no scene, so it may run in a thread.

    repair(): pieces joined, holes filled. newMask(seed, strength in mm | None). prune(tree, branch). lengthen and move(tree,
    branch, byMM). narrow and widen(tree, branch, centreMM, lengthMM, percent). StructDiffError where the proof fails.
    """
    if kind not in KINDS:
        raise StructDiffError(_("there is no edit called '{kind}'").format(kind=kind), _("choose one on the panel"), "internal")
    if kind == "repair":
        return _repaired(labelMap)
    reference = _cleanReference(labelMap)
    made = _anotherMask(reference, **options) if kind == "newMask" else _oneEdit(reference, kind, **options)
    message = _("{kind}: proved ({count} checks)").format(kind=kind, count=len(made.proof.checks))
    return EditResult(made.mask, message, made.recipe.as_dict())


def edit(bridge, segmentationNode, kind, **options):
    """Make the edit in the scene, as one undo step; answers the EditResult."""
    result = edited(bridge.labelMapOf(segmentationNode), kind, **options)
    bridge.replaceLabels(segmentationNode, result.labelMap)
    return result


def _cleanReference(labelMap):
    from StructDiffCore.mgm.reference import Reference
    from StructDiffCore.mgm.traced_tree import traced_trees

    try:
        return Reference.clean(labelMap, traced_trees)
    except StructDiffError as refusal:
        remedy = _("mend the mask first (Repair)") if "--repair" in refusal.remedy else refusal.remedy
        raise StructDiffError(refusal.fact, remedy, refusal.category) from None


def _repaired(labelMap):
    from StructDiffCore.mgm.repair import repaired

    mask, report = repaired(labelMap)
    return EditResult(mask, "; ".join(report.lines()) or _("nothing to mend"), {"kind": "repair", "changes": report.lines()})


def _oneEdit(reference, kind, tree, branch, **options):
    from StructDiffCore.mgm.generate import make_mask
    from StructDiffCore.mgm.recipe import Recipe

    core, names = EDITS[kind]
    unknown = sorted(set(options) - set(names))
    if unknown:
        raise StructDiffError(f"{kind} has no {unknown}", f"use {sorted(names)}", "internal")
    change = {"kind": core, "tree": tree, "branch": branch, **{names[name]: value for name, value in options.items()}}
    made = make_mask([reference], Recipe.from_dict({"warp": STILL, "edits": [change]}))
    if not made.proof.holds:
        why = made.proof.broken[0]
        raise StructDiffError(_("the edit would break the mask: {why}").format(why=why), _("choose another place or less change"))
    return made


def _anotherMask(reference, seed=0, strength=None):
    from StructDiffCore.mgm.generate import new_masks
    from StructDiffCore.mgm.recipe import PartialRecipe

    fixed = None if strength is None else PartialRecipe.from_dict({"warp": {"sd_mm": strength}})
    return next(iter(new_masks([reference], 1, seed, fixed=fixed)))


def _row(value, treeName, branch):
    import numpy as np

    middle = branch.points_mm[len(branch.points_mm) // 2]
    return BranchRow(
        value,
        treeName,
        branch.name,
        float(branch.length_mm),
        float(np.median(branch.radii_mm)),
        tuple(float(x) for x in middle),
        branch.parent is None,
    )
