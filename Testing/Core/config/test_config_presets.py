"""Presets: one word stands for sampler, steps, samples and confidence; explicit options win."""

import pytest

from StructDiffCore.config.messages import Job
from StructDiffCore.config.presets import PRESETS, SAMPLERS, SSV_METHODS
from StructDiffCore.config.synthesis_request import SynthesisRequest, synthesis_settings
from StructDiffCore.domain import StructDiffError

INPUTS = {"mask": "mask.nii.gz", "template_image": "ct.nii.gz", "template_mask": "labels.nii.gz"}


def asked(**settings):
    request = SynthesisRequest.from_job(Job("synthesize", INPUTS, settings, "out"))
    return request.samples, request.generator.settings


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_what_its_row_says(name):
    samples, settings = asked(preset=name)
    row = PRESETS[name]
    assert (settings.sampler, settings.steps, samples, settings.ssv) == (row.sampler, row.steps, row.samples, row.ssv)


@pytest.mark.parametrize("name", PRESETS)
def test_every_row_names_what_is_there_and_says_what_it_is_for(name):
    row = PRESETS[name]
    assert row.sampler in SAMPLERS
    assert row.ssv in SSV_METHODS
    assert row.words


def test_without_a_preset_it_is_the_standard_one():
    assert asked() == asked(preset="standard")


@pytest.mark.parametrize(
    ("option", "value"), [("steps", 3), ("ssv", "off"), ("ssv", "full"), ("ssv_paths", 9), ("tile", 64), ("precision", "float32")]
)
@pytest.mark.parametrize("name", PRESETS)
def test_an_explicit_option_wins(name, option, value):
    assert getattr(asked(preset=name, **{option: value})[1], option) == value


def test_explicit_samples_win():
    assert asked(preset="best", samples=1)[0] == 1


def test_another_sampler_runs_with_its_own_steps():
    settings = synthesis_settings({"preset": "quick", "sampler": "ddpm"})
    assert (settings.sampler, settings.steps) == ("ddpm", SAMPLERS["ddpm"].steps)


@pytest.mark.parametrize(
    ("settings", "fact"),
    [
        ({"preset": "fast"}, "unknown preset 'fast'"),
        ({"ssv": "guess"}, "unknown confidence method 'guess'"),
        ({"ssv": "full", "ssv_paths": 1}, "ssv_paths is 1"),
        ({"ssv_paths": "many"}, "ssv_paths is 'many'"),
    ],
)
def test_what_no_table_knows_is_refused(settings, fact):
    with pytest.raises(StructDiffError, match=fact) as refused:
        asked(**settings)
    assert refused.value.exit_code == 2
    assert refused.value.remedy
