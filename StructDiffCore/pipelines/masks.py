"""``structdiff masks MASK...``: new proved masks from reference masks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from StructDiffCore.config.messages import Event, Job, log, progress
from StructDiffCore.domain import LabelMap, StructDiffError

from .remaining import RemainingTime
from .result_folder import ResultFolder

if TYPE_CHECKING:
    from StructDiffCore.mgm.generate import NewMask
    from StructDiffCore.mgm.recipe import PartialRecipe
    from StructDiffCore.mgm.reference import Reference


def run(job: Job) -> Iterator[Event]:
    """Progress per mask; writes DIR/mask-N/{mask.seg.nrrd, trees.json, manifest.json, mask_3d.png} and DIR/diversity.json."""
    from StructDiffCore.mgm.diversity import diversity
    from StructDiffCore.mgm.generate import new_masks

    from .masks_page import save_masks_page

    count = _count(job)
    fixed = _recipe(job)
    folder = ResultFolder.checked(job.out)
    masks = _read(job)
    yield log(f"read {len(masks)} reference mask(s)")
    references, repairs = _prepared(masks, bool(job.settings.get("repair")))
    for path, lines in repairs.items():
        for line in lines:
            yield log(f"mended {path}: {line}")
    folder.need_space(count * (masks[0][1].voxels.size // 4 + 2**21))
    made: list[NewMask] = []
    clock = RemainingTime()
    with folder.opened() as out:
        for number, mask in enumerate(new_masks(references, count, job.seed, fixed=fixed)):
            folder.refuse_cancelled()
            with folder.result(f"mask-{number:03d}") as place:
                _write(place, mask, job.seed, [path for path, _ in masks], repairs)
            made.append(mask)
            yield progress("masks", number + 1, count, clock.tick(number + 1, count))
        found = diversity(references, made)
        (out / "diversity.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        save_masks_page(out / "diversity.png", references[0].mask, [mask.mask for mask in made])
    yield Event("finished", {"masks": count, "diversity": found, "summary": _summary(made, out)})


def _count(job: Job) -> int:
    count = job.settings.get("count", 1)
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise StructDiffError(f"{count} masks were asked for", "give --count 1 or more")
    return count


def _recipe(job: Job) -> PartialRecipe | None:
    from StructDiffCore.mgm.recipe import PartialRecipe

    path = job.inputs.get("recipe")
    return None if not path else PartialRecipe.read(Path(str(path)))


def _read(job: Job) -> list[tuple[str, LabelMap]]:
    from StructDiffCore.io.files import read_label_map
    from StructDiffCore.io.schemes import load_scheme

    paths = job.inputs.get("masks") or []
    if isinstance(paths, str):
        paths = [paths]
    if not paths:
        raise StructDiffError("no reference mask given", "give at least one mask file")
    name = job.settings.get("scheme")
    scheme = load_scheme(name) if name else None
    masks = [(Path(str(path)).name, read_label_map(str(path), scheme)) for path in paths]
    first = masks[0][1].scheme
    for name, mask in masks[1:]:
        if {(v, mask.scheme[v].name) for v in mask.scheme.values} != {(v, first[v].name) for v in first.values}:
            raise StructDiffError(
                f"{name} follows the scheme '{mask.scheme.name}', {masks[0][0]} the scheme '{first.name}'",
                "give masks of one scheme, or name it with --scheme",
            )
    return masks


def _prepared(masks: list[tuple[str, LabelMap]], repair: bool) -> tuple[list[Reference], dict[str, list[str]]]:
    """References ready for use, and what was mended, by file name."""
    from StructDiffCore.mgm.reference import Reference, refuse_unusable
    from StructDiffCore.mgm.repair import repaired
    from StructDiffCore.mgm.traced_tree import traced_trees

    references, repairs = [], {}
    for name, mask in masks:
        refuse_unusable(mask)
        if repair:
            mask, report = repaired(mask)
            repairs[name] = report.lines()
        references.append(Reference.clean(mask, traced_trees))
    return references, repairs


def _write(folder: Path, made: NewMask, seed: int, names: list[str], repairs: Mapping[str, list[str]]) -> None:
    from StructDiffCore import __version__
    from StructDiffCore.io.files import write_label_map
    from StructDiffCore.pictures.surface_page import save_surface

    write_label_map(made.mask, folder / "mask.seg.nrrd")
    trees = {str(value): tree.as_dict() for value, tree in made.trees.items()}
    (folder / "trees.json").write_text(json.dumps(trees) + "\n", encoding="utf-8")
    save_surface(folder / "mask_3d.png", made.mask, title="synthetic mask")
    manifest: dict[str, Any] = {
        "synthetic": True,
        "software": {"structdiff": __version__},
        "references": names,
        "mended": dict(repairs),
        "seed": seed,
        "recipe": made.recipe.as_dict(),
        "proof": made.proof.as_dict(),
        "mean_displacement_mm": round(made.displacement_mm, 3),
        "recipes_refused_before": list(made.refused),
        "geometry": made.mask.geometry.as_dict(),
        "files": {"mask": "mask.seg.nrrd", "trees": "trees.json", "picture": "mask_3d.png"},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _summary(made: list[NewMask], out: Path) -> list[str]:
    refused = sum(len(mask.refused) for mask in made)
    moved = sum(mask.displacement_mm for mask in made) / len(made)
    return [
        f"{len(made)} mask(s), every one proved; {refused} recipe(s) refused on the way",
        f"mean displacement {moved:.1f} mm",
        f"written: {out}",
    ]
