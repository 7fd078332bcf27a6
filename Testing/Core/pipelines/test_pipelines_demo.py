"""The demo's volume can be made again by hand: the command that it tells asks for the same."""

import shlex

import pytest

from StructDiffCore.cli.arguments import parse
from StructDiffCore.cli.jobs import job_of
from StructDiffCore.pipelines.demo import command_by_hand


@pytest.mark.parametrize(
    "options", [[], ["--template-detail", "--seed", "7"], ["--preset", "quick", "--ssv", "off", "--temperature", "0.5"]]
)
def test_the_command_by_hand_asks_for_what_the_demo_made(options, tmp_path):
    place = tmp_path / "my demo" / "sample-000"
    demo = job_of(parse(["demo", "--out", str(place.parent), *options]))
    words = shlex.split(command_by_hand(place, demo))
    assert words[0] == "structdiff"
    again = job_of(parse(words[1:]))
    assert again.verb == "synthesize"
    assert again.seed == demo.seed
    assert {name: again.settings[name] for name in demo.settings} == demo.settings
    assert again.inputs["mask"] == str(place / "mask.nii.gz")
