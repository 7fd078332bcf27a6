"""Memory of a training step: ``python -m StructDiffCore.training.memory CONFIG`` counts what the backward pass keeps.

No data and no optimiser step are needed: one forward pass on a small crop tells the bytes per voxel, which crop and batch scale.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from StructDiffCore.domain import StructDiffError
from StructDiffCore.models.condition_tensors import MAP_NAMES
from StructDiffCore.models.network import StructDiffNetwork

from .objective import Objective
from .settings import TrainSettings

SMALL = 16
SLOTS = 16
USUAL = ((32, 8), (64, 2), (64, 8), (96, 2), (96, 8), (128, 4))
"""Crop and batch of the table."""
COPIES_OF_WEIGHTS = 5
"""Weights, gradients, two moments of Adam, moving average; all float32."""
HEADROOM = 2.1
"""Gradients of activations and the convolutions' workspace, on top of what is kept; measured on a processor from 48^3 to 64^3."""


@dataclass(frozen=True)
class TrainingMemory:
    """What a training step holds at once."""

    state_gib: float
    """Weights, gradients, optimiser, average."""
    kept_bytes_per_voxel: float
    """Activations kept for the backward pass."""

    def of(self, crop: int, batch: int) -> float:
        """Estimated peak in GiB, the frameworks' own few hundred MiB apart."""
        return self.state_gib + HEADROOM * self.kept_bytes_per_voxel * batch * crop**3 / 2**30


def training_memory(settings: TrainSettings) -> TrainingMemory:
    """Count the tensors that one sample's forward pass keeps, in the run's precision."""
    network = StructDiffNetwork(settings.system.network)
    state = COPIES_OF_WEIGHTS * 4 * network.parameter_count / 2**30
    return TrainingMemory(state, _kept_bytes(network, settings.precision == "bf16-mixed") / SMALL**3)


def _kept_bytes(network: StructDiffNetwork, bf16: bool) -> int:
    edge, half = SMALL, SMALL // 2
    parts = {p.untyped_storage().data_ptr() for p in network.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parts:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    length = network.settings.code_length
    condition = (torch.zeros(1, len(MAP_NAMES), edge, edge, edge), torch.zeros(1, SLOTS, half, half, half))
    voxels = [torch.randn(1, 1, edge, edge, edge) for _ in range(3)]
    codes, sigma = torch.zeros(1, SLOTS, length), torch.ones(1)
    watched = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with watched, torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        Objective(network)(*condition, codes, voxels[0], voxels[1].abs(), voxels[2], sigma)
    weights_cast = sum(p.numel() * 2 for p in network.parameters()) if bf16 else 0
    return max(0, sum(kept.values()) - weights_cast)


def table(settings: TrainSettings) -> str:
    """Markdown: crop and batch down, GiB across, the run's own phases first."""
    memory = training_memory(settings)
    pairs = dict.fromkeys([*((phase.crop, phase.batch) for phase in settings.phases), *USUAL])
    lines = ["| crop | batch | memory |", "|---|---|---|"]
    lines += [f"| {crop}³ | {batch} | {memory.of(crop, batch):.1f} GiB |" for crop, batch in pairs]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Command line; 2 on bad input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    try:
        print(table(TrainSettings.read(parser.parse_args(argv).config)))
    except StructDiffError as error:
        print(f"memory: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
