"""What was promised against what it took: seconds and memory of real jobs, and what previews and confidence cost.

    python Testing/Benchmarks/bench_synthesize.py [CASE ...]

prints one JSON line per case. Each case is a process of its own. ``told_seconds`` is the mean of two estimates, from rates that
doctor measures just before and just after: on a machine that others use too, its pace changes meanwhile.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from StructDiffCore.pipelines.estimate import RunEstimate, estimate_run

CASES: dict[str, tuple[float, dict[str, Any]]] = {
    "70^3 standard": (0.55, {"preset": "standard"}),
    "128^3 quick": (1.0, {"preset": "quick"}),
    "128^3 standard": (1.0, {"preset": "standard"}),
    "128^3 standard, full confidence": (1.0, {"preset": "standard", "ssv": "full"}),
    "192^3 quick": (1.5, {"preset": "quick"}),
}
"""Name -> how much finer the digital heart's grid of 128^3 is made, and the job's settings."""


def main(names: list[str]) -> None:
    for name in names or list(CASES):
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "XDG_CACHE_HOME": folder}
            command = [sys.executable, __file__, "--case", name, folder]
            print(
                subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout.strip(), flush=True
            )


def run_case(name: str, folder: Path) -> dict[str, Any]:
    """One case: inputs made first (not timed), then the command as a person runs it, between two estimates."""
    finer, settings = CASES[name]
    job, shape = _written(folder, finer, settings)
    load = os.getloadavg()[0]
    before = _told(shape, settings)
    begin = time.perf_counter()
    child = subprocess.run([sys.executable, __file__, "--job", str(job)], check=True, stdout=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - begin
    after = _told(shape, settings)
    told_seconds = ((before.seconds or 0) + (after.seconds or 0)) / 2
    found = json.loads(child.stdout.splitlines()[-1])
    return {
        "case": name,
        "seconds": round(seconds, 1),
        "told_seconds": round(told_seconds, 1),
        "told_before_and_after": [round(told.seconds or 0, 1) for told in (before, after)],
        "told_by_actual": round(told_seconds / seconds, 2),
        "peak_gib": round(found["peak_gib"], 2),
        "told_gib": round(before.memory_bytes / 2**30, 2),
        "memory_told_by_actual": round(before.memory_bytes / 2**30 / found["peak_gib"], 2),
        "previews": found["previews"],
        "previews_share": round(found["preview_s"] / seconds, 5),
        "watching_share": round(found["watch_s"] / seconds, 5),
        "load": round(load, 1),
    }


def _told(shape: tuple[int, int, int], settings: dict[str, Any]) -> RunEstimate:
    """The estimate with the pace that doctor finds now."""
    doctor = subprocess.run(
        [sys.executable, "-m", "StructDiffCore.cli", "doctor", "--json"], check=True, stdout=subprocess.PIPE, text=True
    )
    return estimate_run(shape, (128, 128, 128), settings=settings, machine=json.loads(doctor.stdout)["machine"])


def _written(folder: Path, finer: float, settings: dict[str, Any]) -> tuple[Path, tuple[int, int, int]]:
    """The demo's mask on a finer or coarser grid, its template, and the job file."""
    import numpy as np
    from scipy import ndimage

    from StructDiffCore.config.messages import Job
    from StructDiffCore.domain import Geometry, LabelMap
    from StructDiffCore.io.files import write_label_map, write_volume
    from StructDiffCore.pipelines.demo_case import demo_case

    case = demo_case()
    grid = case.target.geometry
    labels = ndimage.zoom(case.target.voxels, finer, order=0, grid_mode=True, mode="nearest")
    spacing = tuple(np.asarray(grid.spacing) * grid.shape / labels.shape)
    write_label_map(
        LabelMap(labels, Geometry(labels.shape, spacing, grid.origin, grid.direction), case.target.scheme), folder / "mask.nii.gz"
    )
    write_volume(case.template.pair.image, folder / "ct.nii.gz")
    write_label_map(case.template.pair.mask, folder / "labels.nii.gz")
    inputs = {"mask": "mask.nii.gz", "template_image": "ct.nii.gz", "template_mask": "labels.nii.gz"}
    job = Job(
        "synthesize", {r: str(folder / n) for r, n in inputs.items()}, {"scheme": "cardiac", **settings}, str(folder / "out")
    )
    (folder / "job.json").write_text(job.as_json())
    return folder / "job.json", labels.shape


def run_job(path: Path) -> dict[str, Any]:
    """The job in this process, with a stop-watch about previews and about the watching of the path."""
    from StructDiffCore.config.messages import Job
    from StructDiffCore.pipelines import synthesize
    from StructDiffCore.pipelines.previews import Previews
    from StructDiffCore.synthesis.ssv import TrajectorySpread

    spent = {"preview_s": 0.0, "watch_s": 0.0}
    _clocked(Previews, "event", spent, "preview_s")
    _clocked(TrajectorySpread, "watch", spent, "watch_s")
    events = list(synthesize.run(Job.from_json(path)))
    previews = sum(event.event == "preview" and not event.payload["final"] for event in events)
    return {**spent, "previews": previews, "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}


def _clocked(owner: type, name: str, spent: dict[str, float], key: str) -> None:
    original = getattr(owner, name)

    def clocked(*given: Any) -> Any:
        begin = time.perf_counter()
        try:
            return original(*given)
        finally:
            spent[key] += time.perf_counter() - begin

    setattr(owner, name, clocked)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--case"]:
        print(json.dumps(run_case(sys.argv[2], Path(sys.argv[3]))))
    elif sys.argv[1:2] == ["--job"]:
        print(json.dumps(run_job(Path(sys.argv[2]))))
    else:
        main(sys.argv[1:])
