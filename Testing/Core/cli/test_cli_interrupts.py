"""Ctrl-C, the cancel file, a kill and a full disk: exit codes, and nothing half-written."""

import errno
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from StructDiffCore.cli.main import main


def _as_from_a_terminal() -> None:
    """Shells start background jobs with Ctrl-C ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def start(scene, tmp_path):
    """Start a long synthesis in a child process; returns it once its first network calls are done."""
    children = []

    def _start(out, calls=1, **settings):
        job = {
            "verb": "synthesize",
            "inputs": {"mask": str(scene.mask), "template_image": str(scene.image), "template_mask": str(scene.labels)},
            "settings": {"model": str(scene.weights), "steps": 400, "samples": 2, **settings},
            "out": str(out),
        }
        path = tmp_path / "long.json"
        path.write_text(json.dumps(job))
        command = [sys.executable, "-m", "StructDiffCore.cli", "work", str(path)]
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=_as_from_a_terminal
        )
        children.append(child)
        for line in child.stdout:
            event = json.loads(line)
            assert event["event"] != "failed", event
            if event.get("stage") == "synthesising" and event["done"] >= calls:
                return child
        raise AssertionError(child.stderr.read())

    yield _start
    for child in children:
        child.kill()
        child.communicate()


def names_in(path):
    return sorted(entry.name for entry in path.iterdir()) if path.exists() else None


def last_event(child):
    out, err = child.communicate(timeout=60)
    return json.loads(out.splitlines()[-1]), err


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("polite", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_a_polite_kill_stop_with_exit_3_and_leave_nothing(start, tmp_path, polite):
    child = start(tmp_path / "out")
    child.send_signal(polite)
    told, err = last_event(child)
    assert child.returncode == 3
    assert (told["event"], told["category"]) == ("failed", "cancelled")
    assert len(err.splitlines()) == 1
    assert names_in(tmp_path / "out") is None


def test_the_cancel_file_stops_between_two_network_calls(start, tmp_path):
    child = start(tmp_path / "out")
    (tmp_path / "out" / "cancel").touch()
    began = time.monotonic()
    told, _ = last_event(child)
    assert child.returncode == 3
    assert (told["event"], told["category"]) == ("failed", "cancelled")
    assert time.monotonic() - began < 30
    assert names_in(tmp_path / "out") == ["cancel"]


def test_the_cancel_file_stops_among_the_skipped_paths_too(start, tmp_path):
    child = start(tmp_path / "out", calls=6, steps=5, ssv="full", ssv_paths=50)
    (tmp_path / "out" / "cancel").touch()
    told, _ = last_event(child)
    assert (child.returncode, told["category"]) == (3, "cancelled")
    assert names_in(tmp_path / "out") == ["cancel"]


def test_a_cancel_file_that_is_there_before_the_start_cancels_at_once(scene, tmp_path, run):
    (tmp_path / "cancel").touch()
    code, _, err = run(scene.command(tmp_path))
    assert code == 3
    assert "cancel" in err
    assert names_in(tmp_path) == ["cancel"]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_run_killed_while_it_writes_leaves_no_result(start, tmp_path):
    out = tmp_path / "out"
    child = start(out, calls=3, steps=3)
    for _ in range(2000):
        if any(name.startswith(".sample") for name in names_in(out)):
            break
        time.sleep(0.005)
    child.kill()
    child.communicate()
    assert [name for name in names_in(out) if not name.startswith(".")] == []
    assert any(name.startswith(".sample") for name in names_in(out))


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_two_runs_at_once_never_share_a_folder(start, scene, tmp_path, run):
    start(tmp_path / "out")
    code, _, err = run(scene.command(tmp_path / "out"))
    assert code == 2
    assert "is writing into" in err


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_killed_run_leaves_no_result_and_the_next_run_cleans_up(start, scene, tmp_path, run):
    out = tmp_path / "out"
    child = start(out)
    child.kill()
    child.communicate()
    assert [name for name in names_in(out) if not name.startswith(".")] == []
    code, _, err = run(scene.command(out))
    assert code == 0, err
    assert names_in(out) == ["sample-000"]


def spoil(name, monkeypatch):
    """Let the n-th kind of writing meet a full disk."""

    def full(*given, **named):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(name, full)


@pytest.mark.parametrize(
    "writing",
    [
        "StructDiffCore.pipelines.sample_files.write_volume",
        "StructDiffCore.pipelines.sample_files.write_label_map",
        "StructDiffCore.pipelines.sample_files.write_float_volume",
        "StructDiffCore.pipelines.sample_files.save_planes",
        "StructDiffCore.pipelines.sample_files.write_text",
        "StructDiffCore.pipelines.result_folder.os.replace",
        "StructDiffCore.io.atomic._flush",
    ],
)
def test_a_full_disk_is_one_line_and_leaves_nothing(scene, tmp_path, run, monkeypatch, writing):
    spoil(writing, monkeypatch)
    code, _, err = run([*scene.command(tmp_path / "out"), "--steps", "3"])
    assert code in (1, 2)
    assert len(err.splitlines()) == 1
    assert "No space left on device" in err or "the disk is full" in err
    assert names_in(tmp_path / "out") is None


def test_a_really_full_disk_leaves_nothing(scene, tmp_path, run):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting a small disk is not permitted here")
    try:
        code = main(scene.command(disk / "out"))
        assert code == 2
        assert names_in(disk) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_running_out_of_memory_is_exit_4_and_leaves_nothing(scene, tmp_path, run, monkeypatch):
    def hungry(*given, **named):
        raise MemoryError

    monkeypatch.setattr("StructDiffCore.synthesis.synthesize.sample", hungry)
    code, _, err = run(scene.command(tmp_path / "out"))
    assert code == 4
    assert "out of memory" in err
    assert len(err.splitlines()) == 1
    assert names_in(tmp_path / "out") is None
