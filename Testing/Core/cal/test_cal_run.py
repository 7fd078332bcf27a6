"""A run on toy pairs: what it leaves, that it learns, and that a stopped one continues bit for bit."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_pairs import GRID, SCHEME, run, same_tensors, toy, write_config, write_sample, write_scene

from StructDiffCore.cal.log import LOG
from StructDiffCore.cal.run import CHECKPOINT, learning_rate_at
from StructDiffCore.cal.settings import PretrainSettings, StageSettings
from StructDiffCore.cli.main import main
from StructDiffCore.domain import Label, LabelMap, LabelScheme, StructDiffError
from StructDiffCore.io.files import read_label_map, write_label_map
from StructDiffCore.io.schemes import save_scheme
from StructDiffCore.measures.overlap import dice
from StructDiffCore.segmentation import fit
from StructDiffCore.segmentation.networks import NETWORKS
from StructDiffCore.segmentation.segmenter import Segmenter
from StructDiffCore.systems.tensor_file import read_tensors
from StructDiffCore.training.checkpoint import NAME


@pytest.fixture(scope="module")
def a_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("cal")).parent


def steps_in(log: Path) -> list[dict]:
    """The lines of steps; the others tell of a stage's pairs."""
    return [line for line in map(json.loads, log.read_text().splitlines()) if "loss" in line]


@pytest.fixture(scope="module")
def a_run(a_scene: Path) -> tuple[Path, list[float]]:
    return a_scene / "whole", run(a_scene / "cal.json", a_scene / "whole")


def test_a_run_leaves_its_three_weights_a_log_and_its_settings(a_scene: Path, a_run: tuple[Path, list[float]]) -> None:
    out, losses = a_run
    assert len(losses) == 10
    lines = steps_in(out / LOG)
    assert [line["step"] for line in lines] == list(range(1, 11))
    assert [line["stage"] for line in lines] == ["pre-training"] * 6 + ["fine-tuning"] * 4
    assert [line["rho"] for line in lines] == [0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    assert [line["step"] for line in lines if "dice" in line] == [8, 10]
    for name in ("pretrained", "best", "last"):
        segmenter = Segmenter.load_weights(out / f"{name}.safetensors")
        assert [(label.value, label.name, label.thin) for label in segmenter.scheme.labels] == [
            (2, "block", False),
            (5, "rod", True),
        ]
    best = json.loads((out / "best.json").read_text())
    assert best["validation"]["mean"] == max(line.get("dice", 0) for line in lines)
    assert PretrainSettings.from_dict(json.loads((out / "settings.json").read_text())).crop == 16


@pytest.mark.parametrize("stop_after", [2, 6, 8])
def test_a_stopped_run_continues_bit_for_bit(
    a_scene: Path, a_run: tuple[Path, list[float]], tmp_path: Path, stop_after: int
) -> None:
    whole, losses = a_run
    before = run(a_scene / "cal.json", tmp_path / "run", stop_after)
    assert before + run(a_scene / "cal.json", tmp_path / "run") == losses
    same_tensors(tmp_path / "run" / CHECKPOINT / NAME, whole / CHECKPOINT / NAME)
    for name in ("pretrained", "best", "last"):
        same_tensors(tmp_path / "run" / f"{name}.safetensors", whole / f"{name}.safetensors")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_killed_process_continues_bit_for_bit(tmp_path: Path) -> None:
    config = write_scene(tmp_path)
    changes = {"synthetic": {"sources": ["samples"], "steps": 30}, "real": {"sources": ["real.json"], "steps": 10}}
    write_config(tmp_path, **changes)
    whole = run(config, tmp_path / "whole")
    command = [
        sys.executable,
        "-m",
        "StructDiffCore.cli",
        "pretrain",
        str(config),
        "--device",
        "cpu",
        "--out",
        str(tmp_path / "run"),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    log, deadline = tmp_path / "run" / LOG, time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if log.exists() and len(log.read_text().splitlines()) >= 8:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.005)
    assert process.wait(30) == -signal.SIGKILL
    subprocess.run([*command, "--resume"], check=True, capture_output=True, env=environment)
    seen = {line["step"]: line["loss"] for line in steps_in(log)}
    assert [seen[step] for step in range(1, 41)] == whole
    same_tensors(tmp_path / "run/last.safetensors", tmp_path / "whole/last.safetensors")


@pytest.mark.slow
def test_two_processes_give_the_gradients_of_one_with_the_whole_batch(tmp_path: Path) -> None:
    write_scene(tmp_path)
    one_step = {"synthetic": {"sources": ["samples"], "steps": 1}, "real": {}, "validation": [], "folds": 0, "batch": 4}
    one, two = write_config(tmp_path, "one.json", **one_step), write_config(tmp_path, "two.json", **one_step, processes=2)
    (loss,) = run(one, tmp_path / "one")
    command = ["pretrain", str(two), "--device", "cpu", "--out", str(tmp_path / "two")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "StructDiffCore.cli", *command]
    told = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert told.returncode == 0, told.stderr
    assert told.stdout.count("SHA-256") == 1
    (line,) = steps_in(tmp_path / "two" / LOG)
    assert line["loss"] == pytest.approx(loss, rel=1e-6)
    ours, theirs = (read_tensors(tmp_path / name / CHECKPOINT / NAME).tensors for name in ("two", "one"))
    gradients = [name for name in theirs if name.startswith("optimizer/") and name.endswith("exp_avg")]
    assert len(gradients) == len(list(NETWORKS["UNet"](3).parameters()))
    for name in gradients:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-7)


