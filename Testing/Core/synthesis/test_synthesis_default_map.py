"""The default map: the shipped error head for the shipped weights, the trajectory's spread for any other."""

from types import SimpleNamespace

from StructDiffCore.config.presets import DEFAULT_SSV
from StructDiffCore.config.resources import resources_folder
from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.synthesis.error_head import SHIPPED_HEAD, TrainedHead, shipped_head
from StructDiffCore.synthesis.synthesize import with_a_known_map


def test_weights_without_a_head_get_the_trajectorys_map_and_a_word_about_it():
    heard = []
    chosen = with_a_known_map(SimpleNamespace(sha256="no such weights"), SynthesisSettings(ssv="head"), heard.append)
    assert chosen.ssv == "trajectory"
    assert "no error head was trained for these weights" in heard[0]


def test_other_methods_are_left_as_asked():
    asked = SynthesisSettings(ssv="full")
    assert with_a_known_map(SimpleNamespace(sha256=""), asked, lambda message: None) is asked


def test_the_shipped_head_is_taken_for_its_own_weights_and_the_default_asks_for_it():
    found = TrainedHead.load(resources_folder() / "Models" / SHIPPED_HEAD)
    chosen = SynthesisSettings()
    heard = []
    assert chosen.ssv == DEFAULT_SSV == "head"
    assert with_a_known_map(SimpleNamespace(sha256=found.generator_sha256), chosen, heard.append) is chosen
    assert heard == []
    assert shipped_head(found.generator_sha256).spread().as_dict() == {"method": "head", "head_sha256": found.sha256}


def test_at_other_steps_the_map_is_still_the_heads_and_its_worth_is_told_with_the_sample():
    found = TrainedHead.load(resources_folder() / "Models" / SHIPPED_HEAD)
    chosen = SynthesisSettings(steps=7)
    assert with_a_known_map(SimpleNamespace(sha256=found.generator_sha256), chosen, lambda message: None) is chosen
