"""PairProcess: the handle on the process that makes pairs while the training runs."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import StructDiffCore
from StructDiffCore.cal.data import Listed
from StructDiffCore.cal.made_pairs import MadePairs
from StructDiffCore.cal.pair_plan import PairPlan
from StructDiffCore.cal.prepared import preparation
from StructDiffCore.cal.settings import PretrainSettings
from StructDiffCore.config.messages import Job
from StructDiffCore.domain import StructDiffError
from StructDiffCore.io.atomic import write_text

from .batch_job import batch_jobs, template_files
from .pair_maker import clear_partials

MADE = "made"
"""Folder of a run that holds the cache."""
JOB, WORDS = "job.json", "worker.log"
KEY = "key.json"
"""What the pairs in the cache are made by."""
MODULE = "StructDiffCore.pipelines.pair_worker"
PATIENCE_S = 10.0


class PairProcess:
    """Numbers go in, events come out; what it says on stderr lies in worker.log."""

    def __init__(self, job: Job) -> None:
        self._folder = Path(job.out)
        write_text(self._folder / JOB, job.as_json() + "\n")
        package = str(Path(StructDiffCore.__file__).parents[1])
        paths = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
        with (self._folder / WORDS).open("w", encoding="utf-8") as words:
            self._process = subprocess.Popen(
                [sys.executable, "-m", MODULE, str(self._folder / JOB)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
                text=True,
                encoding="utf-8",
                env={**os.environ, "PYTHONPATH": paths},
                start_new_session=True,
            )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        self._wanted: list[int] = []

    def ask(self, number: int) -> None:
        """Put a pair on the process's list; whether it lives is found out by ``listen``."""
        self._wanted.append(number)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{number}\n")
            self._process.stdin.flush()
        except OSError:
            return

    def listen(self, seconds: float) -> None:
        """Take the next event, or wait for one; raises the failure that the process tells, or that it died of."""
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            return
        event = self._death() if line is None else _event(line)
        if event.get("event") == "failed":
            raise StructDiffError(f"making {self._doing}: {event['message']}", event["remedy"], event["category"])
        if event.get("event") == "finished" and event.get("pair") in self._wanted:
            self._wanted.remove(event["pair"])

    def close(self) -> None:
        """End the process and clear what it has half made."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                _close_quietly(stream)
        clear_partials(self._folder)

    @property
    def _doing(self) -> str:
        return f"synthetic pair {self._wanted[0]}" if self._wanted else "synthetic pairs"

    def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                self._lines.put(line)
        except ValueError:
            return  # closed while it was read
        self._lines.put(None)

    def _death(self) -> dict[str, Any]:
        """The process ended without a word on stdout: its exit code, and its last line on stderr."""
        words = (self._folder / WORDS).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = f": {words[-1].strip()}" if words else ""
        message = f"the process that makes them died with exit code {self._process.wait()}{last}"
        remedy = f"see {self._folder / WORDS}; --resume goes on where it stopped"
        return {"event": "failed", "message": message, "remedy": remedy, "category": "internal"}


def made_pairs(
    found: Listed, settings: PretrainSettings, base: Path, out: Path, device: str, begun: bool = False
) -> MadePairs | None:
    """The cache of the pairs that the plans of a run ask for; None without plans. Refuses what synthesize would refuse.

    ``begun``: the run has a checkpoint, which is held against settings and plans before anything is taken from the cache. Without
    one, pairs that were made by other plans, for other labels or at another voxel size are cleared here.
    """
    if not found.plans:
        return None
    folder = out / MADE
    folder.mkdir(parents=True, exist_ok=True)
    identity = _identity(found.plans, device)
    if not begun:
        _clear_others(folder, json.dumps([identity, preparation(settings, found.scheme)]))
    inputs = {"base": str(base.absolute()), "plans": [str(plan.path.absolute()) for plan in found.plans]}
    job = Job("pairs", inputs, settings.as_dict(), str(folder.absolute()), device=device)
    return MadePairs(folder, settings.cache, identity, _kin(found.plans), lambda: PairProcess(job))


def _clear_others(folder: Path, key: str) -> None:
    """Empty a cache that was begun under another key."""
    path = folder / KEY
    if not path.is_file() or path.read_text(encoding="utf-8") != key:
        shutil.rmtree(folder)
        folder.mkdir()
        write_text(path, key)


def _identity(plans: Sequence[PairPlan], device: str) -> str:
    """Changes with weights, masks, templates, settings and seeds."""
    told = [
        [
            plan.fresh,
            plan.repair,
            plan.batch.seed,
            *(one.id for one in batch_jobs(replace(plan.batch, samples=1), Path(), device)),
        ]
        for plan in plans
    ]
    return json.dumps(told)


def _kin(plans: Sequence[PairPlan]) -> frozenset[str]:
    """Digests of the templates."""
    from StructDiffCore.io.files import read_template

    pairs = {
        (*template_files(template), bool(plan.batch.settings.get("resample"))) for plan in plans for template in plan.templates
    }
    return frozenset(read_template(image, mask, None, resample).id for image, mask, resample in pairs)


def _event(line: str) -> dict[str, Any]:
    """An event; a line that a library has printed is none."""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _close_quietly(stream: Any) -> None:
    try:
        stream.close()
    except OSError:
        return
