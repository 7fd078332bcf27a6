"""The job protocol: one JSON object per line, failures with category and exit code."""

import errno
import io
import json

import pytest

from StructDiffCore.cli.main import main
from StructDiffCore.config.messages import Job
from StructDiffCore.domain import EXIT_CODES, StructDiffError
from StructDiffCore.pipelines import doctor, verbs
from StructDiffCore.pipelines.failures import refusal_of


def work(tmp_path, capsys, content):
    path = tmp_path / "job.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    code = main(["work", str(path)])
    told = capsys.readouterr()
    return code, [json.loads(line) for line in told.out.splitlines()], told.err


def test_a_job_tells_started_progress_and_finished(tmp_path, capsys):
    code, events, err = work(tmp_path, capsys, {"verb": "doctor"})
    assert code == 0
    assert [event["event"] for event in events][0 :: len(events) - 1] == ["started", "finished"]
    assert {event["event"] for event in events[1:-1]} == {"progress"}
    assert {"stage", "done", "total", "eta_s"} <= set(events[1])
    assert err == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not a readable job file"),
        ("[]", "holds no job"),
        ({"verb": "fly"}, "unknown verb 'fly'"),
        ({"verb": "doctor", "colour": "red"}, "unknown fields"),
        ({"verb": "doctor", "inputs": []}, "gives inputs as []"),
        ({"verb": "doctor", "seed": "one"}, "gives seed as 'one'"),
        ({"verb": "doctor", "device": "tpu"}, "unknown device 'tpu'"),
        ({"verb": "synthesize", "inputs": {}, "out": "x"}, "names no mask"),
        ({"verb": "synthesize", "inputs": {"mask": "m"}, "settings": {"colour": 1}, "out": "x"}, "unknown settings"),
    ],
)
def test_a_bad_job_is_one_failed_event_and_exit_2(tmp_path, capsys, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    code, events, err = work(tmp_path, capsys, content)
    assert code == 2
    assert events[-1]["event"] == "failed"
    assert events[-1]["category"] in ("bad_input", "device")
    assert message in events[-1]["message"]
    assert events[-1]["remedy"]
    assert len(err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["job.json"]


def test_a_missing_job_file_is_refused(capsys):
    assert main(["work", "/nowhere/job.json"]) == 2
    assert "no job file at /nowhere/job.json" in capsys.readouterr().out


def test_libraries_that_print_do_not_break_the_protocol(tmp_path, capsys, monkeypatch):
    def chatty(job):
        print("a library says hello")
        return iter(())

    monkeypatch.setattr(doctor, "run", chatty)
    _, events, err = work(tmp_path, capsys, {"verb": "doctor"})
    assert [event["event"] for event in events] == ["started"]
    assert "a library says hello" in err


@pytest.mark.parametrize(
    ("error", "category"),
    [
        (StructDiffError("fact", "remedy", "device"), "device"),
        (MemoryError(), "out_of_memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "out_of_memory"),
        (ModuleNotFoundError("No module named 'monai'", name="monai"), "missing_dependency"),
        (PermissionError(errno.EACCES, "Permission denied", "/root/x"), "bad_input"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "x" * 300), "bad_input"),
        (OSError(errno.ENOSPC, "No space left on device", "/tmp/x"), "internal"),
        (ModuleNotFoundError("No module named 'StructDiffCore.x'", name="StructDiffCore.x"), "internal"),
        (ZeroDivisionError("division by zero"), "internal"),
    ],
)
def test_every_error_has_its_category(error, category):
    assert refusal_of(error).category == category


def test_cuda_out_of_memory_is_out_of_memory():
    import torch

    assert refusal_of(torch.cuda.OutOfMemoryError("CUDA out of memory")).exit_code == EXIT_CODES["out_of_memory"] == 4


def test_a_fault_of_ours_is_one_line_that_names_the_log(capsys, monkeypatch):
    def broken(job):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(doctor, "run", broken)
    assert main(["doctor"]) == 1
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    log = told.split("traceback lies in ")[1].split(";")[0]
    with open(log, encoding="utf-8") as text:
        assert "ZeroDivisionError" in text.read()


def test_debug_shows_the_traceback(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "run", lambda job: 1 // 0)
    assert main(["doctor", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_is_cancelled_with_exit_3(capsys, monkeypatch):
    def interrupted(job):
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "run", interrupted)
    assert main(["doctor", "--json"]) == 3
    told = capsys.readouterr()
    assert json.loads(told.out)["category"] == "cancelled"
    assert len(told.err.splitlines()) == 1


def test_a_reader_that_is_gone_ends_the_worker(tmp_path, monkeypatch):
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    path = tmp_path / "job.json"
    path.write_text('{"verb": "doctor"}')
    monkeypatch.setattr("sys.stdout", Closed())
    assert main(["work", str(path)]) == 1


def test_a_job_survives_its_json_form(tmp_path):
    job = Job("synthesize", {"mask": "größe.nii.gz"}, {"steps": 4}, "out", 7, "cpu")
    path = tmp_path / "job.json"
    path.write_text(job.as_json(), encoding="utf-8")
    assert Job.from_json(path) == job


def test_an_unknown_verb_is_refused():
    with pytest.raises(StructDiffError, match="unknown verb"):
        next(verbs.run(Job("fly")))
