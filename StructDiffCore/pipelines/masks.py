"""``structdiff masks MASK...``: new proved masks from reference masks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from StructDiffCore.config.messages import Event, Job, log, progress
from StructDiffCore.domain import StructDiffError

from .remaining import RemainingTime
from .result_folder import ResultFolder

if TYPE_CHECKING:
    from StructDiffCore.mgm.recipe import PartialRecipe

MOST_FAULTS = 5


def run(job: Job) -> Iterator[Event]:
    """Progress per mask; writes DIR/mask-N/ (labels, trees, manifest, picture), DIR/diversity.json and DIR/masks.html."""
    from StructDiffCore.mgm.generate import new_masks
    from StructDiffCore.mgm.portrait import Portrait

    from .masks_files import write_mask
    from .masks_inputs import prepared, read_references
    from .masks_page import MasksPage

    count, faults = _count(job), _faults(job)
    fixed = _recipe(job)
    folder = ResultFolder.checked(job.out)
    masks = read_references(job.inputs.get("masks"), job.settings.get("scheme"))
    yield log(f"read {len(masks)} reference mask(s)")
    references = prepared(masks, bool(job.settings.get("repair")))
    for one in references:
        for line in one.mended:
            yield log(f"mended {one.name}: {line}")
    if fixed is not None and (others := fixed.made_from_others([one.digest for one in references])):
        yield log(
            f"the recipe was made from other references ({', '.join(others)}): it is applied to these, its mask will differ"
        )
    folder.need_space(count * (masks[0][1].voxels.size // 4 + 2**21))
    page, clock, refused = (
        MasksPage([Portrait.of(one.reference.mask, one.reference.trees) for one in references]),
        RemainingTime(),
        0,
    )
    page.show("reference", references[0].reference.mask)
    with folder.opened() as out:
        made = new_masks([one.reference for one in references], count, job.seed, fixed=fixed, faults=faults)
        for number, mask in enumerate(made):
            folder.refuse_cancelled()
            with folder.result(f"mask-{number:03d}") as place:
                write_mask(place, mask, job.seed, references)
            page.add(mask)
            refused += len(mask.refused)
            yield progress("masks", number + 1, count, clock.tick(number + 1, count))
        found = page.save(out)
    summary = [
        f"{count} mask(s), every one proved"
        + (f", each with {faults} declared fault(s)" if faults else "")
        + f"; {refused} recipe(s) refused",
        f"mean displacement {found['displacement_mm']['mean']:.1f} mm",
        f"written: {out}",
    ]
    yield Event("finished", {"masks": count, "refused": refused, "diversity": found, "summary": summary})


def _count(job: Job) -> int:
    count = job.settings.get("count", 1)
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise StructDiffError(f"{count} masks were asked for", "give --count 1 or more")
    return count


def _faults(job: Job) -> int:
    faults: Any = job.settings.get("faults", 0)
    if not isinstance(faults, int) or isinstance(faults, bool) or not 0 <= faults <= MOST_FAULTS:
        raise StructDiffError(f"{faults} faults per mask were asked for", f"give --faults 0 to {MOST_FAULTS}")
    return faults


def _recipe(job: Job) -> PartialRecipe | None:
    from StructDiffCore.mgm.recipe import PartialRecipe

    path = job.inputs.get("recipe")
    return None if not path else PartialRecipe.read(Path(str(path)))
