"""Training of the error head on digital hearts, where the error of a sample is known.

python -m StructDiffCore.synthesis.error_head_training --pool runs/judge-pool --out runs/error-head

Every example (features of a window, a sample, its error) is kept as a file: the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

from StructDiffCore.config.resources import resources_folder
from StructDiffCore.domain import StructDiffError
from StructDiffCore.systems.structdiff import StructDiff, default_structdiff

from .error_head import SHIPPED_HEAD, ErrorHead, TrainedHead, likelihood_loss
from .error_head_examples import ANYWHERE, Example, ExampleSettings, examples
from .measured_at import MeasuredAt
from .volume import unit_hu

ASIDE = 6
"""More windows, of the hearts that the head is fitted to but not fitted to themselves: ``vessels_aside_hu`` in its card."""
VESSEL_UNITS = 1.5
"""Contrast, in units of the residual, from which a voxel of a vessel or of its blur counts as the vessel's."""


@dataclass(frozen=True)
class FitSettings:
    """What decides a head, given the examples."""

    steps: int = 4000
    """Optimiser steps: with 1,200 a vessel's own voxels are still doubted twice as much as they err."""
    faded: float = 0.25
    """Share of the steps that see a vessel fade."""
    piece: int = 24
    """Edge of the random part of an example that a step sees."""
    learning_rate: float = 3e-3
    seed: int = 11


def fit(found: list[Example], settings: FitSettings) -> ErrorHead:
    """A head from examples; the same examples and settings give the same head."""
    torch.manual_seed(settings.seed)
    chance = torch.Generator().manual_seed(settings.seed)
    head = ErrorHead(found[0].level.shape[1])
    optimiser = torch.optim.AdamW(head.parameters(), settings.learning_rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.steps)
    places = (found[0].clean.shape[-1] - settings.piece) // 2 + 1
    for step in range(settings.steps):
        start = (2 * torch.randint(0, places, (3,))).tolist()
        example = found[step % len(found)].piece(start, settings.piece)
        if torch.rand(1, generator=chance) < settings.faded:
            example = example.faded(chance)
        loss = likelihood_loss(head(example.level, example.maps, example.clean), example.error)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return head.eval()


def vessel_errors_hu(head: ErrorHead, found: list[Example], unit_hu: float, seed: int = 0) -> dict[str, dict[str, float]]:
    """Of vessels as drawn and of parts that were faded: the median error that the head expects, and the true RMS; in HU."""
    chance = torch.Generator().manual_seed(seed)
    told: dict[str, list[Tensor]] = {"as drawn": [], "faded": []}
    for whole in found:
        shown = whole.faded(chance)
        vessel, lost = (whole.bare - whole.clean).abs() > VESSEL_UNITS, shown.clean != whole.clean
        with torch.no_grad():
            expected = torch.exp(0.5 * head(shown.level, shown.maps, shown.clean))
        told["as drawn"].append(torch.stack([expected, shown.error])[:, vessel & ~lost])
        told["faded"].append(torch.stack([expected, shown.error])[:, vessel & lost])
    return {kind: _told(torch.cat(parts, 1) * unit_hu) for kind, parts in told.items()}


def _told(expected_and_true: Tensor) -> dict[str, float]:
    expected, true = expected_and_true
    return {"expected": round(float(expected.median()), 1), "true": round(float(true.square().mean().sqrt()), 1)}


def main(argv: Sequence[str] | None = None) -> int:
    """Make the examples that are missing, fit the head, write it with its card; exit code 2 with one line for bad input."""
    arguments = _parser().parse_args(argv)
    try:
        print(run(arguments))
    except StructDiffError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def run(arguments: argparse.Namespace) -> str:
    """Train as asked; where the head lies."""
    wanted = ExampleSettings(windows=arguments.windows, temperature=arguments.temperature, steps=arguments.sampling_steps)
    if min(wanted.windows, arguments.steps) < 1:
        raise StructDiffError("no window or no optimiser step to train on", "give --windows and --steps of 1 or more")
    settings = FitSettings(steps=arguments.steps)
    system = StructDiff.load_weights(arguments.model) if arguments.model else default_structdiff()
    at = MeasuredAt.of(system.sha256, wanted.sampling)
    folder = arguments.out / sha256(repr((at, replace(wanted, windows=0), ANYWHERE)).encode()).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    more = replace(wanted, windows=wanted.windows + ASIDE)
    for example in examples(system.to("cpu", torch.bfloat16), folder, arguments.pool, more):
        found.append(example)
        print(f"example {len(found)}: RMS error {example.error.square().mean().sqrt():.3f} units", flush=True)
    path = arguments.out / SHIPPED_HEAD
    head = fit(found[: wanted.windows], settings)
    digest = TrainedHead(head, at).save(path)
    seen = vessel_errors_hu(head, found[wanted.windows :], unit_hu(system))
    training = {"examples": asdict(wanted), "fit": asdict(settings)}
    card = {"name": path.stem, "sha256": digest, "trained_at": at.as_dict(), "training": training, "vessels_aside_hu": seen}
    path.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return f"{path} (to ship it, copy it and its card to {resources_folder() / 'Models'})"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", type=Path, required=True, help="folder of cached digital hearts, grown where missing")
    parser.add_argument("--out", type=Path, required=True, help="folder for examples and head")
    parser.add_argument("--model", type=Path, help="weights of the generator (default: the shipped ones)")
    parser.add_argument("--steps", type=int, default=FitSettings.steps, help="optimiser steps")
    parser.add_argument("--windows", type=int, default=ExampleSettings.windows, help="examples")
    parser.add_argument("--sampling-steps", type=int, default=ExampleSettings.steps, help="denoising steps of a sample")
    parser.add_argument("--temperature", type=float, default=ExampleSettings.temperature, help="strength of the start noise")
    return parser


if __name__ == "__main__":
    sys.exit(main())
