"""Edit kinds: every edit by the name that recipes give it, and the way from a line of JSON to an edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from StructDiffCore.domain import StructDiffError

from .dominance import SwitchDominance
from .edit import Edit
from .edits import (
    Calibre,
    Ectasia,
    Graft,
    Lengthen,
    MoveTakeOff,
    MyocardialBridge,
    Prune,
    Shorten,
    Stenosis,
    Tortuosity,
)

KINDS: dict[str, type[Edit]] = {
    cls.kind: cls
    for cls in (
        Calibre,
        Ectasia,
        Graft,
        Lengthen,
        MoveTakeOff,
        MyocardialBridge,
        Prune,
        Shorten,
        Stenosis,
        SwitchDominance,
        Tortuosity,
    )
}


def edit_from_dict(content: Any) -> Edit:
    """The inverse of ``Edit.as_dict``; refuses unknown kinds, unknown fields and missing ones in one line."""
    return from_dict(content, KINDS, "edit")


def from_dict(content: Any, kinds: Mapping[str, type[Any]], noun: str) -> Any:
    """A frozen dataclass of one of ``kinds`` from its JSON form with "kind"."""
    kind = content.get("kind") if isinstance(content, Mapping) else content
    if not isinstance(content, Mapping) or not isinstance(kind, str) or kind not in kinds:
        raise StructDiffError(f"there is no {noun} of kind {kind!r}", f"use one of {', '.join(sorted(kinds))}")
    cls = kinds[kind]
    given = {name: value for name, value in content.items() if name != "kind"}
    known = [field.name for field in fields(cls)]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise StructDiffError(f"the {noun} {kind} has no {unknown[0]!r}", f"use {', '.join(known)}")
    try:
        return cls(**given)
    except TypeError as error:
        raise StructDiffError(f"the {noun} {kind} is incomplete ({error})", f"give {', '.join(known)}") from None
