"""Training of the error head on digital hearts, where the error of a sample is known.

python -m StructDiffCore.synthesis.error_head_training --pool runs/judge-pool --out runs/error-head

Every example (features of a crop, a sample, its error) is kept as a file: the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from StructDiffCore.config.resources import resources_folder
from StructDiffCore.diffusion.levels import log_snr_levels
from StructDiffCore.diffusion.samplers import dpm_solver_pp_2m
from StructDiffCore.diffusion.sampling import last_clean, start_noise
from StructDiffCore.models.condition_encoder import Features
from StructDiffCore.systems.structdiff import StructDiff, default_structdiff
from StructDiffCore.systems.tensor_file import read_tensors, write_tensors
from StructDiffCore.training.crops import TrainingCrop
from StructDiffCore.training.pairs import PairStream
from StructDiffCore.training.pool import fill_pool, open_pool
from StructDiffCore.training.seeds import numpy_generator
from StructDiffCore.training.settings import PairSettings, Phase

from .error_head import SHIPPED_HEAD, ErrorHead, TrainedHead, likelihood_loss


@dataclass(frozen=True)
class HeadSettings:
    """What decides a head."""

    hearts: int = 12
    """First hearts of the pool; evaluations take the ones behind them."""
    pool_seed: int = 7001
    """Another pool than the generator's: of hearts it has learnt, its errors are too small."""
    pairs: int = 4
    """Pairs of hearts, each in a look of its own."""
    crops_per_direction: int = 3
    """Crops of either heart of a pair."""
    crop: int = 40
    """Edge of a crop in voxels."""
    sampling_steps: int = 10
    """Denoising steps of an example: those of a real job, so that the errors are."""
    piece: int = 24
    """Edge of the random part of an example that a step sees."""
    steps: int = 600
    """Optimiser steps."""
    learning_rate: float = 3e-3
    seed: int = 11


@dataclass(frozen=True, eq=False)
class Example:
    """One sample with its error in units of the residual; all [1, C, ...]."""

    level: Tensor
    maps: Tensor
    clean: Tensor
    error: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, system: StructDiff, crop: TrainingCrop, steps: int, seed: int) -> Example:
        """Sample a training crop and compare with its truth."""
        features: Features = system.encode([crop.condition])
        prior, truth = (torch.from_numpy(a.copy())[None, None] for a in (crop.condition.prior_hu, crop.target_hu))
        levels = log_snr_levels(steps)
        start = start_noise(prior.shape, [torch.Generator().manual_seed(seed)]) * levels[0].sigma
        clean = last_clean(dpm_solver_pp_2m(system.denoiser(features), start, levels, []))
        return cls(features.levels[0].float(), features.detail.float(), clean, clean - system.to_residual(truth, prior))

    def write(self, path: Path) -> None:
        write_tensors(path, {name: tensor.half() for name, tensor in vars(self).items()}, {})

    def piece(self, start: Sequence[int], edge: int) -> Example:
        """The cube of ``edge`` voxels from an even voxel."""
        i, j, k = (slice(s, s + edge) for s in start)
        p, q, r = (slice(s // 2, (s + edge) // 2) for s in start)
        return Example(self.level[..., p, q, r], self.maps[..., i, j, k], self.clean[..., i, j, k], self.error[..., i, j, k])

    @classmethod
    def read(cls, path: Path) -> Example:
        return cls(**{name: tensor.float() for name, tensor in read_tensors(path).tensors.items()})


def examples(system: StructDiff, folder: Path, pool: Path, settings: HeadSettings) -> Iterator[Example]:
    """All examples in order: read where they lie in ``folder``, made and kept there where they do not."""
    pairs = PairSettings(hearts=settings.hearts, spacings_mm=(0.8,))
    for _ in fill_pool(pool, pairs, settings.pool_seed):
        pass
    stream = PairStream(open_pool(pool, pairs, settings.pool_seed), pairs)
    phase = Phase(1, settings.crop, 1, settings.crops_per_direction)
    for pair in range(settings.pairs):
        names = [folder / f"example-{pair:03d}-{n}.safetensors" for n in range(2 * settings.crops_per_direction)]
        if not all(name.exists() for name in names):
            for name, crop in zip(names, stream.crops(phase, numpy_generator(settings.seed, "head", pair))):
                Example.of(system, crop, settings.sampling_steps, settings.seed + pair).write(name)
        yield from map(Example.read, names)


def fit(found: list[Example], settings: HeadSettings) -> ErrorHead:
    """A head from examples; the same examples and settings give the same head."""
    torch.manual_seed(settings.seed)
    head = ErrorHead(found[0].level.shape[1])
    optimiser = torch.optim.AdamW(head.parameters(), settings.learning_rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.steps)
    for step in range(settings.steps):
        example = found[step % len(found)]
        start = (2 * torch.randint(0, (settings.crop - settings.piece) // 2 + 1, (3,))).tolist()
        example = example.piece(start, settings.piece)
        loss = likelihood_loss(head(example.level, example.maps, example.clean), example.error)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return head.eval()


def main() -> None:
    """Make the examples that are missing, fit the head, write it with its card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool", type=Path, required=True, help="folder of cached digital hearts, grown where missing")
    parser.add_argument("--out", type=Path, required=True, help="folder for examples and head")
    parser.add_argument("--model", type=Path, help="weights of the generator (default: the shipped ones)")
    parser.add_argument("--steps", type=int, default=HeadSettings.steps)
    parser.add_argument("--pairs", type=int, default=HeadSettings.pairs)
    arguments = parser.parse_args()
    settings = HeadSettings(pairs=arguments.pairs, steps=arguments.steps)
    system = StructDiff.load_weights(arguments.model) if arguments.model else default_structdiff()
    folder = arguments.out / system.sha256[:12]
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for example in examples(system.to("cpu", torch.bfloat16), folder, arguments.pool, settings):
        found.append(example)
        print(f"example {len(found)}: RMS error {example.error.square().mean().sqrt():.3f} units", flush=True)
    path = arguments.out / SHIPPED_HEAD
    digest = TrainedHead(fit(found, settings), system.sha256).save(path)
    card = {"name": path.stem, "sha256": digest, "generator_sha256": system.sha256, "training": vars(settings)}
    path.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    print(f"{path} (to ship it, copy it and its card to {resources_folder() / 'Models'})")


if __name__ == "__main__":
    main()
