"""``structdiff work JOB.json``: the worker behind Slicer and the cluster."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from StructDiffCore.config.messages import Event, Job, failed
from StructDiffCore.domain import StructDiffError

from .verbs import events_of


def run(job_file: str | Path) -> Generator[Event, None, None]:
    """The job's events; the last one is ``finished`` or ``failed``. Ctrl-C becomes ``failed`` with category ``cancelled``."""
    try:
        job = Job.from_json(Path(job_file))
    except StructDiffError as refusal:
        yield failed(refusal)
        return
    yield from events_of(job)
