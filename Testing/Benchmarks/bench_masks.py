"""Many new masks of many digital hearts: refusals, displacements, times, an independent checker's verdict, diversity.

``python Testing/Benchmarks/bench_masks.py [--hearts 20] [--each 10] [--out masks.json]``; with ``--digital`` it measures the
digital hearts themselves and writes StructDiffCore/mgm/digital_hearts.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from StructDiffCore.domain import StructDiffError
from StructDiffCore.mgm.diversity import DIGITAL_HEARTS, diversity, measured
from StructDiffCore.mgm.generate import new_masks
from StructDiffCore.mgm.portrait import Portrait
from StructDiffCore.mgm.reference import Reference
from StructDiffCore.phantom.heart import Heart, digital_heart

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Core" / "mgm"))
from independent_checker import faults
from mgm_hearts import CARDIAC_GROUPS

PORTRAYED = 3
"""Masks of every heart whose diversity is measured."""


def hearts(count: int, first: int = 0) -> Iterator[tuple[int, Heart, Reference]]:
    """Digital hearts whose label map is whole, from a seed on."""
    found, seed = 0, first
    while found < count:
        heart = digital_heart(seed)
        try:
            yield seed, heart, Reference.prepared(heart.mask, _trees(heart))
            found += 1
        except StructDiffError as error:
            print(f"heart {seed} left out: {error.fact}", flush=True)
        seed += 1


def _trees(heart: Heart) -> dict[int, Any]:
    return {8: heart.trees["left"], 9: heart.trees["right"]}


def many(count: int, each: int, first: int) -> dict[str, Any]:
    """Masks of every heart; what the checker, which shares nothing with the module, says of them."""
    times, moved, refused, broken, portraits, own = [], [], [], 0, [], []
    for seed, heart, reference in hearts(count, first):
        own.append(Portrait.of(heart.mask, _trees(heart)))
        start = time.perf_counter()
        for made in new_masks([reference], each, seed):
            times.append(time.perf_counter() - start)
            broken += bool(faults(made.mask.voxels, **CARDIAC_GROUPS))
            moved.append(made.displacement_mm)
            refused += [": ".join(reason.split(": ")[:2]) for reason in made.refused]
            if len(times) % each < PORTRAYED:
                portraits.append(Portrait.of(made.mask, made.trees))
            start = time.perf_counter()
        print(f"heart {seed}: {len(times)} masks, {broken} broken, {len(refused)} refused", flush=True)
    return {
        "masks": len(times),
        "broken": broken,
        "refused_recipes": len(refused),
        "refusal_rate": round(len(refused) / (len(refused) + len(times)), 4),
        "why": dict(Counter(refused).most_common()),
        "seconds_median": round(float(np.median(times)), 2),
        "seconds_p95": round(float(np.percentile(times, 95)), 2),
        "displacement_mm_mean": round(float(np.mean(moved)), 2),
        "displacement_mm_low": round(float(np.min(moved)), 2),
        "diversity": diversity(own, portraits, moved),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hearts", type=int, default=20)
    parser.add_argument("--each", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="seed of the first heart")
    parser.add_argument("--digital", action="store_true")
    parser.add_argument("--out", default="")
    given = parser.parse_args()
    if given.digital:
        found = measured([Portrait.of(heart.mask, _trees(heart)) for _, heart, _ in hearts(given.hearts)])
        DIGITAL_HEARTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        return
    text = json.dumps(many(given.hearts, given.each, given.first), indent=2)
    print(text)
    if given.out:
        Path(given.out).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
