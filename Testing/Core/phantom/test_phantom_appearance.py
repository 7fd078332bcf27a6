"""Appearances: drawn within their domain, and what is held out stays held out."""

import json

import numpy as np
import pytest

from StructDiffCore.domain import StructDiffError
from StructDiffCore.phantom.anatomy import HeartSettings
from StructDiffCore.phantom.appearance import Appearance, draw_appearance
from StructDiffCore.phantom.domains import DOMAINS, HELD_OUT, domain_named, refuse_held_out
from StructDiffCore.phantom.heart import digital_heart
from StructDiffCore.phantom.tissues import BLOOD, Tissue

DRAWS = 2000


def test_training_never_shows_what_is_held_out_over_thousands_of_draws():
    rng = np.random.default_rng(0)
    drawn = [draw_appearance(rng, "training") for _ in range(DRAWS)]
    assert {a.phase for a in drawn} == set(DOMAINS["training"].contrast_phases)
    assert {a.noise.texture for a in drawn} == set(DOMAINS["training"].noise_textures)
    assert HELD_OUT.contrast_phase not in {a.phase for a in drawn}
    assert HELD_OUT.noise_texture not in {a.noise.texture for a in drawn}
    assert max(a.hu["LV"] - a.hu["RV"] for a in drawn) < HELD_OUT.left_minus_right_hu


def test_the_held_out_domain_shows_only_what_training_never_does():
    rng = np.random.default_rng(1)
    drawn = [draw_appearance(rng, "held_out") for _ in range(300)]
    assert {a.phase for a in drawn} == {HELD_OUT.contrast_phase}
    assert {a.noise.texture for a in drawn} == {HELD_OUT.noise_texture}
    assert min(a.hu["LV"] - a.hu["RV"] for a in drawn) >= HELD_OUT.left_minus_right_hu


def test_the_domains_share_no_dominance_phase_texture_or_calcium():
    training, held_out = DOMAINS["training"], DOMAINS["held_out"]
    assert not set(training.dominances) & set(held_out.dominances)
    assert not set(training.contrast_phases) & set(held_out.contrast_phases)
    assert not set(training.noise_textures) & set(held_out.noise_textures)
    assert training.calcium_range[1] <= held_out.calcium_range[0]
    assert (training.heavy_calcium, held_out.heavy_calcium) == (False, True)


@pytest.mark.parametrize(
    ("dominance", "calcium_mm3", "phase", "texture"),
    [
        ("left", 0, "late", "soft"),
        ("right", 500, "late", "soft"),
        ("right", 0, "saline_flush", "soft"),
        ("right", 0, "late", "streaky"),
    ],
)
def test_a_training_example_with_anything_held_out_is_refused(dominance, calcium_mm3, phase, texture):
    with pytest.raises(StructDiffError, match="held out"):
        refuse_held_out(dominance, calcium_mm3, phase, texture)


def test_an_ordinary_training_example_is_not_refused():
    assert refuse_held_out("right", 20.0, "arterial", "bone") is None


@pytest.mark.parametrize("domain", sorted(DOMAINS))
def test_an_appearance_survives_json(domain):
    rng = np.random.default_rng(2)
    for _ in range(50):
        appearance = draw_appearance(rng, domain)
        assert Appearance.from_dict(json.loads(json.dumps(appearance.as_dict()))) == appearance


def test_one_seed_draws_one_appearance_and_another_seed_another():
    first, again, other = (draw_appearance(np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_every_tissue_has_a_plausible_hu_in_every_draw():
    rng = np.random.default_rng(3)
    for _ in range(200):
        appearance = draw_appearance(rng)
        hu = appearance.hu_table()
        assert hu.shape == (len(Tissue),)
        assert hu[Tissue.LUNG] < hu[Tissue.FAT] < hu[Tissue.MUSCLE] < hu[Tissue.BONE_CORTEX]
        assert hu[list(BLOOD)].min() > 40.0
        assert hu[Tissue.MARROW] + 200.0 <= hu[Tissue.BONE_CORTEX]


def test_an_unknown_domain_is_refused_with_the_known_ones():
    with pytest.raises(StructDiffError, match="held_out"):
        domain_named("real")


@pytest.mark.slow
@pytest.mark.parametrize("domain", sorted(DOMAINS))
def test_hearts_drawn_with_a_domain_s_settings_hold_its_calcium(domain):
    allowed = DOMAINS[domain]
    for seed in range(3):
        settings = HeartSettings(dominance=allowed.dominances[0], diseased=1.0, heavy_calcium=allowed.heavy_calcium)
        heart = digital_heart(400 + seed, settings=settings)
        share = heart.share / 255.0
        first, other = (tissue == Tissue.CALCIFIED_PLAQUE for tissue in (heart.tissue, heart.second))
        calcium_mm3 = np.sum(share * first + (1.0 - share) * (other & ~first)) * heart.geometry.voxel_volume_mm3
        assert allowed.calcium_range[0] <= calcium_mm3 <= allowed.calcium_range[1]
