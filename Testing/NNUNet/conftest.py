"""nnU-Net on a tiny data set, planned and preprocessed once."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from tiny_dataset import Places, make_tiny, planned


@pytest.fixture(scope="session")
def prepared_once(tmp_path_factory: pytest.TempPathFactory) -> Places:
    places = Places(tmp_path_factory.mktemp("nnunet"))
    make_tiny(places)
    planned(places, "3d_fullres", "2d")
    return places


@pytest.fixture
def places(prepared_once: Places, tmp_path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """A copy of the preprocessed data set that a test may spoil, with nnU-Net's environment set."""
    shutil.copytree(prepared_once.base, tmp_path / "nn")
    places = Places(tmp_path / "nn")
    for name, value in places.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("nnUNet_n_proc_DA", "0")
    np.random.seed(0)  # noqa: NPY002 - nnU-Net draws from it
    torch.manual_seed(0)
    torch.set_num_threads(1)
    return places
