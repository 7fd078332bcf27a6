"""``structdiff pretrain`` by a plan: pairs are made beside the training, in a bounded cache, the same ones after a kill."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest
import torch
from cli_scene import COARSE, body

from StructDiffCore.cal.data import listed
from StructDiffCore.cal.pair_record import PairRecord
from StructDiffCore.cal.settings import PretrainSettings
from StructDiffCore.config.messages import Job
from StructDiffCore.domain import CARDIAC, Geometry, LabelMap
from StructDiffCore.io.files import write_label_map
from StructDiffCore.pipelines import pair_worker
from StructDiffCore.pipelines.pair_process import MADE, made_pairs
from StructDiffCore.systems.tensor_file import read_tensors

MOST = 6
"""Pairs on disk in these runs."""


@pytest.fixture(scope="module")
def folder(scene, tmp_path_factory):
    """A plan of two masks, and settings of a run of seconds."""
    place = tmp_path_factory.mktemp("pretrain-plan")
    (place / "masks").mkdir()
    for number, shift in enumerate((-2.0, 2.0)):
        write_label_map(LabelMap(body(COARSE, shift), COARSE, CARDIAC), place / f"masks/m{number}.seg.nrrd")
    write_plan(place, scene)
    write_config(place)
    return place


def write_plan(place, scene, name="plan.yaml", **changes):
    template = {"name": "ct", "image": str(scene.image), "mask": str(scene.labels)}
    settings = {"model": str(scene.weights), "steps": 2, "ssv": "noises", "ssv_paths": 2}
    content = {"masks": ["masks"], "templates": [template], "settings": settings, **changes}
    (place / name).write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def write_config(place, name="cal.json", **changes):
    settings = {
        "synthetic": {"sources": ["plan.yaml"], "steps": 12, "learning_rate": 1e-3},
        "labels": [1, 3, 6],
        "folds": 0,
        "network": "UNet",
        "spacing_mm": 2.0,
        "crop": 16,
        "precision": "32-true",
        "checkpoint_every": 2,
        "cache": {"pairs": MOST, "uses": 4},
        **changes,
    }
    (place / name).write_text(json.dumps(settings))
    return place / name


def command(config, out, *more):
    return ["pretrain", str(config), "--device", "cpu", "--out", str(out), *more]


def process(config, out, *more):
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    arguments = [sys.executable, "-m", "StructDiffCore.cli", *command(config, out, *more)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def losses(out):
    lines = map(json.loads, (out / "log.jsonl").read_text().splitlines())
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


def made(out):
    return [json.loads(line) for line in (out / MADE / "record.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory):
    """An uninterrupted run, and the most pairs that ever lay on its disk."""
    out = tmp_path_factory.mktemp("whole") / "run"
    running, most = process(folder / "cal.json", out), 0
    while running.poll() is None:
        most = max(most, len(list((out / MADE).glob("pair-*"))))
        time.sleep(0.01)
    told, words = running.communicate()
    assert running.returncode == 0, words
    return out, most, told + words


@pytest.mark.slow
def test_a_run_by_a_plan_makes_what_it_needs_in_a_bounded_cache(whole):
    out, most, words = whole
    assert sorted(losses(out)) == list(range(1, 13))
    pairs = made(out)
    assert sorted(pair["pair"] for pair in pairs) == list(range(9))
    assert {pair["mask"] for pair in pairs} == {"plan/m0.seg.nrrd", "plan/m1.seg.nrrd"}
    assert 4 <= most <= MOST
    assert not list((out / MADE).glob(".*"))
    assert "9 pairs made on the fly" in words
    assert "confidence of 9 synthetic pairs: confidence.nii.gz (standard deviation through the error function) for 9" in words
    assert json.loads((out / "data.json").read_text())["stages"][0]["pairs"] == 9


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_killed_run_sees_the_same_crops_and_its_worker_leaves_too(folder, whole, tmp_path):
    out = tmp_path / "run"
    running, deadline = process(folder / "cal.json", out), time.monotonic() + 300
    while time.monotonic() < deadline and not ((out / "log.jsonl").exists() and len(losses(out)) >= 5):
        assert running.poll() is None, running.communicate()
        time.sleep(0.005)
    (worker,) = psutil.Process(running.pid).children()
    running.send_signal(signal.SIGKILL)
    running.communicate()
    psutil.wait_procs([worker], timeout=120)
    assert not worker.is_running()
    again = process(folder / "cal.json", out, "--resume")
    _, words = again.communicate(timeout=400)
    assert again.returncode == 0, words
    assert losses(out) == losses(whole[0])
    ours, theirs = (read_tensors(place / "last.safetensors").tensors for place in (out, whole[0]))
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, rtol=0, atol=0)


@pytest.mark.slow
def test_a_worker_that_dies_is_named_with_exit_code_1_and_resume_goes_on(folder, whole, tmp_path):
    out = tmp_path / "run"
    running, deadline = process(folder / "cal.json", out), time.monotonic() + 300
    while time.monotonic() < deadline and not (children := psutil.Process(running.pid).children()):
        time.sleep(0.01)
    children[0].kill()
    _, words = running.communicate(timeout=200)
    assert running.returncode == 1
    (line,) = [line for line in words.splitlines() if line.startswith("structdiff:")]
    assert "making synthetic pair 0: the process that makes them died with exit code -9" in line
    again = process(folder / "cal.json", out, "--resume")
    _, words = again.communicate(timeout=400)
    assert again.returncode == 0, words
    assert losses(out) == losses(whole[0])


def test_pairs_made_for_other_labels_are_cleared_unless_a_checkpoint_is_there_to_object(folder, tmp_path):
    settings = PretrainSettings.read(folder / "cal.json")
    place = tmp_path / MADE

    def begin(settings, begun=False):
        made_pairs(listed(settings, folder), settings, folder, tmp_path, "cpu", begun)
        return (place / "pair-000000").is_dir()

    begin(settings)
    (place / "pair-000000").mkdir()
    PairRecord(place).append(0, {"bytes": 7})
    assert begin(settings)
    others = replace(settings, labels=(1, 3))
    assert begin(others, begun=True)
    assert not begin(others)
    assert PairRecord(place).read() == {}


@pytest.mark.slow
def test_two_processes_learn_from_the_pairs_that_the_first_has_made(folder, run, tmp_path):
    """Both wait for them; losses and pairs are those of one process."""
    stage = {"sources": ["plan.yaml"], "steps": 3, "learning_rate": 1e-3}
    one, two = (write_config(folder, f"{count}.json", synthetic=stage, processes=count) for count in (1, 2))
    running = process(two, tmp_path / "two")
    told, words = running.communicate(timeout=500)
    assert running.returncode == 0, words
    assert told.count("SHA-256") == 1
    code, _, words = run(command(one, tmp_path / "one"))
    assert code == 0, words
    assert sorted(losses(tmp_path / "two")) == [1, 2, 3]
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-4)
    pairs = [{(pair["pair"], pair["digest"]) for pair in made(tmp_path / name)} for name in ("one", "two")]
    assert pairs[0] == pairs[1]


@pytest.mark.slow
def test_a_plan_that_cannot_be_made_stops_with_the_workers_own_line(folder, scene, run, tmp_path):
    place = tmp_path / "scene"
    shutil.copytree(folder, place)
    (place / "masks/m0.seg.nrrd").write_bytes(b"NRRD no more")
    shutil.copy(place / "masks/m0.seg.nrrd", place / "masks/m1.seg.nrrd")
    code, _, words = run(command(place / "cal.json", tmp_path / "run"))
    (line,) = [line for line in words.splitlines() if line.startswith("structdiff:")]
    assert code == 2
    assert "making synthetic pair" in line
    assert "m0.seg.nrrd" in line or "m1.seg.nrrd" in line
    assert not list((tmp_path / "run").glob("*.safetensors"))
    assert not [path for path in (tmp_path / "run" / MADE).iterdir() if path.is_dir()]


def test_a_full_disk_stops_the_worker_with_one_line_and_leaves_nothing(folder, tmp_path, monkeypatch):
    real = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: real._replace(free=1000))
    settings = json.loads((folder / "cal.json").read_text())
    inputs = {"base": str(folder), "plans": [str(folder / "plan.yaml")]}
    told = io.StringIO()
    assert pair_worker.serve(Job("pairs", inputs, settings, str(tmp_path), device="cpu"), io.StringIO("0\n"), told) == 1
    last = json.loads(told.getvalue().splitlines()[-1])
    assert (last["event"], last["category"]) == ("failed", "bad_input")
    assert "MiB free, the results need about" in last["message"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"references": ["masks/m0.seg.nrrd"]}, "names both masks and references"),
        ({"masks": ["nowhere"]}, "the plan's mask nowhere is not there"),
        ({"masks": ["empty"]}, "the plan's folder empty holds no masks"),
        ({"repair": True}, "gives repair as True"),
        ({"settings": {"stepz": 3}}, "unknown settings.*stepz"),
        ({"template": []}, "unknown entries.*template"),
    ],
)
def test_spoiled_plans_are_refused_before_anything_is_made(folder, scene, run, tmp_path, change, fact):
    import re

    place = tmp_path / "scene"
    shutil.copytree(folder, place)
    (place / "empty").mkdir()
    write_plan(place, scene, **change)
    code, _, words = run(command(place / "cal.json", tmp_path / "run"))
    assert code == 2
    assert re.search(fact, words), words
    assert not list(tmp_path.glob("run/made/*"))


def test_a_template_that_is_held_out_is_refused(folder, scene, run, tmp_path):
    place = tmp_path / "scene"
    shutil.copytree(folder, place)
    entry = {"image": str(scene.image), "label": str(scene.labels), "patient": "p"}
    (place / "held.json").write_text(json.dumps({"validation": [entry]}))
    write_config(place, validation=["held.json"])
    code, _, words = run(command(place / "cal.json", tmp_path / "run"))
    assert code == 2
    assert "the validation case ct is a template of the plan" in words


@pytest.mark.slow
def test_a_cache_that_cannot_hold_three_pairs_is_refused(folder, run, tmp_path):
    config = write_config(folder, "small.json", cache={"pairs": 4, "gigabytes": 0.0001, "uses": 4})
    code, _, words = run(command(config, tmp_path / "run"))
    assert code == 2
    assert "the cache may hold 0.0001 GB, less than 3 pairs" in words


def open_ventricle():
    """The scene's ventricle alone, with the opening in its wall that every chamber has."""
    grid = Geometry((52, 48, 50), (1.0, 1.0, 1.0), (-22.0, -32.0, 0.0))
    labels = body(grid)
    labels[labels == 6] = 0
    i, j, k = np.meshgrid(*map(np.arange, grid.shape), indexing="ij")
    labels[(np.hypot(i - 25.5, j - 23.5) < 5) & (k > 24) & (labels == 1)] = 3
    return LabelMap(labels, grid, CARDIAC)


