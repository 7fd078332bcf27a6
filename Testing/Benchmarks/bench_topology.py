"""Topology at 512x512x256 with nine labels: seconds and peak extra memory, each figure in a process of its own. JSON + table.

    python Testing/Benchmarks/bench_topology.py [--out runs/bench] [--seed 3]

The volume is a digital heart laid onto a 0.35 x 0.35 x 0.45 mm grid. ``BENCHMARKS`` holds the functions to call.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap
from StructDiffCore.phantom.heart import digital_heart
from StructDiffCore.topology import line
from StructDiffCore.topology.report import source_of, topology_report
from StructDiffCore.topology.structures import Structures
from StructDiffCore.topology.tracing import trace

SHAPE = (512, 512, 256)
SPACING = (0.35, 0.35, 0.45)
REPEATS = 5
TREES = (8, 9)
LIMITS = {
    "Betti numbers and components": 0.6,
    "thinning and graph of both trees": 1.5,
    "update after a local edit": 0.1,
    "whole report": None,
    "topology line of both trees": 0.3,
    "topology line without numba": None,
}
MEMORY_LIMIT_GIB = 0.6


def counting(mask: LabelMap) -> Callable[[], object]:
    """Betti numbers, pieces and cavities of all labels."""
    return lambda: Structures.of(mask.voxels)


def tracing(mask: LabelMap) -> Callable[[], object]:
    """Vessel graphs of both trees, rooted at the aorta."""
    structures = Structures.of(mask.voxels)
    return lambda: [trace(structures.of_value[v].runs, mask.geometry, source_of(mask, v, structures)) for v in TREES]


def updating(mask: LabelMap) -> Callable[[], object]:
    """A block of 10^3 voxels cut out of the myocardium, counted anew from the runs of its rows."""
    structures = Structures.of(mask.voxels)
    middle = np.argwhere(mask.voxels == 1)[::100_000][3]
    box = tuple(slice(int(m) - 5, int(m) + 5) for m in middle)
    edited = mask.voxels.copy()
    edited[box] = 0
    return lambda: structures.updated(edited, box)  # type: ignore[arg-type]


def reporting(mask: LabelMap) -> Callable[[], object]:
    """Everything ``structdiff topology`` measures."""
    return lambda: topology_report(mask)


def telling(mask: LabelMap) -> Callable[[], object]:
    """The line under the segment editor for both trees, from an array in Slicer's memory order."""
    labels = np.asfortranarray(mask.voxels)
    return lambda: [line.line_of(labels, value, mask.geometry, mask.scheme) for value in TREES]


def telling_plainly(mask: LabelMap) -> Callable[[], object]:
    """The same as it runs where numba is not installed."""
    line.HAS_NUMBA = False
    return telling(mask)


BENCHMARKS: dict[str, Callable[[LabelMap], Callable[[], object]]] = {
    "Betti numbers and components": counting,
    "thinning and graph of both trees": tracing,
    "update after a local edit": updating,
    "whole report": reporting,
    "topology line of both trees": telling,
    "topology line without numba": telling_plainly,
}


def large_heart(seed: int) -> LabelMap:
    """The digital heart of a seed on the large grid."""
    small = digital_heart(seed).geometry
    centre = small.to_world((np.array(small.shape) - 1) / 2)
    origin = centre - 0.5 * (np.array(SHAPE) - 1) * SPACING
    return digital_heart(seed, Geometry(SHAPE, SPACING, tuple(origin))).mask


def measured(name: str, file: Path) -> dict[str, float]:
    """Median seconds after a first call, and what the peak memory grew by in the calls."""
    mask = LabelMap(np.load(file), Geometry(SHAPE, SPACING), CARDIAC)
    topology_report(digital_heart(0).mask)  # compiled code is loaded before memory is looked at
    work = BENCHMARKS[name](mask)
    ctypes.CDLL(None).malloc_trim(0)  # memory that was freed is given back, so that it cannot hide what follows
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak starts again from here
    before = _status_gib("VmRSS")
    seconds = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return {"seconds": statistics.median(seconds), "extra_gib": _status_gib("VmHWM") - before}


def _status_gib(entry: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(entry)) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measured(arguments.one[0], Path(arguments.one[1]))))
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "heart.npy"
        np.save(file, large_heart(arguments.seed).voxels)
        table = {name: _apart(name, file) for name in BENCHMARKS}
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "bench_topology.json").write_text(json.dumps({"shape": SHAPE, "figures": table}, indent=2))
    for name, found in table.items():
        limit = "" if LIMITS[name] is None else f"  (at most {LIMITS[name]} s, {MEMORY_LIMIT_GIB} GiB)"
        print(f"{name:34} {found['seconds']:6.3f} s  {found['extra_gib']:5.2f} GiB{limit}")


def _apart(name: str, file: Path) -> dict[str, float]:
    done = subprocess.run([sys.executable, __file__, "--one", name, str(file)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"benchmark '{name}' failed:\n{done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
