"""Who learns and who is held out: by patient, and never a pair on one side with its kin on the other."""

from __future__ import annotations

from collections.abc import Sequence

from StructDiffCore.domain import StructDiffError
from StructDiffCore.training.seeds import seed_of

from .cases import PairFiles
from .prepared import PreparedCase

TELL_PATIENTS = 'give "patient" with each pair in a data list: images of one name are taken for one patient\'s'


def held_out(pairs: Sequence[PairFiles], folds: int, fold: int, seed: int) -> tuple[list[PairFiles], list[PairFiles]]:
    """(learning, held out): the patients in an order that the seed draws, dealt to the folds in turn.

    Synthetic pairs among real ones are never held out; those of a held-out patient learn nothing either.
    """
    real = [pair for pair in pairs if not pair.parents] or pairs
    groups = sorted({pair.group for pair in real}, key=lambda group: seed_of(seed, "fold", group))
    if len(groups) < folds:
        hint = f"; {TELL_PATIENTS}" if len(pairs) >= folds and any(pair.patient_is_guessed for pair in pairs) else ""
        raise StructDiffError(
            f"{len(groups)} patients (or templates) cannot be split into {folds} folds",
            f"lower folds, add cases, or name validation sources{hint}",
        )
    out = {group for rank, group in enumerate(groups) if rank % folds == fold}
    return [pair for pair in pairs if pair.group not in out], [pair for pair in real if pair.group in out]


def without_held_out(pairs: Sequence[PairFiles], validation: Sequence[PairFiles]) -> list[PairFiles]:
    """A stage's pairs without the held-out patients' real ones, where both stages list them (joint training)."""
    out = {pair.group for pair in validation}
    return [pair for pair in pairs if pair.parents or pair.group not in out]


def refuse_shared_patients(learning: Sequence[PairFiles], validation: Sequence[PairFiles]) -> None:
    """Refuse lists that name one patient, or one file, on both sides; costs nothing, so it is asked before anything is read."""
    patients = {pair.patient: pair for pair in learning if pair.patient}
    images = {pair.image.resolve(): pair for pair in learning}
    for pair in validation:
        if pair.image.resolve() in images:
            raise _leak(f"the image {pair.image.name}", images[pair.image.resolve()], pair)
        if pair.patient and pair.patient in patients:
            raise _shared(patients[pair.patient], pair)


def refuse_kin(learning: Sequence[PreparedCase], validation: Sequence[PreparedCase]) -> None:
    """Refuse a pair on one side that is a copy or a synthetic child of one on the other, or that shares a parent with it."""
    owner = {name: case.files for case in learning for name in case.kin}
    for case in validation:
        for name in sorted(case.kin & set(owner)):
            raise _leak(f"the pair or template {name}", owner[name], case.files)


def refuse_templates(templates: frozenset[str], validation: Sequence[PreparedCase]) -> None:
    """Refuse a plan with a held-out case among its ``templates`` (digests)."""
    for case in validation:
        if case.kin & templates:
            raise StructDiffError(
                f"the validation case {case.files.id} is a template of the plan, or made from one",
                "leave that template out of the plan, or name other validation sources",
            )


def without_kin(learning: Sequence[PreparedCase], validation: Sequence[PreparedCase]) -> list[PreparedCase]:
    """The learning cases without the synthetic children of held-out ones, which a fold takes with it."""
    known = {name for case in validation for name in case.kin}
    return [case for case in learning if not (case.files.parents and case.kin & known)]


def _shared(learning: PairFiles, validation: PairFiles) -> StructDiffError:
    """One patient on both sides, or two images of one name of which nobody has told whose they are."""
    if not (learning.patient_is_guessed and validation.patient_is_guessed):
        return _leak(f"patient {learning.patient}", learning, validation)
    return StructDiffError(
        f"{learning.image} and {validation.image} stand on both sides of the split under one name: they pass for one patient's",
        f"keep them on one side, or, if they are not, {TELL_PATIENTS}",
    )


def _leak(what: str, learning: PairFiles, validation: PairFiles) -> StructDiffError:
    return StructDiffError(
        f"{what} stands on both sides of the split (training case {learning.id}, validation case {validation.id})",
        "keep all pairs of a patient, and what was made from them, on one side",
    )
