"""Verb -> pipeline, imported only when asked; every run ends with one ``finished`` or ``failed`` event."""

from __future__ import annotations

from collections.abc import Generator
from importlib import import_module

from StructDiffCore import __version__
from StructDiffCore.config.messages import Event, Job, failed
from StructDiffCore.domain import StructDiffError

from .failures import refusal_of, traceback_log

PIPELINES = {
    "demo": "StructDiffCore.pipelines.demo",
    "doctor": "StructDiffCore.pipelines.doctor",
    "evaluate": "StructDiffCore.pipelines.evaluate",
    "export": "StructDiffCore.pipelines.export",
    "masks": "StructDiffCore.pipelines.masks",
    "predict": "StructDiffCore.pipelines.predict",
    "pretrain": "StructDiffCore.pipelines.pretrain",
    "synthesize": "StructDiffCore.pipelines.synthesize",
    "synthesize-many": "StructDiffCore.pipelines.synthesize_many",
    "topology": "StructDiffCore.pipelines.topology",
    "train": "StructDiffCore.pipelines.train",
}


def run(job: Job) -> Generator[Event, None, None]:
    """The verb's own events; raises what the verb raises."""
    if job.verb not in PIPELINES:
        raise StructDiffError(f"unknown verb '{job.verb}'", f"choose one of {', '.join(PIPELINES)}")
    yield from import_module(PIPELINES[job.verb]).run(job)


def events_of(job: Job) -> Generator[Event, None, None]:
    """``started``, the verb's events, and ``failed`` instead of an exception. Ctrl-C passes through."""
    yield Event("started", {"verb": job.verb, "out": job.out, "version": __version__})
    try:
        yield from run(job)
    except Exception as error:
        refusal = refusal_of(error)
        yield failed(refusal) if refusal.category != "internal" else traceback_log(error, refusal)