@pytest.mark.slow
def test_references_give_a_new_mask_for_every_pair_and_a_number_always_the_same_pair(folder, scene, tmp_path):
    write_label_map(open_ventricle(), tmp_path / "ventricle.seg.nrrd")
    quick = {"model": str(scene.weights), "steps": 1, "sampler": "ddim", "ssv": "off"}
    write_plan(tmp_path, scene, masks=None, references=["ventricle.seg.nrrd"], settings=quick)
    settings = {**json.loads((folder / "cal.json").read_text()), "confidence": {"kind": "none"}}
    inputs = {"base": str(tmp_path), "plans": [str(tmp_path / "plan.yaml")]}
    for name, wanted in (("first", "0\n1\n"), ("again", "1\n")):
        (tmp_path / name).mkdir()
        told = io.StringIO()
        job = Job("pairs", inputs, settings, str(tmp_path / name), device="cpu")
        assert pair_worker.serve(job, io.StringIO(wanted), told) == 0, told.getvalue()

    def classes(place, number):
        return np.load(tmp_path / place / f"pair-00000{number}/classes.npy")

    np.testing.assert_array_equal(classes("first", 1), classes("again", 1))
    images = [np.load(tmp_path / place / "pair-000001/image.npy") for place in ("first", "again")]
    np.testing.assert_array_equal(*images)
    assert not np.array_equal(classes("first", 0), classes("first", 1))
    assert not list((tmp_path / "first").glob(".*"))
