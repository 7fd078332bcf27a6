"""Export averaged weights: ``python -m StructDiffCore.training.export RUN --to FILE.safetensors`` (and FILE.json, SHA-256)."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from StructDiffCore.domain import StructDiffError
from StructDiffCore.systems.structdiff import StructDiff

from .checkpoint import NAME, averaged_weights, read_checkpoint
from .settings import TrainSettings


def export_weights(run: Path, target: Path) -> str:
    """Write the run's averaged weights and their card (SHA-256, steps, settings, data hash); returns the SHA-256."""
    file, note = read_checkpoint(run / NAME)
    settings = TrainSettings.from_dict(note["settings"])
    system = StructDiff(settings.system)
    system.network.load_state_dict(averaged_weights(file))
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = system.save_weights(target)
    card = {
        "name": target.stem,
        "sha256": digest,
        "parameters": system.network.parameter_count,
        "steps_done": note["steps_done"],
        "data_hash": note["data_hash"],
        "initial_sha256": note.get("initial_sha256", ""),
        "training": settings.as_dict(),
    }
    temporary = target.with_suffix(".json.part")
    temporary.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, target.with_suffix(".json"))
    return digest


def main(argv: list[str] | None = None) -> int:
    """Command line; 2 on bad input."""
    parser = argparse.ArgumentParser(description="Write a training run's averaged weights as half-precision safetensors.")
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--to", type=Path, required=True, help="FILE.safetensors")
    arguments = parser.parse_args(argv)
    try:
        print(export_weights(arguments.run, arguments.to))
    except StructDiffError as error:
        print(f"export: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
