"""``structdiff doctor``: a table for people, a document for machines."""

import hashlib
import json

import pytest

from StructDiffCore.cli.main import main
from StructDiffCore.config.messages import Job
from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.pipelines import doctor
from StructDiffCore.pipelines.devices import available_names, checked_devices, chosen_device
from StructDiffCore.pipelines.doctor import largest_cube
from StructDiffCore.pipelines.estimate import stored_machine
from StructDiffCore.synthesis.memory import memory_needed

RATE = {
    "precision": "float32",
    "call_s_per_mvoxel": 1.0,
    "encode_s_per_mvoxel": 0.5,
    "feature_bytes_per_voxel": 32.0,
    "host_slowness": 1.0,
}


@pytest.fixture(autouse=True)
def a_cache_of_its_own(tmp_path, monkeypatch):
    """Doctor notes what it measured: never in the home of whoever runs the tests."""
    monkeypatch.setattr("StructDiffCore.pipelines.estimate.cache_folder", lambda: tmp_path / "cache")


@pytest.fixture(autouse=True)
def a_known_rate(monkeypatch):
    """The network is timed in a test of its own."""
    monkeypatch.setattr("StructDiffCore.pipelines.machine.measured_rate", lambda system, device: RATE)


def test_the_document_names_packages_devices_and_weights(capsys):
    assert main(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    what = [check["what"] for check in told["checks"]]
    assert {"torch", "SimpleITK", "memory", "largest volume", "disk here"} <= set(what)
    assert any(name.startswith("device cpu") for name in what)
    assert any(name.startswith("weights") for name in what)
    assert told["ok"] == all(check["state"] != "missing" for check in told["checks"])


def test_the_document_tells_the_machine_and_it_is_kept_for_later(capsys):
    assert main(["doctor", "--json", "--device", "cpu"]) == 0
    told = json.loads(capsys.readouterr().out)["machine"]
    assert told["device"] == "cpu"
    assert told["rate"] == RATE
    assert told["free_bytes"] > 0
    assert [device["name"] for device in told["devices"]][-1] == "cpu"
    assert stored_machine() == told


def test_a_home_that_cannot_be_written_spoils_nothing(capsys, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr("StructDiffCore.pipelines.estimate.cache_folder", lambda: tmp_path / "file" / "cache")
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["machine"]["rate"] == RATE
    assert stored_machine() is None


def test_the_table_fits_a_terminal_and_has_no_markup(capsys):
    assert main(["doctor"]) == 0
    told = capsys.readouterr()
    assert "torch" in told.out
    assert "[green]" not in told.out
    assert told.err == ""


def test_the_processor_convolves():
    assert checked_devices()[-1].works
    assert available_names()[-1] == "cpu"
    assert str(chosen_device("cpu")) == "cpu"


@pytest.mark.parametrize("name", ["tpu", "cuda:x", "CPU", "", "cuda:"])
def test_an_unknown_device_is_refused(name, capsys):
    assert main(["doctor", "--device", name]) == 2
    assert "unknown device" in capsys.readouterr().err


def test_a_device_that_is_not_there_is_refused(capsys):
    assert main(["doctor", "--device", "cuda:77"]) == 2
    assert "device 'cuda:77' is not there" in capsys.readouterr().err


def test_the_largest_cube_just_fits():
    available = 4 * 2**30
    edge = largest_cube(available)
    need = [memory_needed((n, n, n), n**3, SynthesisSettings(), "bfloat16").total for n in (edge, edge + 16)]
    assert edge % 16 == 0
    assert need[0] <= available < need[1]


def test_without_memory_nothing_fits():
    assert largest_cube(0) == 0


@pytest.mark.parametrize(
    ("card", "state", "found"),
    [
        (None, "note", "no card"),
        ("{", "note", "no card"),
        ('{"sha256": "00"}', "missing", "changed or damaged"),
        (f'{{"sha256": "{hashlib.sha256(b"weights").hexdigest()}"}}', "ok", "as its card says"),
    ],
)
def test_weights_are_held_against_their_card(tmp_path, monkeypatch, card, state, found):
    (tmp_path / "Models").mkdir()
    (tmp_path / "Models/structdiff-cardiac.safetensors").write_bytes(b"weights")
    if card is not None:
        (tmp_path / "Models/structdiff-cardiac.json").write_text(card)
    monkeypatch.setattr("StructDiffCore.config.resources.resources_folder", lambda: tmp_path)
    *_, finished = doctor.run(Job("doctor"))
    check = next(check for check in finished.payload["checks"] if check["what"] == "weights structdiff-cardiac")
    assert (check["state"], found in check["found"]) == (state, True)


def test_missing_weights_are_called_missing(tmp_path, monkeypatch):
    (tmp_path / "Models").mkdir()
    monkeypatch.setattr("StructDiffCore.config.resources.resources_folder", lambda: tmp_path)
    *_, finished = doctor.run(Job("doctor"))
    assert finished.payload["ok"] is False
