"""A failure while writing leaves nothing behind, and what was there before survives."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from StructDiffCore.domain import Geometry, StructDiffError, Volume
from StructDiffCore.io.atomic import write_text, written
from StructDiffCore.io.files import read_volume, write_volume

GRID = Geometry((40, 40, 40))
FULL_DISK = """
import resource, sys
import numpy as np
from StructDiffCore.domain import Geometry, StructDiffError, Volume
from StructDiffCore.io.files import write_volume
noise = np.random.default_rng(0).integers(-1000, 1000, (40, 40, 40))
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, resource.RLIM_INFINITY))
for path in sys.argv[1:]:
    try:
        write_volume(Volume(noise, Geometry((40, 40, 40))), path)
    except StructDiffError as error:
        print(error.exit_code, error)
"""


def test_a_full_disk_is_told_and_leaves_the_old_files(tmp_path):
    """A file-size limit stands for the full disk; ITK's NIfTI writer passes over it in silence."""
    paths = [tmp_path / f"image{ending}" for ending in (".nii", ".nii.gz", ".nrrd", ".mha")]
    for path in paths:
        write_volume(Volume(np.full(GRID.shape, 7.0), GRID), path)
    done = subprocess.run([sys.executable, "-c", FULL_DISK, *map(str, paths)], capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("2 ")]
    assert len(lines) == len(paths), done.stderr
    assert all("could not be written" in line for line in lines)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in paths)
    assert all(np.all(read_volume(path).voxels == 7) for path in paths)


def write_half_then(path, error):
    with written(path) as temporary:
        temporary.write_text("half")
        raise error


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), RuntimeError("any")])
def test_an_interrupted_write_leaves_nothing(tmp_path, error):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises((StructDiffError, KeyboardInterrupt, RuntimeError)):
        write_half_then(tmp_path / "a.txt", error)
    assert (tmp_path / "a.txt").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_failing_rename_leaves_nothing(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(StructDiffError, match="Read-only"):
        write_text(tmp_path / "a.json", json.dumps({}))
    assert not list(tmp_path.iterdir())


def test_the_temporary_file_is_beside_the_final_one_and_hidden(tmp_path):
    with written(tmp_path / "image.nii.gz") as temporary:
        temporary.write_bytes(b"x")
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        assert temporary.name.endswith(".nii.gz")
        assert not (tmp_path / "image.nii.gz").exists()
    assert (tmp_path / "image.nii.gz").read_bytes() == b"x"


def test_a_folder_in_the_way_is_refused(tmp_path):
    (tmp_path / "x.json").mkdir()
    with pytest.raises(StructDiffError, match="is a folder"):
        write_text(tmp_path / "x.json", "{}")
