"""Timings and peak memory of what users wait for, beside the machine's matrix peak. JSON + table.

    python Testing/Benchmarks/bench.py [--out runs/bench] [--only NAME ...]

Every figure is measured in a fresh process, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

REPEATS = 3


def matrix_peak() -> dict[str, float]:
    """GFLOP/s of a large matrix product: the ceiling of everything below."""
    import torch

    found = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        a = torch.randn(2048, 2048, dtype=dtype)
        seconds = median_seconds(lambda a=a: a @ a, 5)
        found[f"{name}_gflops"] = 2 * 2048**3 / seconds / 1e9
    return found


def help_start_up() -> dict[str, float]:
    """Seconds from pressing return to the help text."""
    command = [str(Path(sys.executable).parent / "structdiff"), "--help"]
    return {"seconds": median_seconds(lambda: subprocess.run(command, check=True, capture_output=True), 5)}


def digital_heart_128() -> dict[str, float]:
    """One 128^3 heart at 0.8 mm from a new seed, rendered."""
    import numpy as np

    from StructDiffCore.phantom.appearance import draw_appearance
    from StructDiffCore.phantom.formation import render
    from StructDiffCore.phantom.heart import digital_heart

    def one(seed: int) -> None:
        rng = np.random.default_rng(seed)
        render(digital_heart(seed), draw_appearance(rng), rng)

    one(0)  # compile
    seeds = iter(range(1, 100))
    return {"seconds": median_seconds(lambda: one(next(seeds)), REPEATS)}


def topology_of_a_heart() -> dict[str, float]:
    """Betti numbers and contacts of one 128^3 heart."""
    from StructDiffCore.phantom.heart import digital_heart
    from StructDiffCore.topology.report import topology_report

    mask = digital_heart(0).mask
    topology_report(mask)
    return {"seconds": median_seconds(lambda: topology_report(mask), REPEATS)}


def sample_64() -> dict[str, float]:
    """A 64^3 volume from mask and template with the default settings, weights loaded: the network calls and the noise."""
    import numpy as np

    from StructDiffCore.domain import ImageMaskPair, Template
    from StructDiffCore.phantom.appearance import draw_appearance
    from StructDiffCore.phantom.formation import render
    from StructDiffCore.phantom.heart import digital_heart
    from StructDiffCore.synthesis.prepared import prepare
    from StructDiffCore.synthesis.synthesize import sample
    from StructDiffCore.systems.structdiff import default_structdiff

    target, other = (digital_heart(seed).cropped((32, 32, 32), (64, 64, 64)) for seed in (1, 2))
    scan = render(other, draw_appearance(np.random.default_rng(3)), np.random.default_rng(4)).noisy
    prepared = prepare(target.mask, Template(ImageMaskPair(scan, other.mask), "bench"))
    system = default_structdiff()
    sample(system, prepared)
    return {"seconds": median_seconds(lambda: sample(system, prepared), REPEATS)}


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


BENCHMARKS: dict[str, Callable[[], dict[str, float]]] = {
    "matrix peak": matrix_peak,
    "structdiff --help": help_start_up,
    "digital heart 128^3": digital_heart_128,
    "topology of a heart": topology_of_a_heart,
    "64^3 sample": sample_64,
}


def run_one(name: str) -> None:
    found = BENCHMARKS[name]()
    found["peak_rss_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps(found))


def run_apart(name: str) -> dict[str, float]:
    """The benchmark in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--one", name], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"benchmark '{name}' failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    parser.add_argument("--only", nargs="+", default=list(BENCHMARKS), choices=list(BENCHMARKS))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        return run_one(arguments.one)
    table = {}
    for name in arguments.only:
        table[name] = run_apart(name)
        print(f"{name:28}" + "  ".join(f"{key} {value:.3g}" for key, value in table[name].items()), flush=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    machine = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
    (arguments.out / "bench.json").write_text(json.dumps({"machine": machine, "figures": table}, indent=2))
    print(f"written: {arguments.out / 'bench.json'}")


if __name__ == "__main__":
    main()
