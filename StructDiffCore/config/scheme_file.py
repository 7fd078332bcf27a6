"""A label scheme by name or from a JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from StructDiffCore.domain import CARDIAC, ExpectedTopology, Label, LabelScheme, StructDiffError

SHIPPED = {CARDIAC.name: CARDIAC}
REMEDY = 'write {"name": ..., "labels": [{"value": 1, "name": "aorta", "thin": false}, ...]}'


def scheme_named(name: str | None) -> LabelScheme | None:
    """A shipped scheme, the scheme in a JSON file, or None for none (labels are then taken as they are)."""
    if name is None:
        return None
    if name in SHIPPED:
        return SHIPPED[name]
    path = Path(name)
    if not path.is_file():
        raise StructDiffError(f"no label scheme '{name}'", f"choose {', '.join(SHIPPED)} or give a JSON file")
    return _parsed(path)


def _parsed(path: Path) -> LabelScheme:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        labels = tuple(_label(entry) for entry in content["labels"])
        touching, apart = (tuple((int(a), int(b)) for a, b in content.get(pairs, ())) for pairs in ("touching", "apart"))
        return LabelScheme(str(content.get("name", path.stem)), labels, touching, apart)
    except (OSError, UnicodeDecodeError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StructDiffError(f"{path} holds no label scheme ({' '.join(str(error).split())})", REMEDY) from None


def _label(entry: Mapping[str, Any]) -> Label:
    """One label; missing fields take the defaults of ``Label``, unknown ones are refused."""
    fields = dict(entry)
    if "colour" in fields:
        fields["colour"] = tuple(int(part) for part in fields["colour"])
    if "expected" in fields:
        fields["expected"] = ExpectedTopology(**fields["expected"])
    return Label(**{**fields, "value": int(fields["value"]), "name": str(fields["name"])})
