"""The mask-only rival: MONAI's DiffusionModelUNet, 7.0 M parameters, told the mask alone; no template, no codes, no prior.

python -m StructDiffCore.evaluation.mask_only --out runs/mask-only --hearts runs/second/hearts [--minutes M] [--keep N ...]

The same command resumes. It learns from the generator's own pool of digital hearts in fresh looks of the training domain; the
file's header tells its steps, voxels and seconds, ``--keep`` leaves copies on the way, for comparisons at equal steps or time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.networks.nets import DiffusionModelUNet
from numpy.typing import NDArray
from torch import Tensor, nn

from StructDiffCore.diffusion.denoiser import EDMDenoiser
from StructDiffCore.diffusion.dpm_solver import dpm_solver_pp_2m
from StructDiffCore.diffusion.levels import log_snr_levels
from StructDiffCore.diffusion.losses import draw_sigma, sample_losses
from StructDiffCore.diffusion.sampling import last_clean, start_noise
from StructDiffCore.domain import CARDIAC, StructDiffError
from StructDiffCore.phantom.appearance import draw_appearance
from StructDiffCore.phantom.formation import render
from StructDiffCore.systems.weights_file import read_weights, write_weights
from StructDiffCore.training.crops import crop_start
from StructDiffCore.training.ema import MovingAverage
from StructDiffCore.training.pool import HeartPool, open_pool
from StructDiffCore.training.seeds import numpy_generator, torch_generator
from StructDiffCore.training.settings import PairSettings

SYSTEM = "mask-only"
MIDDLE_HU, SCALE_HU = -100.0, 350.0
"""The diffused variable is (HU - middle) / scale."""
CLASSES = 1 + len(CARDIAC.values)
CROPS_PER_HEART = 24
HEARTS_PER_GROUP = 3
SAVE_EVERY = 50
LEARNING_RATE, WARM_UP_STEPS, EMA_DECAY = 4e-4, 40, 0.99
Crop = tuple[NDArray[np.float32], NDArray[np.integer]]


@dataclass(frozen=True)
class RivalSettings:
    """What rebuilds the rival around its weights."""

    channels: tuple[int, ...] = (32, 64, 128)
    steps_done: int = 0
    voxels: int = 0
    """Voxels of all crops seen."""
    seconds: float = 0.0
    """Spent training, data included, by the clock."""
    cpu_seconds: float = 0.0
    """The same in processor seconds, which other work on the machine does not stretch."""

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> RivalSettings:
        return cls(**{**content, "channels": tuple(content["channels"])})


class MaskOnly:
    """The rival: mask in, noise-free HU out."""

    def __init__(self, settings: RivalSettings | None = None) -> None:
        self.settings = settings or RivalSettings()
        channels = tuple(self.settings.channels)
        self.network: nn.Module = DiffusionModelUNet(
            3, 1 + CLASSES, 1, num_res_blocks=1, channels=channels, attention_levels=(False,) * len(channels),
            norm_num_groups=16, num_head_channels=16,
        )  # fmt: skip

    @classmethod
    def load_weights(cls, path: Path) -> MaskOnly:
        file = read_weights(path, SYSTEM)
        rival = cls(RivalSettings.from_dict(file.settings))
        rival.network.load_state_dict({name: tensor.float() for name, tensor in file.tensors.items()})
        return rival

    def denoiser(self, labels: Tensor) -> EDMDenoiser:
        """The denoiser under labels [B, I, J, K]."""
        mask = nn.functional.one_hot(labels.long(), CLASSES).movedim(-1, 1).float()

        def network_call(noisy: Tensor, c_noise: Tensor) -> Tensor:
            answer: Tensor = self.network(torch.cat([noisy.float(), mask], 1), 1000 * c_noise)
            return answer.float()

        return EDMDenoiser(network_call)

    @torch.inference_mode()
    def sample(self, labels: NDArray[np.integer], steps: int, seed: int) -> NDArray[np.float32]:
        """Noise-free HU (i, j, k) in one pass."""
        self.network.eval()
        padded = np.pad(labels, [(0, -n % 8) for n in labels.shape], mode="edge")
        generator = torch.Generator().manual_seed(seed)
        levels = log_snr_levels(steps)
        start = start_noise((1, 1, *padded.shape), [generator]) * levels[0].sigma
        with torch.autocast("cpu", torch.bfloat16):
            denoiser = self.denoiser(torch.from_numpy(padded.astype(np.int64))[None])
            clean = last_clean(dpm_solver_pp_2m(denoiser, start, levels, [generator]))
        i, j, k = labels.shape
        return (MIDDLE_HU + SCALE_HU * clean[0, 0, :i, :j, :k].float()).numpy()


def crops(pool: HeartPool, edge: int, seed: int, heart: int) -> Iterator[Crop]:
    """Crops (noise-free HU, labels) of one rendered heart, half of them on vessels."""
    rng = numpy_generator(seed, "mask-only", heart)
    body = pool[int(rng.integers(len(pool)))]
    image, labels = render(body, draw_appearance(rng, "training"), rng).clean.voxels, body.mask.voxels
    thin = np.argwhere(np.isin(labels, CARDIAC.thin_values))
    for _ in range(CROPS_PER_HEART):
        start = crop_start(thin, rng.random() < 0.5, image.shape, edge, rng)
        box = tuple(slice(s, s + edge) for s in start)
        yield image[box], labels[box]


def group(pool: HeartPool, edge: int, seed: int, number: int) -> list[Crop]:
    """Crops of some hearts, shuffled together."""
    found = [c for n in range(HEARTS_PER_GROUP) for c in crops(pool, edge, seed, HEARTS_PER_GROUP * number + n)]
    return [found[n] for n in numpy_generator(seed, "mask-only group", number).permutation(len(found))]


@dataclass(frozen=True)
class Plan:
    """How long and on what the rival trains."""

    steps: int
    edge: int = 32
    batch: int = 4
    minutes: float | None = None
    keep: Collection[int] = ()
    """Step counts at which a copy of the weights is left."""


def train(rival: MaskOnly, pool: HeartPool, out: Path, plan: Plan) -> int:
    """Train from the rival's own step count on; writes averaged weights as it goes. Returns the steps done.

    The optimiser's moments and the average start anew after a stop: near enough to exact for a rival.
    """
    optimizer = torch.optim.AdamW(rival.network.parameters(), LEARNING_RATE, weight_decay=1e-4)
    average = MovingAverage(rival.network, EMA_DECAY)
    before, clocks, began = rival.settings, (time.monotonic(), time.process_time()), rival.settings.steps_done
    waiting: list[Crop] = []
    rival.network.train()
    for done in range(began, plan.steps):
        if len(waiting) < plan.batch:
            waiting += group(pool, plan.edge, 1, done * plan.batch // (HEARTS_PER_GROUP * CROPS_PER_HEART))
        taken, waiting = waiting[: plan.batch], waiting[plan.batch :]
        loss = _update(rival, optimizer, taken, done, LEARNING_RATE * min(1.0, (done - began + 1) / WARM_UP_STEPS))
        average.update(rival.network)
        rival.settings = _grown(before, done + 1, plan, clocks)
        late = plan.minutes is not None and rival.settings.seconds - before.seconds > 60 * plan.minutes
        if (done + 1) % SAVE_EVERY == 0 or done + 1 in plan.keep or done + 1 == plan.steps or late:
            _save(rival, average, out, plan)
            print(f"step {done + 1}/{plan.steps} loss {loss:.4f} after {rival.settings.seconds:.0f} s", flush=True)
        if late:
            break
    return rival.settings.steps_done


def _grown(before: RivalSettings, done: int, plan: Plan, clocks: tuple[float, float]) -> RivalSettings:
    """The record after ``done`` steps; ``clocks`` are those at the start."""
    return replace(
        before,
        steps_done=done,
        voxels=before.voxels + (done - before.steps_done) * plan.batch * plan.edge**3,
        seconds=before.seconds + time.monotonic() - clocks[0],
        cpu_seconds=before.cpu_seconds + time.process_time() - clocks[1],
    )


def _update(rival: MaskOnly, optimizer: torch.optim.Optimizer, taken: list[Crop], step: int, learning_rate: float) -> float:
    """One optimiser step; returns the loss."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    loss = _loss(rival, taken, step)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(rival.network.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())


