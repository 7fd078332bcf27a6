"""The job that the panel sends and the command line that it copies are one and the same to the core."""

import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from StructDiffCore.cli.arguments import parse
from StructDiffCore.cli.jobs import job_of
from StructDiffCore.config.messages import Job
from StructDiffCore.config.synthesis_request import SynthesisRequest

INPUTS = {"mask": "/a b/mäsk.seg.nrrd", "template_image": "/t/ct.nrrd", "template_mask": "/t/m's.nrrd"}


def parameters(**changed):
    from StructDiffLib.parameters import Preset

    choices = {"readBack": False, "templateDetail": False, "preset": Preset.BEST, "samples": 3, "seed": 11, "device": "auto"}
    given = {"weightsFile": Path(), **choices}
    return SimpleNamespace(**{**given, **changed})


@pytest.mark.parametrize(
    ("changed", "scheme"),
    [
        ({}, None),
        ({"weightsFile": Path("/w/my own.safetensors"), "device": "cuda:1"}, None),
        ({"seed": 0, "readBack": True}, "cardiac"),
        ({"templateDetail": True}, None),
    ],
)
def test_the_copied_command_line_is_the_very_same_job(desktop, changed, scheme):
    from StructDiffLib.parameters import commandLineFrom, jobFrom

    inputs = {**INPUTS, **({"scheme": scheme} if scheme else {})}
    job = jobFrom(parameters(**changed), inputs, "/out/Müller x/result")
    words = shlex.split(commandLineFrom(job))
    assert words[0] == "structdiff"
    assert job_of(parse(words[1:])) == Job(**job)


def test_the_core_understands_the_job(desktop):
    from StructDiffLib.parameters import jobFrom

    request = SynthesisRequest.from_job(Job(**jobFrom(parameters(), INPUTS, "/out")))
    assert (request.samples, request.generator.seed) == (3, 11)


def test_every_preset_and_format_of_the_panel_is_one_of_the_core(desktop):
    from StructDiffLib.exporting import FORMATS
    from StructDiffLib.parameters import ExportFormat, Preset

    from StructDiffCore.config.presets import PRESETS

    assert [preset.value for preset in Preset] == list(PRESETS)
    assert {one.value for one in ExportFormat} == set(FORMATS)
    assert all(one.label() for one in (*Preset, *ExportFormat))


def test_the_copy_button_gives_a_command_whose_files_are_there(widget, ready, wait):
    from PySide6.QtGui import QGuiApplication

    widget.desk.panels["SynthesisPanel"].ui.copyCommandButton.click()
    wait(lambda: not widget.session.background.busy)
    assert widget.session.failure is None, widget.session.failure.report()
    arguments = parse(shlex.split(QGuiApplication.clipboard().text())[1:])
    assert all(Path(path).is_file() for path in (arguments.mask, *arguments.template))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_json_lines_come_whole_in_pieces_of_any_size(desktop, size):
    from StructDiffLib.jobs import JsonLines

    text = '{"event": "log", "message": "Größe"}\nnoise\n[1]\n{"event": "progress", "done": 1}\n{"event": "fin'.encode()
    lines, events = JsonLines(), []
    for start in range(0, len(text), size):
        events += lines.feed(text[start : start + size])
    assert [event["event"] for event in events] == ["log", "log", "log", "progress"]
    assert events[0]["message"] == "Größe"
    assert lines.end() == [{"event": "log", "message": '{"event": "fin'}]
