"""What ``structdiff masks`` starts from: reference masks of one scheme, mended where asked, ready for use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from StructDiffCore.domain import LabelMap, StructDiffError

if TYPE_CHECKING:
    from StructDiffCore.mgm.reference import Reference


@dataclass(frozen=True, eq=False)
class NamedReference:
    """A reference with the file it came from."""

    name: str
    digest: str
    """Of the labels and the grid as read, whatever the file format."""
    reference: Reference
    mended: tuple[str, ...] = ()


def read_references(paths: Any, scheme_name: str | None) -> list[tuple[str, LabelMap]]:
    """The masks with their file names; masks of different schemes are refused."""
    from StructDiffCore.io.recoding import read_in_scheme

    paths = [paths] if isinstance(paths, str) else list(paths or [])
    if not paths:
        raise StructDiffError("no reference mask given", "give at least one mask file")
    masks = [(Path(str(path)).name, read_in_scheme(str(path), scheme_name)) for path in paths]
    first = masks[0][1].scheme
    for name, mask in masks[1:]:
        if {(v, mask.scheme[v].name) for v in mask.scheme.values} != {(v, first[v].name) for v in first.values}:
            raise StructDiffError(
                f"{name} follows the scheme '{mask.scheme.name}', {masks[0][0]} the scheme '{first.name}'",
                "give masks of one scheme, or name it with --scheme",
            )
    return masks


def prepared(masks: list[tuple[str, LabelMap]], repair: bool) -> list[NamedReference]:
    """References ready for use, dirty ones mended if ``repair``."""
    from StructDiffCore.io.files import mask_id
    from StructDiffCore.mgm.reference import Reference, refuse_unusable
    from StructDiffCore.mgm.repair import repaired
    from StructDiffCore.mgm.traced_tree import traced_trees

    found = []
    for name, mask in masks:
        refuse_unusable(mask)
        lines: tuple[str, ...] = ()
        digest = mask_id(mask)
        if repair:
            mask, report = repaired(mask)
            lines = tuple(report.lines())
        found.append(NamedReference(name, digest, Reference.clean(mask, traced_trees), lines))
    return found
