"""Bad input, end to end: one line, exit code 2, nothing written."""

import re
from pathlib import Path

import numpy as np
import pytest
from cli_scene import GRID, body
from spoiled_inputs import SPOILED

from StructDiffCore.domain import LabelMap, LabelScheme
from StructDiffCore.io.files import write_label_map


def refused(told, fact):
    """One line that begins with the command's name and holds the fact and a remedy."""
    code, out, err = told
    assert code == 2, err
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("structdiff: ")
    assert re.search(fact, err), err
    assert "; " in err, "the line names a remedy"
    assert "Traceback" not in err


@pytest.mark.parametrize(("spoil", "fact"), SPOILED, ids=[spoil.__name__ for spoil, _ in SPOILED])
def test_spoiled_input_is_refused_in_one_line_and_nothing_is_written(scene, tmp_path, run, spoil, fact):
    out = tmp_path / "out"
    refused(run(scene.command(out, **spoil(scene, tmp_path))), fact)
    assert not out.exists()


@pytest.mark.parametrize(
    ("more", "fact"),
    [
        (["--steps", "0"], "steps is 0"),
        (["--steps", "-1"], "steps is -1"),
        (["--steps", "many"], "--steps"),
        (["--samples", "0"], "samples is 0"),
        (["--samples", "-2"], "samples is -2"),
        (["--device", "tpu"], "unknown device 'tpu'"),
        (["--device", "cuda:99"], "device 'cuda:99' is not there"),
        (["--sampler", "magic"], "--sampler"),
        (["--preset", "fast"], "--preset"),
        (["--ssv", "guess"], "--ssv"),
        (["--tile", "50"], "tile is 50"),
        (["--seed", "-1"], "seed is -1"),
        (["--scheme", "hepatic"], "no label scheme 'hepatic'"),
        (["--correspondence", "9"], "not made of pairs"),
        (["--correspondence", "9=3"], "the mask has no label 9"),
        (["--correspondence", "3=9"], "the template's mask has no label 9"),
        (["--colour", "red"], "--colour"),
    ],
)
def test_a_bad_option_is_refused_in_one_line_and_nothing_is_written(scene, tmp_path, run, more, fact):
    refused(run([*scene.command(tmp_path / "out"), *more]), fact)
    assert not (tmp_path / "out").exists()


def test_labels_outside_the_scheme_are_refused(scene, tmp_path, run):
    labels = np.where(body(GRID) == 3, 42, body(GRID))
    write_label_map(LabelMap(labels, GRID, LabelScheme.from_values([1, 6, 42])), tmp_path / "mask.nii.gz")
    told = run([*scene.command(tmp_path / "out", mask=tmp_path / "mask.nii.gz"), "--scheme", "cardiac"])
    refused(told, r"labels \[42\] that the scheme 'cardiac' does not know")
    assert not (tmp_path / "out").exists()


def test_a_volume_that_cannot_fit_is_refused_before_the_work(scene, tmp_path, run, monkeypatch):
    monkeypatch.setattr("StructDiffCore.synthesis.ladder.available_bytes", lambda: 10 * 2**20)
    refused(run(scene.command(tmp_path / "out")), "needs about .* GiB of memory")
    assert not (tmp_path / "out").exists()


def test_a_disk_without_room_is_refused_before_the_work(scene, tmp_path, run, monkeypatch):
    usage = replace_free(1000)
    monkeypatch.setattr("StructDiffCore.pipelines.result_folder.shutil.disk_usage", usage)
    refused(run(scene.command(tmp_path / "out")), "MiB free")
    assert not (tmp_path / "out").exists()


def replace_free(free):
    import shutil

    real = shutil.disk_usage
    return lambda path: real(path)._replace(free=free)


def test_a_filled_output_folder_is_refused_and_untouched(scene, tmp_path, run):
    (tmp_path / "thesis.txt").write_text("years of work")
    refused(run(scene.command(tmp_path)), "holds thesis.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_output_folder_that_is_a_file_is_refused(scene, tmp_path, run):
    (tmp_path / "out").write_text("a file")
    refused(run(scene.command(tmp_path / "out")), "is a file")
    assert (tmp_path / "out").read_text() == "a file"


def test_an_output_folder_that_cannot_be_made_is_refused(scene, run):
    refused(run(scene.command("/proc/structdiff/out")), "/proc")
    assert not Path("/proc/structdiff").exists()


def test_shipped_weights_that_were_changed_are_refused(scene, tmp_path, run, monkeypatch):
    (tmp_path / "Models").mkdir()
    (tmp_path / "Models" / "structdiff-cardiac.safetensors").write_bytes(scene.weights.read_bytes())
    (tmp_path / "Models" / "structdiff-cardiac.json").write_text('{"sha256": "00"}')
    monkeypatch.setattr("StructDiffCore.pipelines.models.resources_folder", lambda: tmp_path)
    refused(run(scene.command(tmp_path / "out", model="structdiff-cardiac")), "SHA-256")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [["fly"], ["synthesize"], ["synthesize", "mask.nii.gz"], ["work"], ["train"], ["--colour"]])
def test_a_command_that_cannot_be_understood_is_refused_in_one_line(run, arguments):
    told = run(arguments)
    refused(told, "see structdiff")
    assert told[2].rstrip().endswith("--help")


@pytest.mark.parametrize("verb", ["train", "evaluate"])
@pytest.mark.parametrize(
    ("text", "fact"),
    [
        (None, "no settings file"),
        ("phases: [", "YAML"),
        ("- 1\n- 2\n", "settings"),
        ("colour: red\n", "colour"),
        ("\x00\x01", "YAML"),
    ],
)
def test_a_bad_settings_file_is_refused_in_one_line(tmp_path, run, verb, text, fact):
    config = tmp_path / "config.yaml"
    if text is not None:
        config.write_text(text)
    refused(run([verb, config, "--out", tmp_path / "out"]), fact)
    assert not (tmp_path / "out").exists()


def test_json_tells_a_refusal_as_a_document_too(scene, tmp_path, run):
    import json

    code, out, err = run([*scene.command(tmp_path / "out"), "--steps", "0", "--json"])
    told = json.loads(out)
    assert (code, told["event"], told["category"], told["exit_code"]) == (2, "failed", "bad_input", 2)
    assert len(err.splitlines()) == 1
