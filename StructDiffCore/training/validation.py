"""Fixed crops that training never shows: ``python -m StructDiffCore.training.validation RUN [--weights FILE]``, JSON to stdout.

Digital hearts of another seed, and the slices of the cached scans that were held aside.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from StructDiffCore.diffusion.dpm_solver import dpm_solver_pp_2m
from StructDiffCore.diffusion.levels import log_snr_levels
from StructDiffCore.diffusion.sampling import start_noise
from StructDiffCore.domain import StructDiffError
from StructDiffCore.systems.structdiff import StructDiff

from .checkpoint import NAME, averaged_weights, read_checkpoint
from .crops import TrainingCrop
from .pairs import PairStream
from .pool import open_pool
from .scan_pairs import ScanPairStream
from .scans import ScanPool, open_scans
from .seeds import numpy_generator, torch_generator
from .settings import Phase, TrainSettings

CROP = 48
SEED = 900_001
CALLS = 8
Numbers = dict[str, float]


def validation_crops(run: Path, settings: TrainSettings, pairs: int) -> dict[str, list[TrainingCrop]]:
    """Crops by source, the same for every set of weights."""
    phase = Phase(1, CROP, 2, crops_per_direction=1)
    sources: dict[str, PairStream | ScanPairStream] = {}
    if (run / "hearts").is_dir():
        sources["hearts"] = PairStream(open_pool(run / "hearts", settings.pairs, settings.seed), settings.pairs)
    if (run / "scans").is_dir():
        scans = open_scans(run / "scans")
        aside = tuple(scan for scan in scans.scans if scan.shape[2] - scan.card.train_slices[1] >= CROP)
        if aside:
            sources["scans held aside"] = ScanPairStream(ScanPool(aside), settings.pairs, held_aside=True)
    if (run / "aside").is_dir():
        sources["patients held aside"] = ScanPairStream(open_scans(run / "aside"), settings.pairs)
    return {
        name: [
            crop.nulled(settings.pairs.nulled)
            for n in range(pairs)
            for crop in stream.crops(phase, numpy_generator(SEED, name, n))
        ]
        for name, stream in sources.items()
    }


@torch.inference_mode()
def validate(system: StructDiff, crops: Sequence[TrainingCrop]) -> Numbers:
    """Sampled answers against the noise-free target: errors in HU and the strength of fine detail (1 is the target's)."""
    rows = [_numbers(system, crop, number) for number, crop in enumerate(crops)]
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _numbers(system: StructDiff, crop: TrainingCrop, number: int) -> Numbers:
    generator = torch_generator(SEED, "start", number)
    features = system.encode([crop.condition])
    levels = log_snr_levels(CALLS)
    start = start_noise((1, 1, *crop.condition.shape), [generator]) * levels[0].sigma
    denoiser = system.denoiser(features)
    path = [step.clean[0, 0].float().numpy() for step in dpm_solver_pp_2m(denoiser, start, levels, [generator])]
    first, answer = (clean * system.settings.residual_scale_hu + crop.condition.prior_hu for clean in (path[0], path[-1]))
    wrong, one_call, painted = (np.abs(x - crop.target_hu) for x in (answer, first, crop.condition.prior_hu))
    return {
        "median error HU": float(np.median(wrong)),
        "mean error HU": float(wrong.mean()),
        "mean error of one call HU": float(one_call.mean()),
        "mean error of the prior HU": float(painted.mean()),
        "detail": _detail(answer) / max(_detail(crop.target_hu), 1e-3),
        "detail of one call": _detail(first) / max(_detail(crop.target_hu), 1e-3),
    }


def _detail(image: np.ndarray) -> float:
    """Robust spread of what is finer than about two voxels."""
    fine = image - ndimage.gaussian_filter(image, 1.5)
    return 1.4826 * float(np.median(np.abs(fine)))


def system_of(run: Path, weights: Path | None) -> tuple[StructDiff, int]:
    """The run's averaged weights (steps done), or the weights of a file (0)."""
    if weights is not None:
        return StructDiff.load_weights(weights), 0
    file, note = read_checkpoint(run / NAME)
    system = StructDiff(TrainSettings.from_dict(note["settings"]).system)
    system.network.load_state_dict(averaged_weights(file))
    return system, int(note["steps_done"])


def main(argv: list[str] | None = None) -> int:
    """Command line; 2 on bad input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of the run: its data and, without --weights, its averaged weights")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--pairs", type=int, default=6)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    try:
        _, note = read_checkpoint(arguments.run / NAME)
        system, steps = system_of(arguments.run, arguments.weights)
        crops = validation_crops(arguments.run, TrainSettings.from_dict(note["settings"]), arguments.pairs)
        system.to("cpu", torch.float32)
        print(json.dumps({"steps": steps, **{name: validate(system, found) for name, found in crops.items()}}))
    except StructDiffError as error:
        print(f"validation: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
