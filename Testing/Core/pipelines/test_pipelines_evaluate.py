"""An evaluation that was killed goes on: the same scores, and no answer given twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from StructDiffCore.config.messages import Job
from StructDiffCore.domain import StructDiffError
from StructDiffCore.pipelines.evaluate import JOURNAL, run

PRICES = ("seconds", "processor seconds", "peak GiB")
SETTINGS = "phantom_cases: 2\nheld_out_cases: 0\nreal_case: false\nvoxels: 40\nspacing_mm: 1.6\nrows: [truth, one call]\n"


def written(folder: Path, content: str = SETTINGS) -> Path:
    path = folder / "small.yaml"
    path.write_text(content)
    return path


def answers(folder: Path) -> list[dict]:
    lines = (folder / JOURNAL).read_text().splitlines()[1:]
    found = [json.loads(line) for line in lines if line.endswith("}")]
    for answer in found:
        for price in PRICES:
            answer["scores"].pop(price)
    return found


def evaluated(config: Path, out: Path) -> list[str]:
    """Words of every event."""
    return [event.as_line() for event in run(Job("evaluate", {"config": str(config)}, out=str(out)))]


def killed_after(count: int, config: Path, out: Path) -> None:
    """A real process, ended by SIGKILL once its journal holds that many answers."""
    command = [sys.executable, "-m", "StructDiffCore.cli", "evaluate", str(config), "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    deadline = time.monotonic() + 900
    while time.monotonic() < deadline and process.poll() is None:
        if (out / JOURNAL).exists() and len((out / JOURNAL).read_text().splitlines()) > count:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.01)
    assert process.wait(30) == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_killed_evaluation_goes_on_with_the_same_scores_and_repeats_nothing(tmp_path):
    config, whole, stopped = written(tmp_path), tmp_path / "whole", tmp_path / "stopped"
    evaluated(config, whole)
    killed_after(1, config, stopped)
    kept = (stopped / JOURNAL).read_text()
    assert not (stopped / "report").exists()
    told = evaluated(config, stopped)
    assert (stopped / JOURNAL).read_text().startswith(kept)
    assert json.dumps(answers(stopped)) == json.dumps(answers(whole))
    assert len({(a["case"], a["row"]) for a in answers(stopped)}) == len(answers(stopped)) == 4
    assert sum(" on training-" in words for words in told) == 4 - (len(kept.splitlines()) - 1)
    assert {p.name for p in (stopped / "report").iterdir()} >= {"report.json", "report.md", "acceptance.json", "acceptance.png"}


def test_a_journal_of_other_settings_is_refused_before_anything_is_computed(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / JOURNAL).write_text(json.dumps({"settings": {"seed": 1}}) + '\n{"case": "training-0"}\n')
    with pytest.raises(StructDiffError, match="other settings"):
        evaluated(written(tmp_path), out)


@pytest.mark.parametrize(
    "wrong", ['rows: ["weights:nowhere.safetensors"]\n', "model: nowhere.safetensors\n", "judge: nowhere.safetensors\n"]
)
def test_missing_weights_are_refused_before_anything_is_written(tmp_path, wrong):
    with pytest.raises(StructDiffError, match="no weights file at nowhere"):
        evaluated(written(tmp_path, wrong), tmp_path / "out")
    assert not (tmp_path / "out").exists()
