"""The last words of a verb on stdout, for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TextIO


def print_summary(verb: str, payload: Mapping[str, Any], stdout: TextIO) -> None:
    """Print what the ``finished`` event tells: doctor's table, else the pipeline's own lines."""
    if verb == "doctor":
        _print_checks(payload["checks"], stdout)
        return
    for line in payload.get("summary", ()):
        print(line, file=stdout)


def _print_checks(checks: list[Mapping[str, str]], stdout: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    colours = {"ok": "green", "note": "yellow", "missing": "red"}
    table = Table("", "what", "found", box=None, pad_edge=False)
    for check in checks:
        table.add_row(Text(check["state"], style=colours[check["state"]]), Text(check["what"]), Text(check["found"]))
    Console(file=stdout).print(table)
