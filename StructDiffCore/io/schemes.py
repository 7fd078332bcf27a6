"""Label schemes by name, or from and to JSON and YAML files."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from StructDiffCore.domain import CARDIAC, ExpectedTopology, Label, LabelScheme, StructDiffError
from StructDiffCore.domain.label_scheme import spread_colour

from .atomic import write_text
from .integrity import naming

SHIPPED = {scheme.name: scheme for scheme in (CARDIAC,)}
PAIRS = tuple(f.name for f in fields(LabelScheme) if f.name not in ("name", "labels"))
"""The scheme's relations between two labels, such as "touching"."""
ENDINGS = (".json", ".yaml", ".yml")


def load_scheme(name_or_path: str | Path) -> LabelScheme:
    """A shipped scheme by name ("cardiac") or one from a file; refuses unknown names and malformed files in one line.

    File form: {"name": ..., "labels": [{"value", "name", and optionally "colour" [r, g, b], "snomed", "thin", "group",
    "expected": {"components", "loops", "cavities"}}], "touching": [[value, value], ...]} and the scheme's other pairs.
    """
    if str(name_or_path) in SHIPPED:
        return SHIPPED[str(name_or_path)]
    path = Path(name_or_path)
    if path.suffix.lower() not in ENDINGS:
        raise StructDiffError(
            f"no label scheme '{name_or_path}'", f"choose one of {sorted(SHIPPED)} or give a .json or .yaml file"
        )
    if not path.is_file():
        raise StructDiffError(f"{path} does not exist", "check the path")
    with naming(path):
        return scheme_from(_parsed(path))


def save_scheme(scheme: LabelScheme, path: str | Path) -> None:
    """Write a scheme as JSON or YAML, by the file's ending; atomic."""
    content = content_of(scheme)
    if str(path).lower().endswith((".yaml", ".yml")):
        import yaml

        write_text(path, yaml.safe_dump(content, sort_keys=False))
    else:
        write_text(path, json.dumps(content, indent=2) + "\n")


def content_of(scheme: LabelScheme) -> dict[str, Any]:
    """What a file of the scheme says, JSON-able."""
    return json.loads(json.dumps(asdict(scheme)))


def identity_of(scheme: LabelScheme, name_or_path: str) -> Any:
    """What tells the scheme from others: a shipped one's name; the content of a file, which may change under its name."""
    return name_or_path if name_or_path in SHIPPED else content_of(scheme)


def scheme_from(content: Any) -> LabelScheme:
    """The scheme a parsed file describes."""
    _refuse_unknown(content, ("name", "labels", *PAIRS), "the scheme")
    labels = content.get("labels")
    if not isinstance(labels, list) or not labels:
        raise StructDiffError("the scheme lists no labels", 'give "labels": [{"value": 1, "name": "aorta"}, ...]')
    pairs = {name: _pairs(name, content.get(name) or []) for name in PAIRS}
    scheme = LabelScheme(str(content.get("name", "from file")), tuple(_label(item) for item in labels), **pairs)
    for name, listed in pairs.items():
        if strangers := scheme.unknown(value for pair in listed for value in pair):
            raise StructDiffError(f"'{name}' names labels {strangers} that the scheme does not list", "correct it")
    return scheme


def _parsed(path: Path) -> Any:
    """JSON is read without a YAML package (3D Slicer has none); what is no JSON may still be YAML."""
    with contextlib.suppress(UnicodeDecodeError, json.JSONDecodeError):
        return json.loads(path.read_text(encoding="utf-8"))
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise StructDiffError(
            f"the file is not readable as JSON or YAML ({' '.join(str(error).split())[:120]})", "correct it"
        ) from None


def _refuse_unknown(content: Any, known: tuple[str, ...], what: str) -> None:
    if not isinstance(content, Mapping):
        raise StructDiffError(f"{what} is no mapping of names to values", f"use {', '.join(known)}")
    unknown = sorted(str(key) for key in content if key not in known)
    if unknown:
        raise StructDiffError(f"{what} has unknown fields {unknown}", f"use only {', '.join(known)}")


def _label(item: Any) -> Label:
    _refuse_unknown(item, tuple(f.name for f in fields(Label)), "a label")
    value, name = item.get("value"), item.get("name")
    if not isinstance(value, int) or isinstance(value, bool) or not isinstance(name, str) or not name:
        raise StructDiffError(f"a label has value {value!r} and name {name!r}", "give a whole number and a name")
    return Label(
        value,
        name,
        _colour(item.get("colour", spread_colour(value))),
        str(item.get("snomed", "")),
        bool(item.get("thin", False)),
        str(item.get("group", "")),
        _expected(item.get("expected") or {}),
    )


def _colour(given: Any) -> tuple[int, int, int]:
    if not isinstance(given, (list, tuple)) or len(given) != 3 or not all(isinstance(c, int) and 0 <= c <= 255 for c in given):
        raise StructDiffError(f"the colour {given!r} is not three numbers from 0 to 255", "write it as [224, 97, 76]")
    red, green, blue = given
    return red, green, blue


def _expected(given: Any) -> ExpectedTopology:
    _refuse_unknown(given, tuple(f.name for f in fields(ExpectedTopology)), "'expected'")
    for name, number in given.items():
        if number is not None and (not isinstance(number, int) or number < 0):
            raise StructDiffError(f"'expected' gives {number!r} {name}", "give whole numbers or null")
    return ExpectedTopology(**given)


def _pairs(name: str, given: Any) -> tuple[tuple[int, int], ...]:
    try:
        return tuple((int(a), int(b)) for a, b in given)
    except (TypeError, ValueError):
        raise StructDiffError(f"'{name}' is no list of pairs of values", "write it as [[6, 8], [6, 9]]") from None