def test_the_cancel_file_stops_with_exit_3_and_resume_goes_on(
    a_scene: Path, a_run: tuple[Path, list[float]], tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/cancel").touch()
    command = ["pretrain", str(a_scene / "cal.json"), "--device", "cpu", "--out", str(tmp_path / "run")]
    assert main(command) == 3
    (tmp_path / "run/cancel").unlink()
    assert main([*command, "--resume"]) == 0
    same_tensors(tmp_path / "run/last.safetensors", a_run[0] / "last.safetensors")


def swapped() -> LabelScheme:
    """The toy's labels, each with the other's meaning."""
    block, rod = SCHEME.labels
    return LabelScheme("toy", (replace(rod, value=block.value), replace(block, value=rod.value)))


def widened() -> LabelScheme:
    """A third label, which no pair shows."""
    return LabelScheme("toy", (*SCHEME.labels, Label(7, "plate")))


@pytest.mark.parametrize("other", [swapped(), widened()], ids=["swapped", "widened"])
def test_a_scheme_that_says_something_else_under_its_name_cannot_continue_a_run(tmp_path: Path, other, capsys) -> None:
    write_scene(tmp_path)
    config = write_config(tmp_path, absent="allow")
    run(config, tmp_path / "run", 2)
    weights = (tmp_path / "run" / CHECKPOINT / NAME).read_bytes()
    before = {path.name for path in (tmp_path / "run/prepared").iterdir()}
    save_scheme(other, tmp_path / "scheme.json")
    assert main(["pretrain", str(config), "--device", "cpu", "--out", str(tmp_path / "run"), "--resume"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "belongs to a run with other settings (scheme)" in line
    assert (tmp_path / "run" / CHECKPOINT / NAME).read_bytes() == weights
    assert before.isdisjoint(path.name for path in (tmp_path / "run/prepared").iterdir())


def test_a_folder_with_a_run_is_refused_unless_resumed(a_scene: Path, a_run: tuple[Path, list[float]], capsys) -> None:
    assert main(["pretrain", str(a_scene / "cal.json"), "--device", "cpu", "--out", str(a_run[0])]) == 2
    assert "holds a run already; add --resume" in capsys.readouterr().err


def test_other_settings_or_other_data_cannot_continue_a_run(a_scene: Path, tmp_path: Path) -> None:
    run(a_scene / "cal.json", tmp_path / "run", 2)
    write_config(a_scene, "other.json", thin_weight=2.0)
    with pytest.raises(StructDiffError, match="thin_weight"):
        run(a_scene / "other.json", tmp_path / "run")
    write_scene(tmp_path)
    write_sample(tmp_path / "samples/sample-003", 77)
    with pytest.raises(StructDiffError, match="trained on other data"):
        run(tmp_path / "cal.json", tmp_path / "run")


@pytest.mark.slow
def test_it_learns_the_toy_and_predict_finds_it_in_an_unseen_scan(tmp_path: Path, capsys) -> None:
    write_scene(tmp_path)
    stage = {"sources": ["real.json"], "steps": 40, "learning_rate": 3e-3}
    write_config(tmp_path, synthetic={}, real=stage, validate_every=20, cldice_weight=0.0, crop=32, batch=1, ema_decay=0.9)
    assert main(["pretrain", str(tmp_path / "cal.json"), "--device", "cpu", "--out", str(tmp_path / "run")]) == 0
    assert json.loads((tmp_path / "run/best.json").read_text())["validation"]["labels"]["block"] > 0.7
    image = tmp_path / "samples/sample-001/image.nii.gz"
    model = tmp_path / "run/best.safetensors"
    capsys.readouterr()
    command = ["predict", str(image), "--model", str(model), "--device", "cpu", "--out", str(tmp_path / "masks"), "--json"]
    assert main(command) == 0
    told = json.loads(capsys.readouterr().out)
    mask = read_label_map(told["masks"][0])
    assert mask.geometry.same_as(GRID)
    block = mask.voxels == mask.scheme.named("block").value
    assert dice(block, toy(1)[1] == 2) > 0.7
    manifest = json.loads((tmp_path / "masks/manifest.json").read_text())
    assert manifest["weights"]["sha256"] == json.loads((tmp_path / "run/best.json").read_text())["sha256"]
    assert manifest["synthetic"] is False


@pytest.mark.slow
def test_where_labels_are_wrong_and_known_to_be_trust_finds_what_the_plain_loss_forgets(tmp_path: Path) -> None:
    write_scene(tmp_path)
    shutil.rmtree(tmp_path / "samples")
    for number in range(8):
        labels, folder = toy(number)[1], tmp_path / f"samples/sample-{number:03d}"
        lost = (labels == 2) & (number % 4 != 0)
        write_sample(folder, number, np.where(lost, 1e6, 0.0).astype(np.float32))
        write_label_map(LabelMap(np.where(lost, 0, labels), GRID, SCHEME), folder / "mask.nii.gz")
    stage = {"sources": ["samples"], "steps": 120, "learning_rate": 3e-3}
    found = {}
    for use in (True, False):
        changes = {"synthetic": stage, "real": {}, "confidence": {"use": use}, "cldice_weight": 0.0, "ema_decay": 0.9}
        config = write_config(tmp_path, crop=32, batch=1, validate_every=20, **changes)
        run(config, tmp_path / f"run-{use}")
        found[use] = json.loads((tmp_path / f"run-{use}/best.json").read_text())["validation"]["labels"]["block"]
    assert found[True] > found[False] + 0.15


def test_the_rate_warms_up_and_falls_to_a_hundredth() -> None:
    stage = StageSettings(("x",), 100, 1e-2)
    rates = [learning_rate_at(step, stage) for step in range(100)]
    assert rates[0] == pytest.approx(1e-3)
    assert max(rates) == rates[9] == pytest.approx(1e-2, rel=0.03)
    assert rates[-1] == pytest.approx(1e-4)


def test_a_loss_that_is_not_finite_stops_before_the_weights_change(a_scene: Path, tmp_path: Path, monkeypatch) -> None:
    true_check = fit._refuse_not_finite
    monkeypatch.setattr(
        fit, "_refuse_not_finite", lambda value, what, index: true_check(float("nan") if index == 4 else value, what, index)
    )
    with pytest.raises(StructDiffError, match="loss became nan at step 5"):
        run(a_scene / "cal.json", tmp_path / "run")
    file = read_tensors(tmp_path / "run" / CHECKPOINT / NAME)
    assert json.loads(file.metadata["checkpoint"])["steps_done"] == 3


def test_tensorboard_events_are_written_when_asked_for(a_scene: Path, tmp_path: Path) -> None:
    write_config(
        a_scene, "board.json", tensorboard=True, real={}, synthetic={"sources": ["samples"], "steps": 1}, validation=[], folds=0
    )
    run(a_scene / "board.json", tmp_path / "run")
    assert any((tmp_path / "run/tensorboard").glob("events*"))
