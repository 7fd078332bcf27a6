"""The networks that can be trained: their form, and a step of each."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from toy_pairs import run, write_config, write_scene

from StructDiffCore.cal.run import CHECKPOINT
from StructDiffCore.segmentation.networks import HALVINGS, NETWORKS
from StructDiffCore.systems.tensor_file import read_tensors
from StructDiffCore.training.checkpoint import NAME


@pytest.fixture(scope="module")
def a_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("cal")).parent


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_halves_as_often_as_the_table_says(name: str) -> None:
    seen: list[int] = []
    network = NETWORKS[name](3)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv3d):
            module.register_forward_hook(lambda _module, _given, answer: seen.append(answer.shape[-1]))
    with torch.inference_mode():
        network.eval()(torch.zeros(1, 1, 32, 32, 32))
    assert min(seen) == 32 >> HALVINGS[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_gives_one_score_per_class_and_keeps_no_batch_statistics(name: str) -> None:
    network = NETWORKS[name](3)
    assert not any(isinstance(module, torch.nn.modules.batchnorm._BatchNorm) for module in network.modules())
    with torch.inference_mode():
        assert network.eval()(torch.zeros(1, 1, 32, 32, 32)).shape == (1, 3, 32, 32, 32)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_of_every_network_reaches_all_its_weights(a_scene: Path, tmp_path: Path, name: str) -> None:
    one_step = {"synthetic": {"sources": ["samples"], "steps": 1}, "real": {}, "validation": [], "folds": 0}
    config = write_config(a_scene, f"{name}.json", network=name, crop=32, batch=1, **one_step)
    (loss,) = run(config, tmp_path / "run")
    assert math.isfinite(loss)
    tensors = read_tensors(tmp_path / "run" / CHECKPOINT / NAME).tensors
    gradients = [value for key, value in tensors.items() if key.startswith("optimizer/") and key.endswith("exp_avg")]
    assert len(gradients) == len(list(NETWORKS[name](3).parameters()))
    assert all(torch.isfinite(one).all() for one in gradients)
    assert sum(bool(one.any()) for one in gradients) > len(gradients) / 2