def _loss(rival: MaskOnly, taken: list[Crop], step: int) -> Tensor:
    clean = torch.from_numpy(np.stack([(image - MIDDLE_HU) / SCALE_HU for image, _ in taken]))[:, None].float()
    labels = torch.from_numpy(np.stack([mask for _, mask in taken]).astype(np.int64))
    generator = torch_generator(1, "mask-only", step)
    noise, sigma = torch.randn(clean.shape, generator=generator), draw_sigma(len(clean), generator)
    with torch.autocast("cpu", torch.bfloat16):
        denoiser = rival.denoiser(labels)
        loss = sample_losses(denoiser, clean, noise, sigma, robust=0.3).mean()
    if not torch.isfinite(loss):
        raise StructDiffError(f"the rival's loss became {loss.item()} at step {step}", "the last weights are kept", "internal")
    return loss


def _save(rival: MaskOnly, average: MovingAverage, out: Path, plan: Plan) -> None:
    done = rival.settings.steps_done
    for name in ("mask-only", f"mask-only-{done}") if done in plan.keep else ("mask-only",):
        write_weights(out / f"{name}.safetensors", SYSTEM, average.weights, asdict(rival.settings))


def main(argv: list[str] | None = None) -> int:
    """Command line; 2 on bad input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hearts", type=Path, required=True, help="the pool of a training run; its settings lie beside it")
    parser.add_argument("--steps", type=int, default=3800)
    parser.add_argument("--crop", type=int, default=32)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--keep", type=int, nargs="*", default=(), help="leave a copy of the weights at these steps")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    try:
        described = json.loads((arguments.hearts.parent / "settings.json").read_text(encoding="utf-8"))
        pool = open_pool(arguments.hearts, PairSettings(**described["pairs"]), described["seed"])
        arguments.out.mkdir(parents=True, exist_ok=True)
        weights = arguments.out / "mask-only.safetensors"
        rival = MaskOnly.load_weights(weights) if weights.exists() else MaskOnly()
        plan = Plan(arguments.steps, arguments.crop, arguments.batch, arguments.minutes, arguments.keep)
        train(rival, pool, arguments.out, plan)
    except (StructDiffError, OSError) as error:
        print(f"mask-only: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
