"""The words between processes: a Job goes in, one Event per line comes out (Resources/Docs/ARCHITECTURE.md, section 3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from StructDiffCore.domain import StructDiffError

EventKind = Literal["started", "progress", "preview", "log", "finished", "failed"]

CANCEL_FILE = "cancel"
"""A file of this name in the job's output folder stops the job between two network calls."""


@dataclass(frozen=True)
class Job:
    """One verb with everything it needs; the same job gives the same result."""

    verb: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """Paths by role, e.g. {"mask": "...", "template_image": "...", "template_mask": "..."}."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    out: str = ""
    """Output folder."""
    seed: int = 0
    device: str = "auto"

    @classmethod
    def from_json(cls, path: Path) -> Job:
        """Read a job file; refuses what is not one."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise StructDiffError(
                f"no job file at {path}", "give the path of a job written by Slicer or by --write-job"
            ) from None
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise StructDiffError(f"{path} is not a readable job file ({error})", "write it again") from None
        if not isinstance(content, dict) or "verb" not in content:
            raise StructDiffError(f"{path} holds no job (no 'verb')", "write it again")
        unknown = sorted(set(content) - set(cls.__dataclass_fields__))
        if unknown:
            raise StructDiffError(f"{path} has unknown fields {unknown}", f"use only {sorted(cls.__dataclass_fields__)}")
        _refuse_wrong_types(path, content)
        return cls(**content)

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=2)


JOB_TYPES: dict[str, type] = {"verb": str, "inputs": dict, "settings": dict, "out": str, "seed": int, "device": str}


def _refuse_wrong_types(path: Path, content: Mapping[str, Any]) -> None:
    for name, value in content.items():
        if not isinstance(value, JOB_TYPES[name]) or isinstance(value, bool):
            raise StructDiffError(f"{path} gives {name} as {value!r}, expected {JOB_TYPES[name].__name__}", "write it again")


@dataclass(frozen=True)
class Event:
    """One line of a worker's stdout."""

    event: EventKind
    payload: Mapping[str, Any] = field(default_factory=dict)

    def as_line(self) -> str:
        return json.dumps({"event": self.event, **self.payload})


def progress(stage: str, done: int, total: int, eta_s: float | None = None, **more: Any) -> Event:
    """``done`` of ``total`` steps of a stage, with the seconds left where known."""
    return Event("progress", {"stage": stage, "done": done, "total": total, "eta_s": eta_s, **more})


def log(message: str) -> Event:
    return Event("log", {"message": message})


def failed(error: StructDiffError) -> Event:
    return Event("failed", {"category": error.category, "message": error.fact, "remedy": error.remedy})
