"""A data set of four tiny synthetic cases, written by our own exporter; and nnU-Net's commands on it."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import subprocess
import sys
import types
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import pytest
import torch

from StructDiffCore.domain import Geometry, Label, LabelMap, LabelScheme, Volume
from StructDiffCore.io.export import export_pairs
from StructDiffCore.io.export_pair import ExportPair

HERE = Path(__file__).resolve().parent
NAME = "Dataset101_Tiny"
SCHEME = LabelScheme("toy", (Label(2, "block"), Label(5, "rod", thin=True)))
PASSED = {"topology": {"verdict": "pass"}, "quality": {"verdict": "pass", "off": []}}
SPACINGS = (1.0, 1.0, 1.0, 1.3)
"""Voxel sizes of the cases in mm: the last case is resampled, the others are not."""
EMPTY = 4
"""Slabs of 0 HU at the far end of every case, which nnU-Net crops away."""
NAMES = tuple(f"case{number}" for number in range(len(SPACINGS)))
PLAN = "nnunetv2.experiment_planning.plan_and_preprocess_entrypoints:plan_and_preprocess_entry"
FEATURES = (4, 8, 16, 16, 16, 16)
"""Channels of a network small enough for seconds on a CPU."""


def a_pair(number: int) -> ExportPair:
    """A bright block and a thin rod in noise; calibrated confidence 0 in a large box, 1 elsewhere; a standard deviation of 0."""
    rng = np.random.default_rng(number)
    side = SPACINGS[number]
    grid = Geometry((40, 36, 32), (side, side, side), (-10.0, 5.0, 2.0 * number))
    labels = np.zeros(grid.shape, np.uint8)
    i, j, k = rng.integers(3, 14, 3)
    labels[i : i + 12, j : j + 12, k : k + 12] = 2
    labels[4:32, 4 + 2 * number : 6 + 2 * number, 26:28] = 5
    hu = np.select([labels == 2, labels == 5], [250.0, 500.0], -100.0) + rng.normal(0, 20, labels.shape)
    hu[-EMPTY:], labels[-EMPTY:] = 0, 0
    sure = np.ones(grid.shape, np.float32)
    sure[doubted_box()] = 0
    maps = [Volume(values, grid) for values in (np.zeros(grid.shape, np.float32), sure)]
    told = {**PASSED, "template": f"t{number}", "mask_id": f"m{number}", "synthetic": True}
    return ExportPair(NAMES[number], Volume(hu, grid), LabelMap(labels, grid, SCHEME), maps[0], told, maps[1])


def doubted_box() -> tuple[slice, slice, slice]:
    """Where nothing is known."""
    return slice(2, 26), slice(3, 24), slice(4, 25)


def set_confidence(folder: Path, **fields: object) -> None:
    """How dataset.json in a folder wants the maps read."""
    told = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**told, "confidence": fields}))


@dataclass(frozen=True)
class Places:
    """nnU-Net's three folders."""

    base: Path

    @property
    def raw(self) -> Path:
        return self.base / "raw" / NAME

    @property
    def preprocessed(self) -> Path:
        return self.base / "preprocessed" / NAME

    @property
    def environment(self) -> dict[str, str]:
        """What nnU-Net wants to be told, one process for each of its parts."""
        folders = {f"nnUNet_{part}": str(self.base / part) for part in ("raw", "preprocessed", "results")}
        trainers = os.pathsep.join([trainer_folder(), str(HERE / "few_steps")])
        return {**folders, "nnUNet_extTrainer": trainers, "nnUNet_n_proc_DA": "1", "nnUNet_def_n_proc": "1"}

    def command(self, entry: str, *arguments: str, loaders: int = 0) -> None:
        """One of nnU-Net's commands: the function that its console script calls, its worker processes as threads of this one."""
        module, function = entry.split(":")
        threads = types.SimpleNamespace(Pool=ThreadPool)
        environment = {**self.environment, "nnUNet_n_proc_DA": str(loaders)}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.setattr(multiprocessing, "get_context", lambda *_: threads)
            patch.setattr(torch, "set_num_threads", lambda count: None)  # nnU-Net would take all there are
            patch.setattr(sys, "argv", [function, *arguments])
            getattr(importlib.import_module(module), function)()


def trainer_folder() -> str:
    """As a person gets it."""
    told = subprocess.run([sys.executable, "-m", "StructDiffCore.cal.nnunet"], capture_output=True, text=True, check=True)
    return told.stdout.strip()


def make_tiny(places: Places, **exported: float) -> None:
    """Export the cases."""
    (places.base / "preprocessed").mkdir(parents=True)
    (places.base / "results").mkdir()
    export_pairs([a_pair(number) for number in range(len(SPACINGS))], "nnunet", places.raw, **exported)


def planned(places: Places, *configurations: str) -> None:
    """nnUNetv2_plan_and_preprocess, and small networks."""
    one_process = ["1"] * len(configurations)
    places.command(PLAN, "-d", "101", "-c", *configurations, "-np", *one_process, loaders=1)
    shrink(places)


def shrink(places: Places) -> None:
    """Fewer channels and small patches in the plans: what nnU-Net's documentation calls editing the plans file."""
    path = places.preprocessed / "nnUNetPlans.json"
    plans = json.loads(path.read_text())
    for name in ("2d", "3d_fullres"):
        configuration = plans["configurations"][name]
        told = configuration["architecture"]["arch_kwargs"]
        told["features_per_stage"] = list(FEATURES[: told["n_stages"]])
        configuration["batch_size"] = 2
    path.write_text(json.dumps(plans))
