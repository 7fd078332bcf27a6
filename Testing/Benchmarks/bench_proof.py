"""Every arm of the proof once at the smallest size: does the whole experiment run, and what does each kind of work cost?

    python Testing/Benchmarks/bench_proof.py [--out runs/bench]

Two processes share the work, as in the real run. A few steps on a few coarse hearts: nothing about the order of the arms follows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from StructDiffCore.evaluation.downstream.hearts_plan import HeartsPlan
from StructDiffCore.evaluation.downstream.proof_report import Results
from StructDiffCore.evaluation.downstream.proof_settings import ProofSettings
from StructDiffCore.evaluation.downstream.work import Workshop

SETTINGS = Path(__file__).parents[1] / "Examples" / "proof-smoke.yaml"
PROCESSES = 2


def run_all(out: Path) -> float:
    """Seconds until both processes are done."""
    command = [sys.executable, "-m", "StructDiffCore.evaluation.downstream", str(SETTINGS), "--out", str(out)]
    began = time.perf_counter()
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(PROCESSES)]
    codes = [process.wait() for process in running]
    if any(codes):
        raise SystemExit("the smoke run of the proof failed")
    return time.perf_counter() - began


def figures(out: Path) -> dict[str, float]:
    """Median seconds per kind of work, and how many arms were tested on all their hearts."""
    settings = ProofSettings.read(SETTINGS)
    plan = HeartsPlan(settings, Workshop(out.absolute()))
    items = plan.items()
    pace = plan.shop.seconds_of(items)
    found = {f"{kind} seconds": pace[kind] for kind in dict.fromkeys(item.kind for item in items)}
    results = Results.of(plan)
    whole = settings.subsets * settings.tests
    done = sum(len(results.of_arm(arm.name, "coronaries", "Dice")) == whole for arm in results.arms)
    return {**found, "arms tested": done, "arms asked for": len(settings.chosen_arms)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "proof"
        told = {"seconds": run_all(out), **figures(out)}
    print(f"{'proof, smoke size':28}" + "  ".join(f"{key} {value:.3g}" for key, value in told.items()), flush=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "bench_proof.json").write_text(json.dumps(told, indent=2))
    if told["arms tested"] < told["arms asked for"]:
        raise SystemExit("not every arm was tested")


if __name__ == "__main__":
    main()
