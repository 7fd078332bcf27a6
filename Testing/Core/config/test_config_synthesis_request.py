"""SynthesisRequest: what is asked for is checked before anything is read."""

import json

import pytest

from StructDiffCore.config.messages import Job
from StructDiffCore.config.presets import SAMPLERS
from StructDiffCore.config.synthesis_request import SynthesisRequest
from StructDiffCore.domain import StructDiffError

INPUTS = {"mask": "mask.nii.gz", "template_image": "ct.nii.gz", "template_mask": "labels.nii.gz"}


def request(seed=0, device="auto", inputs=INPUTS, **settings):
    return SynthesisRequest.from_job(Job("synthesize", inputs, settings, "out", seed, device))


def test_an_empty_job_takes_the_presets():
    asked = request()
    assert (asked.samples, asked.generator.settings.steps) == (1, SAMPLERS["dpm_solver_pp_2m"].steps)
    assert asked.correspondence == {}
    assert not asked.generator.settings.template_detail


def test_the_templates_detail_is_carried_over_where_it_is_asked_for():
    assert request(template_detail=True).generator.settings.template_detail


@pytest.mark.parametrize(
    ("settings", "fact"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"steps": -3}, "steps is -3"),
        ({"steps": 2.5}, "steps is 2.5, expected a whole number"),
        ({"steps": True}, "steps is True"),
        ({"temperature": "cold"}, "temperature is 'cold', expected a number"),
        ({"temperature": 1.5}, "temperature is 1.5, expected 0 to 1"),
        ({"template_detail": 1}, "template_detail is 1, expected true or false"),
        ({"samples": 0}, "samples is 0"),
        ({"samples": 10**6}, "samples is 1000000"),
        ({"sampler": "magic"}, "unknown sampler 'magic'"),
        ({"tile": 50}, "multiple of 8"),
        ({"tile": 0}, "tile is 0"),
        ({"tile": "big"}, "tile is 'big'"),
        ({"overlap": 100}, "overlap is 100"),
        ({"precision": "int1"}, "unknown precision 'int1'"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**63}, "seed is"),
        ({"device": "tpu"}, "unknown device 'tpu'"),
        ({"colour": "red"}, "unknown settings"),
        ({"correspondence": ["9"]}, "not made of pairs"),
        ({"correspondence": ["a=b"]}, "not made of pairs"),
        ({"correspondence": ["missing.json"]}, "not a readable JSON file"),
        ({"inputs": {**INPUTS, "mask": ""}}, "names no mask"),
    ],
)
def test_what_cannot_be_done_is_refused(settings, fact):
    with pytest.raises(StructDiffError, match=fact) as refused:
        request(**settings)
    assert refused.value.exit_code == 2
    assert refused.value.remedy


@pytest.mark.parametrize("given", [["9=3", "10=2"], {"9": 3, "10": 2}, {9: 3, 10: 2}])
def test_a_correspondence_may_be_written_in_three_ways(given):
    assert request(correspondence=given).correspondence == {9: 3, 10: 2}


def test_a_correspondence_may_lie_in_a_file(tmp_path):
    (tmp_path / "labels.json").write_text(json.dumps({"9": 3}))
    assert request(correspondence=[str(tmp_path / "labels.json")]).correspondence == {9: 3}
