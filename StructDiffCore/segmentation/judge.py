"""The independent judge: a segmenter trained on true renderings only, never on anything synthesised.

python -m StructDiffCore.segmentation.judge --out Resources/Models/judge-cardiac.safetensors
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path

import torch

from StructDiffCore.config.resources import resources_folder
from StructDiffCore.domain import CARDIAC, LabelScheme
from StructDiffCore.training.pool import fill_pool, open_pool
from StructDiffCore.training.settings import PairSettings

from .fit import fit
from .phantom_crops import RIGHT_TREE, phantom_crops
from .segmenter import Segmenter

SHIPPED_JUDGE = "judge-cardiac.safetensors"
SCHEME = LabelScheme("judge", tuple(label for label in CARDIAC.labels if label.value != RIGHT_TREE))
"""The cardiac scheme with both coronary trees as one: a crop does not show which is which."""
WINDOW = 64
"""Edge in voxels that the judge reads at once: of 48, 64, 96 and 128 the one it reads the truth best in (BENCHMARKS)."""
POOL_SEED = 7001
"""Another seed than the generator's: the judge sees other hearts."""


def shipped_judge() -> Segmenter:
    """The judge whose weights are shipped."""
    return Segmenter.load_weights(resources_folder() / "Models" / SHIPPED_JUDGE, CARDIAC)


def shipped_judge_sha256() -> str:
    """Of the weights file."""
    with (resources_folder() / "Models" / SHIPPED_JUDGE).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    """Train the judge from scratch and write its weights."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="weights file to write (.safetensors)")
    parser.add_argument("--pool", type=Path, default=Path("runs/judge-pool"), help="folder of cached digital hearts")
    parser.add_argument("--hearts", type=int, default=24)
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--crop", type=int, default=48)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    settings = PairSettings(hearts=arguments.hearts, spacings_mm=(0.8,))
    for _ in fill_pool(arguments.pool, settings, POOL_SEED):
        pass
    judge = Segmenter.untrained(SCHEME, patch=WINDOW)
    crops = phantom_crops(open_pool(arguments.pool, settings, POOL_SEED), arguments.crop, arguments.seed)
    begin = time.perf_counter()
    for step in fit(judge, crops, arguments.steps, batch=4):
        if step.index % 20 == 0:
            print(f"step {step.index}/{step.total} loss {step.loss:.3f} {time.perf_counter() - begin:.0f} s", flush=True)
    _write(judge, arguments)


def _write(judge: Segmenter, arguments: argparse.Namespace) -> None:
    """Weights, and beside them a card with their SHA-256 and how they were made."""
    card = {
        "name": arguments.out.stem,
        "sha256": judge.save_weights(arguments.out),
        "training": {"hearts": arguments.hearts, "steps": arguments.steps, "crop": arguments.crop, "seed": arguments.seed},
    }
    arguments.out.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
