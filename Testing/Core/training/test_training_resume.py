"""A run that is stopped and started again gives the losses of one that was never stopped."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from toy_hearts import fill_with_toys, toy_settings

from StructDiffCore.domain import StructDiffError
from StructDiffCore.systems.structdiff import StructDiff
from StructDiffCore.training import loop
from StructDiffCore.training.checkpoint import NAME, read_checkpoint
from StructDiffCore.training.export import export_weights
from StructDiffCore.training.run import LOG, main, run_training
from StructDiffCore.training.settings import TrainSettings


@pytest.fixture
def a_pool(tmp_path: Path) -> Path:
    return fill_with_toys(tmp_path / "hearts", toy_settings())


def _losses(settings: TrainSettings, out: Path, pool: Path, stop_after: int | None = None) -> list[float]:
    losses = []
    for progress in run_training(settings, out, pool, workers=0):
        if progress.step is not None:
            losses.append(progress.step.loss)
            if stop_after is not None and len(losses) == stop_after:
                break
    return losses


@pytest.mark.parametrize("stop_after", [1, 3, 5])
def test_a_stopped_run_continues_with_the_losses_of_a_whole_one(tmp_path: Path, a_pool: Path, stop_after: int) -> None:
    settings = toy_settings()
    whole = _losses(settings, tmp_path / "whole", a_pool)
    assert len(whole) == 6
    _losses(settings, tmp_path / "stopped", a_pool, stop_after)
    kept = stop_after - stop_after % settings.checkpoint_every
    assert _losses(settings, tmp_path / "stopped", a_pool) == whole[kept:]
    ours, _ = read_checkpoint(tmp_path / "stopped" / NAME)
    theirs, _ = read_checkpoint(tmp_path / "whole" / NAME)
    for name, tensor in theirs.tensors.items():
        if not name.startswith("random/"):
            torch.testing.assert_close(ours.tensors[name], tensor, rtol=0, atol=0)


@pytest.mark.slow
def test_a_killed_process_continues_with_the_losses_of_a_whole_one(tmp_path: Path) -> None:
    settings = toy_settings(40)
    pool = fill_with_toys(tmp_path / "hearts", settings)
    whole = _losses(settings, tmp_path / "whole", pool)
    config, out = tmp_path / "config.json", tmp_path / "killed"
    config.write_text(json.dumps(settings.as_dict()))
    command = [
        sys.executable,
        "-m",
        "StructDiffCore.training.run",
        "--config",
        str(config),
        "--out",
        str(out),
        "--pool",
        str(pool),
    ]
    command += ["--threads", str(torch.get_num_threads()), "--workers", "0"]
    _kill_after_steps(command, out / LOG, 7)
    before = _logged(out)
    assert 7 <= len(before) < 40
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    seen: dict[int, float] = {}
    for number, loss in _logged(out):
        assert seen.setdefault(number, loss) == loss
    assert [seen[number] for number in range(40)] == whole


def _kill_after_steps(command: list[str], log: Path, steps: int) -> None:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if log.exists() and len(log.read_text().splitlines()) >= steps:
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.01)
    assert process.wait(30) == -signal.SIGKILL


def _logged(out: Path) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (out / LOG).read_text().splitlines() if line.endswith("}")]
    return [(line["number"], line["loss"]) for line in lines]


def test_other_settings_cannot_continue_a_run(tmp_path: Path, a_pool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _losses(toy_settings(), tmp_path / "run", a_pool, 3)
    config = tmp_path / "other.json"
    config.write_text(json.dumps(toy_settings(learning_rate=1e-5).as_dict()))
    code = main(["--config", str(config), "--out", str(tmp_path / "run"), "--pool", str(a_pool), "--workers", "0"])
    assert code == 2
    complaint = capsys.readouterr().err
    assert "learning_rate" in complaint
    assert complaint.count("\n") == 1


def test_other_hearts_cannot_continue_a_run(tmp_path: Path, a_pool: Path) -> None:
    _losses(toy_settings(), tmp_path / "run", a_pool, 3)
    fill_with_toys(a_pool, toy_settings(), size=20)
    with pytest.raises(StructDiffError, match="other data"):
        _losses(toy_settings(), tmp_path / "run", a_pool)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_checkpoint(
    tmp_path: Path, a_pool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_loss = loop._loss

    def poisoned(*arguments: object) -> torch.Tensor:
        loss = true_loss(*arguments)  # type: ignore[arg-type]
        return loss * float("nan") if arguments[-1] == 3 else loss

    monkeypatch.setattr(loop, "_loss", poisoned)
    with pytest.raises(StructDiffError, match="at step 3"):
        _losses(toy_settings(), tmp_path / "run", a_pool)
    file, note = read_checkpoint(tmp_path / "run" / NAME)
    assert note["steps_done"] == 2
    assert all(torch.isfinite(tensor.float()).all() for tensor in file.tensors.values())


def test_a_full_disk_stops_the_run_and_keeps_the_checkpoint_before(
    tmp_path: Path, a_pool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, run = toy_settings(), tmp_path / "run"
    whole = _losses(settings, tmp_path / "whole", a_pool)
    true_sync, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        true_sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StructDiffError, match=r"No space left.*kept") as caught:
        _losses(settings, run, a_pool)
    assert caught.value.exit_code == 1
    assert [path.name for path in run.glob("last*")] == [NAME]
    monkeypatch.undo()
    assert _losses(settings, run, a_pool) == whole[2:]


def test_training_starts_from_given_weights_and_remembers_them(tmp_path: Path, a_pool: Path) -> None:
    settings = toy_settings()
    _losses(settings, tmp_path / "first", a_pool)
    digest = export_weights(tmp_path / "first", tmp_path / "first.safetensors")
    begun = list(run_training(settings, tmp_path / "second", a_pool, workers=0, initial=tmp_path / "first.safetensors"))
    fresh = _losses(settings, tmp_path / "third", a_pool)
    assert begun[-1].step is not None
    assert begun[-1].step.loss != fresh[-1]
    _, note = read_checkpoint(tmp_path / "second" / NAME)
    assert note["initial_sha256"] == digest
    assert _losses(settings, tmp_path / "second", a_pool) == []
    with pytest.raises(StructDiffError, match="other weights"):
        list(run_training(settings, tmp_path / "third", a_pool, workers=0, initial=tmp_path / "first.safetensors"))


def test_weights_of_another_form_are_no_start(tmp_path: Path, a_pool: Path) -> None:
    _losses(toy_settings(2), tmp_path / "first", a_pool)
    export_weights(tmp_path / "first", tmp_path / "first.safetensors")
    other = toy_settings(2, system=replace(toy_settings().system, residual_scale_hu=50.0))
    with pytest.raises(StructDiffError, match="was trained as"):
        list(run_training(other, tmp_path / "second", a_pool, workers=0, initial=tmp_path / "first.safetensors"))


def test_a_damaged_checkpoint_is_refused_in_one_line(tmp_path: Path, a_pool: Path) -> None:
    _losses(toy_settings(), tmp_path / "run", a_pool, 3)
    path = tmp_path / "run" / NAME
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StructDiffError, match="not a readable checkpoint"):
        _losses(toy_settings(), tmp_path / "run", a_pool)


def test_exported_weights_are_the_moving_average_with_a_card(tmp_path: Path, a_pool: Path) -> None:
    _losses(toy_settings(), tmp_path / "run", a_pool)
    digest = export_weights(tmp_path / "run", tmp_path / "w.safetensors")
    system = StructDiff.load_weights(tmp_path / "w.safetensors")
    assert json.loads((tmp_path / "w.json").read_text())["sha256"] == digest == system.sha256
    average, _ = read_checkpoint(tmp_path / "run" / NAME)
    for name, tensor in system.network.state_dict().items():
        torch.testing.assert_close(tensor, average.tensors[f"average/{name}"].half().float(), rtol=0, atol=0)


def test_training_runs_with_torch_numpy_scipy_and_numba_alone(tmp_path: Path, a_pool: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(toy_settings(2).as_dict()))
    absent = ["lightning_fabric", "SimpleITK", "monai", "safetensors", "yaml", "skimage", "networkx", "matplotlib", "rich"]
    script = (
        f"import sys; sys.modules.update(dict.fromkeys({absent})); from StructDiffCore.training.run import main; "
        f"sys.exit(main(['--config', r'{config}', '--out', r'{tmp_path / 'bare'}', '--pool', r'{a_pool}', '--workers', '0']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "bare" / NAME).exists()


@pytest.mark.slow
def test_the_loaders_process_ends_when_training_is_killed(tmp_path: Path) -> None:
    settings = toy_settings(400)
    pool = fill_with_toys(tmp_path / "hearts", settings)
    config, out = tmp_path / "config.json", tmp_path / "killed"
    config.write_text(json.dumps(settings.as_dict()))
    command = [
        sys.executable,
        "-m",
        "StructDiffCore.training.run",
        "--config",
        str(config),
        "--out",
        str(out),
        "--pool",
        str(pool),
    ]
    process = subprocess.Popen([*command, "--workers", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (out / LOG).exists() or not (out / LOG).read_text():
        time.sleep(0.1)
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    process.kill()
    process.wait(30)
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
