"""``structdiff synthesize-many PLAN.yaml --out DIR``: a table of masks and templates, one job after the other, resumable."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from StructDiffCore.config.batch_plan import BatchPlan
from StructDiffCore.config.messages import Event, Job, log, progress
from StructDiffCore.domain import StructDiffError
from StructDiffCore.io.atomic import write_text
from StructDiffCore.io.synthetic_dataset import DATASHEET, DatasetSample, write_dataset

from . import synthesize
from .batch_job import BatchJob, batch_jobs
from .config_file import config_path, out_folder
from .failures import refusal_of
from .last_used import LastUsed
from .remaining import RemainingTime
from .result_folder import ResultFolder

TRIES = 3
PLAN, FAILED = "plan.json", "failed.jsonl"


@dataclass(eq=False)
class _Tally:
    """What became of the jobs."""

    made: list[dict[str, Any]] = field(default_factory=list)
    skipped: int = 0
    failed: list[dict[str, Any]] = field(default_factory=list)


def run(job: Job) -> Iterator[Event]:
    """Progress over all jobs; ``finished`` with the samples made, how many were there already and the failed jobs.

    A job that fails is tried ``TRIES`` times in all, then written to failed.jsonl; only the cancel file and Ctrl-C stop the run.
    """
    plan = BatchPlan.read(config_path(job))
    out = out_folder(job)
    _refuse_foreign(out)
    yield progress("reading", 0, 1)
    jobs = list({one.id: one for one in batch_jobs(plan, out, job.device)}.values())
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / PLAN, json.dumps({"jobs": [one.as_dict() for one in jobs]}, indent=2) + "\n")
    (out / FAILED).unlink(missing_ok=True)
    tally = _Tally()
    yield from _all(jobs, ResultFolder(out), tally)
    samples = [DatasetSample(one.sample, one.mask, one.template) for one in jobs if one.is_made]
    if samples:
        write_dataset(out, samples, len(tally.failed))
    if tally.failed and not (tally.made or tally.skipped):
        first = tally.failed[0]
        raise StructDiffError(f"every job failed, the first: {first['message']}", str(first["remedy"]), first["category"])
    told = {"out": str(out), "samples": tally.made, "skipped": tally.skipped, "failed": tally.failed}
    yield Event("finished", {**told, "summary": _summary(tally, out)})


def _all(jobs: list[BatchJob], folder: ResultFolder, tally: _Tally) -> Iterator[Event]:
    clock, kept = RemainingTime(), LastUsed()
    for number, one in enumerate(jobs):
        folder.refuse_cancelled()
        if one.is_made:
            tally.skipped += 1
            continue
        left = clock.tick(number - tally.skipped, len(jobs) - tally.skipped)
        yield progress(f"job {number + 1} of {len(jobs)}", number, len(jobs), left, mask=one.mask, template=one.template)
        yield from _tried(one, folder, tally, kept)
    yield progress("done", len(jobs), len(jobs), 0.0)


def _tried(one: BatchJob, folder: ResultFolder, tally: _Tally, kept: LastUsed) -> Iterator[Event]:
    """Run a job until it succeeds or has failed ``TRIES`` times; nothing but cancelling stops the batch."""
    for attempt in range(1, TRIES + 1):
        try:
            tally.made += yield from _once(one, folder, kept)
            return
        except Exception as error:
            refusal = refusal_of(error)
            if refusal.category == "cancelled":
                raise
            yield log(f"{one.folder.name}, attempt {attempt} of {TRIES}: {refusal}")
    told = {"category": refusal.category, "message": refusal.fact, "remedy": refusal.remedy, "attempts": TRIES}
    tally.failed.append({**one.as_dict(), **told})
    with (folder.path / FAILED).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(tally.failed[-1]) + "\n")


def _once(one: BatchJob, folder: ResultFolder, kept: LastUsed) -> Generator[Event, None, list[dict[str, Any]]]:
    """The synthesize job's events; returns the samples it tells of. A cancel file in the batch's folder counts too."""
    samples: list[dict[str, Any]] = []
    with closing(synthesize.run(one.job, kept)) as events:  # type: ignore[type-var]  # it is a generator
        for event in events:
            folder.refuse_cancelled()
            if event.event == "finished":
                samples = list(event.payload["samples"])
            else:
                yield event
    return samples


def _refuse_foreign(out: Path) -> None:
    """A folder with something in it must be an earlier run of a plan."""
    if out.is_dir() and any(out.iterdir()) and not (out / PLAN).is_file():
        strange = [path.name for path in out.iterdir() if path.name not in ("cancel", "job.json", "job.log")]
        if strange:
            raise StructDiffError(f"{out} holds {sorted(strange)[0]} and no {PLAN}", "choose another --out")


def _summary(tally: _Tally, out: Path) -> list[str]:
    lines = [f"{len(tally.made)} made, {tally.skipped} were there already, {len(tally.failed)} failed: {out}"]
    if tally.failed:
        lines.append(f"why: {out / FAILED}; run the same command again to try these again")
    lines.append(f"what the data set holds: {out / DATASHEET}")
    return [*lines, "These volumes are synthetic: never use them as a patient's scan."]
