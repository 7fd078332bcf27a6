"""How long a new proved heart with both trees takes: 512x512x256 and half that, in seconds, processor seconds and memory.

Run by itself: ``python Testing/Benchmarks/bench_mgm_speed.py [--masks 5] [--out bench.json]``. Each size in a process of its
own; the first mask, which loads compiled code, is left out. Processor seconds tell what a busy machine hides.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import time

import numpy as np

from StructDiffCore.domain import Geometry
from StructDiffCore.mgm.draw import DrawSettings, draw_recipe
from StructDiffCore.mgm.generate import make_mask
from StructDiffCore.mgm.reference import Reference
from StructDiffCore.phantom.heart import digital_heart

SIZES = {
    "512x512x256": ((512, 512, 256), (0.4, 0.4, 0.5)),
    "256x256x128": ((256, 256, 128), (0.8, 0.8, 1.0)),
}
ASKED_SECONDS = {"512x512x256": 4.0, "256x256x128": 0.7}


def centred(shape: tuple[int, int, int], spacing: tuple[float, float, float], seed: int) -> Geometry:
    """A grid whose middle is the middle of the seed's heart."""
    small = digital_heart(seed).geometry
    middle = small.to_world((np.array(small.shape) - 1) / 2)
    return Geometry(shape, spacing, tuple(middle - 0.5 * (np.array(shape) - 1) * spacing))


def measured(size: str, masks: int, seed: int) -> dict[str, object]:
    heart = digital_heart(seed, centred(*SIZES[size], seed))
    mask, trees = heart.mask, {8: heart.trees["left"], 9: heart.trees["right"]}
    del heart
    began = time.perf_counter()
    reference = Reference.prepared(mask, trees)
    prepared = time.perf_counter() - began
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, processor, proved = [], [], 0
    for number in range(masks + 1):
        recipe = draw_recipe([reference], DrawSettings(), np.random.default_rng(number))
        start, ticks = time.perf_counter(), time.process_time()
        made = make_mask([reference], recipe)
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - ticks)
        proved += made.proof.holds
    return {
        "asked_seconds": ASKED_SECONDS[size],
        "seconds_median": round(float(np.median(wall[1:])), 2),
        "seconds_fastest": round(min(wall[1:]), 2),
        "processor_seconds_median": round(float(np.median(processor[1:])), 2),
        "reference_prepared_seconds": round(prepared, 2),
        "heart_box": list(reference.geometry.shape),
        "proved_at_first_try": f"{proved} of {masks + 1}",
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "peak_memory_before_masks_mb": round(before / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--masks", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default="")
    given = parser.parse_args()
    found = {}
    for size in SIZES:
        with multiprocessing.get_context("spawn").Pool(1) as alone:
            found[size] = alone.apply(measured, (size, given.masks, given.seed))
        print(size, json.dumps(found[size]), flush=True)
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=2)


if __name__ == "__main__":
    main()
