"""The mask generation module beside stock deformations: seconds, peak memory, broken masks, vessel volume lost.

Run by itself: ``python Testing/Benchmarks/bench_mgm.py [--spacing 0.8] [--masks 5] [--out bench.json]``.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable

import numpy as np

from StructDiffCore.domain import LabelMap
from StructDiffCore.mgm.contract import Contract, Roles
from StructDiffCore.mgm.generate import DrawSettings, draw_recipe, make_mask
from StructDiffCore.mgm.reference import Reference
from StructDiffCore.mgm.traced_tree import traced_trees
from StructDiffCore.phantom.heart import default_geometry, digital_heart

SHIFT_MM = 5.0
SD_MM = 3.2
"""Strength asked of every rival: the module's own mean displacement, and standard deviation per axis."""


def mgm(reference: Reference) -> Callable[[int], np.ndarray]:
    def made(seed: int) -> np.ndarray:
        recipe = draw_recipe([reference], DrawSettings(), np.random.default_rng(seed))
        mask, old = make_mask([reference], recipe).mask, reference.mask.geometry
        first = np.rint(mask.geometry.to_index(old.origin)).astype(int)
        return mask.voxels[tuple(slice(a, a + n) for a, n in zip(first, old.shape))]

    return made


def monai_elastic(mask: LabelMap) -> Callable[[int], np.ndarray]:
    from monai.transforms import Rand3DElastic

    sigma = 18.0 / mask.geometry.spacing[0]
    smoothed = 3**-0.5 * (2 * np.pi**0.5 * sigma) ** -1.5  # standard deviation of its smoothed uniform noise
    magnitude = SD_MM / mask.geometry.spacing[0] / smoothed
    transform = Rand3DElastic(
        (sigma, sigma + 1e-3), (magnitude, magnitude + 1e-3), prob=1.0, mode="nearest", padding_mode="zeros"
    )

    def made(seed: int) -> np.ndarray:
        transform.set_random_state(seed)
        return np.asarray(transform(mask.voxels[None].astype(np.float32)))[0].astype(np.uint8)

    return made


def torchio_elastic(mask: LabelMap) -> Callable[[int], np.ndarray]:
    import torch
    import torchio

    transform = torchio.RandomElasticDeformation(num_control_points=7, max_displacement=2 * SHIFT_MM, locked_borders=2)
    voxels = torch.from_numpy(mask.voxels[None].astype(np.int16))

    def made(seed: int) -> np.ndarray:
        torch.manual_seed(seed)
        return transform(torchio.LabelMap(tensor=voxels, affine=mask.geometry.affine)).tensor[0].numpy().astype(np.uint8)

    return made


def judged(made: Callable[[int], np.ndarray], mask: LabelMap, masks: int) -> dict[str, float]:
    roles = Roles.of(mask.scheme, mask.present)
    contract = Contract.of(roles)
    wall, cpu, broken, moved, lost = [], [], 0, [], []
    made(1000)
    for seed in range(masks):
        before, ticks = time.perf_counter(), time.process_time()
        voxels = made(seed)
        wall.append(time.perf_counter() - before)
        cpu.append(time.process_time() - ticks)
        broken += bool(contract.breaches(Contract.measured(voxels, roles), mask.scheme))
        moved.append(float((voxels != mask.voxels)[mask.voxels > 0].mean()))
        vessel = [int(np.isin(v, roles.vessels).sum()) for v in (mask.voxels, voxels)]
        lost.append(1 - vessel[1] / vessel[0])
    return {
        "seconds": round(float(np.median(wall)), 2),
        "cpu_seconds": round(float(np.median(cpu)), 2),
        "broken_share": broken / masks,
        "changed_share": round(float(np.mean(moved)), 3),
        "vessel_volume_lost": round(float(np.mean(lost)), 3),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spacing", type=float, default=0.8)
    parser.add_argument("--masks", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default="")
    given = parser.parse_args()
    voxels = round(128 * 0.8 / given.spacing)
    heart = digital_heart(given.seed, spacing_mm=0.8)
    if given.spacing != 0.8:
        heart = digital_heart(given.seed, default_geometry(heart.trees, given.spacing, voxels))
    mask = heart.mask
    start = time.perf_counter()
    reference = Reference.clean(mask, traced_trees)
    found: dict[str, object] = {"shape": mask.voxels.shape, "prepare_seconds": round(time.perf_counter() - start, 2)}
    rivals = {"MGM": lambda: mgm(reference), "MONAI Rand3DElastic": lambda: monai_elastic(mask)}
    rivals["TorchIO RandomElasticDeformation"] = lambda: torchio_elastic(mask)
    for name, build in rivals.items():
        try:
            found[name] = judged(build(), mask, given.masks)
        except ImportError as error:
            found[name] = f"not installed ({error.name})"
        print(name, found[name], flush=True)
    text = json.dumps(found, indent=2)
    print(text)
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
