"""PyTorch missing or half-installed, strange paths: category, cause and remedy, from a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BROKEN = {
    "an_import_error": "raise ImportError('libtorch_cpu.so: cannot open shared object file')",
    "a_missing_library": 'raise OSError("libcudart.so.12: cannot open shared object file")',
    "an_empty_package": "",
    "a_missing_part": "import torch._C_of_another_version",
    "a_missing_friend": "import typing_extensions_of_nobody",
    "a_syntax_error": "def",
}


def child(arguments, path):
    environment = {**os.environ, "PYTHONPATH": str(path), "XDG_CACHE_HOME": str(path / "cache")}
    command = [sys.executable, "-m", "StructDiffCore.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=120)


def with_torch(tmp_path, source):
    (tmp_path / "broken" / "torch").mkdir(parents=True)
    (tmp_path / "broken" / "torch" / "__init__.py").write_text(source)
    return tmp_path / "broken"


@pytest.mark.parametrize("name", BROKEN)
def test_a_half_installed_torch_is_a_missing_dependency_with_a_remedy(scene, tmp_path, name):
    done = child([*scene.command(tmp_path / "out"), "--json"], with_torch(tmp_path, BROKEN[name]))
    told = json.loads(done.stdout)
    assert (done.returncode, told["event"], told["category"]) == (2, "failed", "missing_dependency")
    assert "PyTorch is half-installed" in told["message"]
    assert "pip install" in told["remedy"]
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_missing_torch_is_called_missing(scene, tmp_path):
    source = "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')"
    told = json.loads(child([*scene.command(tmp_path / "out"), "--json"], with_torch(tmp_path, source)).stdout)
    assert (told["category"], told["message"]) == ("missing_dependency", "PyTorch is missing")
    assert "PyTorch" in told["remedy"]


def test_doctor_tells_a_half_installed_torch_and_goes_on(tmp_path):
    done = child(["doctor", "--json"], with_torch(tmp_path, "raise OSError('libtorch.so is cut')"))
    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"], told["machine"]) == (0, False, None)
    check = next(check for check in told["checks"] if check["what"] == "torch works")
    assert check["state"] == "missing"
    assert "libtorch.so is cut" in check["found"]


@pytest.mark.parametrize("name", ["größe 日本 ’s", "space and, comma", "x" * 120 + "/" + "y" * 60])
def test_a_strange_path_goes_all_the_way(scene, tmp_path, run, name):
    place = tmp_path / name
    place.mkdir(parents=True)
    moved = {}
    for role in ("mask", "image", "labels", "weights"):
        source = Path(getattr(scene, role))
        moved[role] = place / source.name
        moved[role].write_bytes(source.read_bytes())
    given = {"mask": moved["mask"], "image": moved["image"], "labels": moved["labels"], "model": moved["weights"]}
    code, out, err = run([*scene.command(place / "out", **given), "--steps", "3", "--json"])
    assert code == 0, err
    told = json.loads(out)["samples"][0]
    assert Path(told["confidence"]).is_file()
    assert Path(told["image"]).parent == place / "out" / "sample-000"


def test_a_name_too_long_for_the_disk_is_refused_in_one_line(scene, tmp_path, run):
    code, _, err = run(scene.command(tmp_path / ("z" * 300)))
    assert code == 2
    assert len(err.splitlines()) == 1
