"""What a map is said to be worth is what was measured, and nothing is said where nothing was."""

import json

import pytest

from StructDiffCore.config.presets import PRESETS, SSV_METHODS
from StructDiffCore.config.resources import resources_folder
from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.synthesis.confidence_fit import SHIPPED_FITS, shipped_measure
from StructDiffCore.synthesis.confidence_worth import NOT_MEASURED, Finding, words_of
from StructDiffCore.synthesis.error_head import SHIPPED_HEAD, TrainedHead
from StructDiffCore.synthesis.measured_at import MeasuredAt

FITS = sorted((resources_folder() / "Models").glob(SHIPPED_FITS))


def shipped_weights():
    return TrainedHead.load(resources_folder() / "Models" / SHIPPED_HEAD).generator_sha256


def shipped(method, **settings):
    found = shipped_measure(MeasuredAt.of(shipped_weights(), SynthesisSettings(**settings)), method)
    return {} if found is None else {(finding.error, finding.region): finding for finding in found.findings}


def test_a_finding_says_what_of_what_where_and_beside_what():
    found = Finding("flips", "tube", "not informative", 0.5, "edge nearness", 0.777, 16)
    what, beside = "what a segmenter would misread within 3 voxels of coronaries", "(AUROC 0.50, edge nearness 0.78)"
    assert found.words == f"not informative for {what} {beside}"
    assert words_of([found]) == f"{found.words}; on 16 windows of digital hearts, never on patients"


def test_where_nothing_was_measured_nothing_is_claimed():
    assert words_of([]) == NOT_MEASURED
    assert "informative" not in NOT_MEASURED


@pytest.mark.parametrize("detail", [False, True])
@pytest.mark.parametrize("preset", PRESETS)
def test_the_default_map_is_measured_at_every_preset(preset, detail):
    found = shipped(PRESETS[preset].ssv, steps=PRESETS[preset].steps, template_detail=detail)
    assert found["gross", "all"].answer == "informative"
    assert found["flips", "all"].answer == "not informative"


def test_what_was_measured_with_the_templates_detail_is_its_own():
    assert shipped("head", template_detail=True)["gross", "all"] != shipped("head")["gross", "all"]


@pytest.mark.parametrize(
    "settings",
    [{"steps": 7}, {"temperature": 1.0}, {"sampler": "euler", "steps": 10}, {"steps": 7, "template_detail": True}],
)
def test_other_samples_were_not_measured(settings):
    assert shipped("head", **settings) == {}


@pytest.mark.parametrize("method", ["full", "trajectory"])
def test_ssv_as_published_is_called_what_it_was_measured_to_be(method):
    assert {finding.answer for finding in shipped(method).values()} == {"not informative"}


def test_the_command_line_says_of_the_head_and_of_ssv_what_the_shipped_findings_say():
    head = shipped("head")
    assert "as published: found not informative on digital hearts" in SSV_METHODS["full"]
    assert (
        "informative on digital hearts about errors above 50 HU, not about what a segmenter would misread" in SSV_METHODS["head"]
    )
    assert (head["gross", "all"].answer, head["flips", "all"].answer) == ("informative", "not informative")


@pytest.mark.parametrize("path", FITS, ids=lambda path: path.stem)
def test_every_shipped_file_was_made_with_the_shipped_weights_and_head(path):
    told, head = json.loads(path.read_text()), TrainedHead.load(resources_folder() / "Models" / SHIPPED_HEAD)
    assert told["head_sha256"] == head.sha256
    assert told["measured_at"]["weights_sha256"] == head.generator_sha256
    assert told["fits"].keys() == told["findings"].keys()
