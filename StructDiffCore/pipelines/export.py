"""``structdiff export DIR... --format F --out OUT``: synthetic samples for other tools."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from StructDiffCore.config.messages import Event, Job, progress
from StructDiffCore.config.synthesis_request import refuse_unknown_settings
from StructDiffCore.domain import StructDiffError

from .background import Emit, stream

if TYPE_CHECKING:
    from StructDiffCore.io.export import Exported
    from StructDiffCore.io.export_pair import ExportPair

SETTINGS = ("format", "force", "ignore_above", "ignore_below")


def run(job: Job) -> Iterator[Event]:
    """Progress per sample, then ``finished`` with what was written; one refused sample refuses them all."""
    from StructDiffCore.io.export import export_pairs
    from StructDiffCore.io.export_pair import sample_folders

    refuse_unknown_settings(job, SETTINGS)
    if not job.out:
        raise StructDiffError("no output folder given", "give --out DIR")
    form = str(job.settings.get("format", ""))
    above, below = (_number(job, name, unit) for name, unit in (("ignore_above", "HU"), ("ignore_below", "confidence")))
    force = job.settings.get("force")
    folders = sample_folders(_places(job))

    def work(emit: Emit) -> Exported:
        return export_pairs(_read(folders, emit), form, job.out, None if force is None else str(force), above, below)

    exported = yield from stream(work)
    yield Event(
        "finished", {"out": job.out, "files": [str(path) for path in exported.paths], "summary": _summary(exported, form)}
    )


def _read(folders: list[Path], emit: Emit) -> Iterator[ExportPair]:
    """One sample at a time, so that thousands need the memory of one."""
    from StructDiffCore.io.export_pair import read_sample

    for number, folder in enumerate(folders):
        emit(progress("exporting", number, len(folders)))
        yield read_sample(folder)


def _places(job: Job) -> list[str]:
    places = job.inputs.get("samples") or []
    places = [places] if isinstance(places, str) else list(places)
    if not places:
        raise StructDiffError("no sample folder given", "give what synthesize has written")
    return [str(place) for place in places]


def _number(job: Job, name: str, unit: str) -> float | None:
    given = job.settings.get(name)
    if given is not None and (isinstance(given, bool) or not isinstance(given, (int, float))):
        raise StructDiffError(f"{name} is {given!r}, expected a number ({unit})", "leave it out or give a number")
    return given


def _summary(exported: Exported, form: str) -> list[str]:
    count = len(exported.paths)
    first = f"{count} case{'s' if count > 1 else ''} as {form}: {exported.paths[0]}" + (" ..." if count > 1 else "")
    return [first, *exported.notes, "These volumes are synthetic: never use them as a patient's scan."]
