"""The mask generation module beside stock deformations at equal mean displacement on the same masks.

Seconds, share of masks with broken topology, vessel volume lost, peak memory. MONAI comes with the training extra; TorchIO is
optional (``pip install torchio``) and told as absent otherwise.
``python Testing/Benchmarks/bench_mgm.py [--spacing 0.8] [--masks 5] [--out bench.json]``.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import LabelMap
from StructDiffCore.mgm.contract import Contract, Roles
from StructDiffCore.mgm.generate import NewMask, new_masks
from StructDiffCore.mgm.recipe import PartialRecipe
from StructDiffCore.mgm.reference import Reference
from StructDiffCore.mgm.traced_tree import traced_trees
from StructDiffCore.phantom.heart import default_geometry, digital_heart

Labels = NDArray[np.integer]
Deform = Callable[[NDArray[np.float32], int, float, bool], NDArray[np.float32]]
"""(channels, i, j, k), seed, strength, smooth interpolation -> the same deformed."""
FIRST_MM = 3.0
"""Strength at which a rival's displacement is measured before it is scaled."""


def monai_elastic(mask: LabelMap) -> Deform:
    """Rand3DElastic with the module's smoothness (Gaussian sigma 18 mm); strength is its magnitude in mm per smoothed unit."""
    from monai.transforms import Rand3DElastic

    sigma = 18.0 / mask.geometry.spacing[0]
    smoothed = 3**-0.5 * (2 * np.pi**0.5 * sigma) ** -1.5  # standard deviation of its smoothed uniform noise

    def deformed(channels: NDArray[np.float32], seed: int, strength: float, smooth: bool) -> NDArray[np.float32]:
        magnitude = strength / mask.geometry.spacing[0] / smoothed
        mode = "bilinear" if smooth else "nearest"
        transform = Rand3DElastic(
            (sigma, sigma + 1e-3),
            (magnitude, magnitude + 1e-9),
            prob=1.0,
            mode=mode,
            padding_mode="border" if smooth else "zeros",
        )
        transform.set_random_state(seed)
        return np.asarray(transform(channels))

    return deformed


def torchio_elastic(mask: LabelMap) -> Deform:
    """RandomElasticDeformation with 7 control points per axis; strength is its largest displacement in mm."""
    import torch
    import torchio

    def deformed(channels: NDArray[np.float32], seed: int, strength: float, smooth: bool) -> NDArray[np.float32]:
        transform = torchio.RandomElasticDeformation(
            num_control_points=7, max_displacement=strength, locked_borders=2, image_interpolation="linear"
        )
        kind = torchio.ScalarImage if smooth else torchio.LabelMap
        torch.manual_seed(seed)
        image = kind(tensor=torch.from_numpy(np.ascontiguousarray(channels)), affine=mask.geometry.affine)
        return np.asarray(transform(torchio.Subject(one=image))["one"].data.numpy())

    return deformed


def moved_mm(deform: Deform, mask: LabelMap, seed: int, strength: float) -> float:
    """Mean displacement in mm over the mask's labelled voxels: how far the coordinates go that are deformed like an image."""
    index = np.stack(np.meshgrid(*[np.arange(n, dtype=np.float32) for n in mask.geometry.shape], indexing="ij"))
    gone = (deform(index, seed, strength, True) - index)[:, mask.voxels > 0] * np.asarray(mask.geometry.spacing)[:, None]
    return float(np.linalg.norm(gone, axis=0).mean())


def rival_masks(deform: Deform, mask: LabelMap, wanted_mm: list[float]) -> Iterator[tuple[Labels, float, float]]:
    """Masks with the wanted mean displacements, their seconds and what they moved; displacement grows with strength."""
    labels = mask.voxels[None].astype(np.float32)
    for seed, wanted in enumerate(wanted_mm):
        strength = FIRST_MM
        for _ in range(2):
            strength *= wanted / moved_mm(deform, mask, seed, strength)
        start = time.perf_counter()
        voxels = np.rint(deform(labels, seed, strength, False)[0]).astype(np.uint8)
        yield voxels, time.perf_counter() - start, moved_mm(deform, mask, seed, strength)


def own_masks(reference: Reference, masks: int, fixed: PartialRecipe | None) -> Iterator[tuple[NewMask, float]]:
    start = time.perf_counter()
    for seed in range(masks):
        made = next(new_masks([reference], 1, seed, fixed=fixed))
        yield made, time.perf_counter() - start
        start = time.perf_counter()


def judged(made: list[tuple[Labels, float, float]], mask: LabelMap) -> dict[str, Any]:
    roles = Roles.of(mask.scheme, mask.present)
    contract = Contract.of(roles)
    breaches = [contract.breaches(Contract.measured(voxels, roles), mask.scheme) for voxels, _, _ in made]
    before = np.count_nonzero(np.isin(mask.voxels, roles.vessels))
    lost = [1 - np.count_nonzero(np.isin(voxels, roles.vessels)) / before for voxels, _, _ in made]
    return {
        "seconds": round(float(np.median([seconds for _, seconds, _ in made])), 2),
        "displacement_mm": round(float(np.mean([moved for _, _, moved in made])), 2),
        "broken_share": float(np.mean([bool(found) for found in breaches])),
        "broken_structures_per_mask": round(float(np.mean([len(found) for found in breaches])), 1),
        "vessel_volume_lost": round(float(np.mean(lost)), 3),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spacing", type=float, default=0.8)
    parser.add_argument("--masks", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default="")
    given = parser.parse_args()
    heart = digital_heart(given.seed, spacing_mm=0.8)
    if given.spacing != 0.8:
        heart = digital_heart(given.seed, default_geometry(heart.trees, given.spacing, round(128 * 0.8 / given.spacing)))
    mask = heart.mask
    start = time.perf_counter()
    reference = Reference.clean(mask, traced_trees)
    found: dict[str, Any] = {"shape": mask.voxels.shape, "prepare_seconds": round(time.perf_counter() - start, 2)}
    only_warp = PartialRecipe.from_dict({"edits": [], "warp": {"size": 1.0}})
    next(own_masks(reference, 1, only_warp))
    warped = [(made.mask.voxels, s, made.displacement_mm) for made, s in own_masks(reference, given.masks, only_warp)]
    edited = [(made.mask.voxels, s, made.displacement_mm) for made, s in own_masks(reference, given.masks, None)]
    found["MGM, warp only"], found["MGM, warp and edits"] = judged(warped, mask), judged(edited, mask)
    wanted = [moved for _, _, moved in warped]
    for name, build in (("MONAI Rand3DElastic", monai_elastic), ("TorchIO RandomElasticDeformation", torchio_elastic)):
        try:
            found[name] = judged(list(rival_masks(build(mask), mask, wanted)), mask)
        except ImportError as error:
            found[name] = f"absent: {error.name} is not installed"
    text = json.dumps(found, indent=2)
    print(text)
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
