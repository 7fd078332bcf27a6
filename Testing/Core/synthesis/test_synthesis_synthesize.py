"""From mask and template to a volume: alignment, look, rival, record; also on the real scan."""

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import ndimage

from StructDiffCore.config.resources import shared_data_folder
from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.domain import CARDIAC, Geometry, ImageMaskPair, LabelMap, StructDiffError, Template, Volume
from StructDiffCore.measures.intensity import intensities
from StructDiffCore.models.network import StructDiffNetwork
from StructDiffCore.models.network_settings import NetworkSettings
from StructDiffCore.synthesis.prepared import densest_slab, prepare
from StructDiffCore.synthesis.renderer import render_from_prior
from StructDiffCore.synthesis.synthesize import noise_seed, sample, synthesize
from StructDiffCore.systems.structdiff import StructDiff, StructDiffSettings


def a_body(shape, spacing, shift_mm=(0, 0, 0), coronary=True):
    """A ventricle (3) in its muscle (1), an aorta (6) and a coronary (8), in fat and lung; HU and labels."""
    geometry = Geometry(shape, spacing)
    place = np.moveaxis(np.indices(shape), 0, -1) * spacing - np.asarray(shift_mm)
    hu = np.where(place[..., 0] < 12, -850.0, -90.0)
    labels = np.zeros(shape, np.uint8)
    depth = np.linalg.norm((place - (36, 32, 30)) / (1, 1.1, 1.2), axis=-1)
    labels[depth < 19] = 1
    labels[depth < 13] = 3
    labels[(np.hypot(place[..., 0] - 46, place[..., 1] - 55) < 7) & (place[..., 2] > 20)] = 6
    if coronary:
        labels[(np.hypot(place[..., 0] - 22, place[..., 1] - 14) < 1.8) & (labels == 0)] = 8
    for value, tissue in ((1, 110.0), (3, 380.0), (6, 420.0), (8, 410.0)):
        hu[labels == value] = tissue
    return hu, LabelMap(labels, geometry, CARDIAC)


def a_template(coronary=True):
    hu, mask = a_body((56, 60, 52), (1.25, 1.25, 1.25), coronary=coronary)
    noise = np.random.default_rng(0).normal(0, 18, hu.shape)
    image = Volume((ndimage.gaussian_filter(hu, 0.6) + noise).astype(np.float32), mask.geometry)
    return Template(ImageMaskPair(image, mask), "a body")


@pytest.fixture(scope="module")
def a_target():
    return a_body((46, 50, 44), (1.5, 1.5, 1.5), shift_mm=(4, -2, 3))[1]


@pytest.fixture(scope="module")
def prepared(a_target):
    return prepare(a_target, a_template(coronary=False))


@pytest.fixture(scope="module")
def a_small_system():
    settings = NetworkSettings(channels=(8, 8, 8), slot_features=4, embedding_width=16, detail_channels=4)
    return StructDiff(StructDiffSettings(network=settings), StructDiffNetwork(settings))


def test_the_record_says_where_each_look_came_from(prepared):
    origins = prepared.record["code_origins"]
    assert origins["aorta"] == "template"
    assert origins["left coronary tree"] == "group:6"
    assert json.loads(json.dumps(prepared.record)) == prepared.record
    assert prepared.look.noise.amplitude_hu == pytest.approx(18, rel=0.12)


def test_the_renderer_paints_the_targets_labels_with_the_templates_look(prepared, a_target):
    made = render_from_prior(prepared.source, prepared.geometry, prepared.look.noise, prepared.look.psf_sigma_mm, seed=0)
    found = intensities(made.noisy.voxels, a_target.voxels)
    assert found[3].median_hu == pytest.approx(380, abs=12)
    assert found[6].median_hu == pytest.approx(420, abs=25)
    assert (made.noisy.voxels - made.clean.voxels).std() == pytest.approx(18, rel=0.25)
    assert made.noisy.geometry.same_as(a_target.geometry)


def test_an_untrained_network_gives_the_prior_give_or_take_its_residual(prepared, a_target, a_small_system):
    settings = SynthesisSettings(steps=2, tile=64, precision="float32")
    made = sample(a_small_system, prepared, settings, seed=0)
    again = sample(a_small_system, prepared, settings, seed=0)
    assert_array_equal(made.noisy.voxels, again.noisy.voxels)
    assert made.clean.geometry.same_as(a_target.geometry)
    assert made.record["seed"] == 0
    assert made.record["noise_seed"] == noise_seed(0)
    assert made.record["precision"] == "float32"
    assert made.record["memory_ladder"] == []
    assert made.record["synthetic"] is True
    assert json.dumps(made.record)
    noise = made.noisy.voxels - made.clean.voxels
    assert noise[5:-5, 5:-5, 5:-5].std() == pytest.approx(18, rel=0.3)


def test_reduced_precision_leaves_the_callers_weights_alone(prepared, a_small_system):
    before = {name: tensor.clone() for name, tensor in a_small_system.network.state_dict().items()}
    sample(a_small_system, prepared, SynthesisSettings(steps=1, precision="bfloat16"), seed=0)
    for name, tensor in a_small_system.network.state_dict().items():
        assert tensor.dtype == before[name].dtype
        assert_array_equal(tensor.numpy(), before[name].numpy())


def test_of_a_huge_template_the_slab_with_most_labels_is_read():
    labels = np.zeros((4, 4, 10), int)
    labels[1, 1, 6:9] = 1
    assert densest_slab(labels, 4 * 4 * 3) == slice(6, 9)
    assert densest_slab(labels, labels.size) == slice(0, 10)


def test_everything_in_one_call(a_target, a_small_system):
    made = synthesize(a_small_system, a_target, a_template(), SynthesisSettings(steps=1), seed=1)
    assert made.noisy.voxels.shape == a_target.voxels.shape
    assert made.record["code_origins"]["left coronary tree"] == "template"


def test_the_templates_detail_is_drawn_where_it_is_asked_for(a_small_system):
    hu, mask = a_body((40, 44, 36), (1.5, 1.5, 1.5))
    at = np.moveaxis(np.indices(hu.shape), 0, -1) * 1.5
    lung_vessel = np.hypot(at[..., 0] - 4, at[..., 1] - 50) < 2.5
    noise = np.random.default_rng(0).normal(0, 18, hu.shape)
    image = Volume((np.where(lung_vessel, 350.0, hu) + noise).astype(np.float32), mask.geometry)
    ready = prepare(mask, Template(ImageMaskPair(image, mask), "with a lung vessel"))
    plain, detailed = (
        sample(a_small_system, ready, SynthesisSettings(steps=1, ssv="off", template_detail=asked)) for asked in (False, True)
    )
    drawn = (detailed.clean.voxels - plain.clean.voxels)[lung_vessel]
    assert drawn.mean() > 200
    assert (plain.record["settings"]["template_detail"], detailed.record["settings"]["template_detail"]) == (False, True)


def test_an_image_that_is_no_ct_is_refused(a_target, a_small_system):
    pair = a_template().pair
    unit = Volume((pair.image.voxels - pair.image.voxels.min()) / np.ptp(pair.image.voxels), pair.geometry)
    with pytest.raises(StructDiffError, match=r"\[0, 1\]"):
        synthesize(a_small_system, a_target, Template(ImageMaskPair(unit, pair.mask), "unit"))


@pytest.mark.slow
@pytest.mark.skipif(shared_data_folder() is None, reason="the real scans (../shared/data) are not here")
def test_the_real_scans_labels_are_rendered_with_their_own_medians():
    from StructDiffCore.io.files import read_template

    folder = shared_data_folder()
    name = "ts_thorax_cta_1p5mm"
    template = read_template(folder / f"{name}_ct.nii.gz", folder / f"{name}_labels.nii.gz", None, False)
    ready = prepare(template.pair.mask, template)
    made = render_from_prior(ready.source, ready.geometry, ready.look.noise, ready.look.psf_sigma_mm, seed=0)
    real = intensities(template.pair.image.voxels, template.pair.mask.voxels)
    rendered = intensities(made.noisy.voxels, template.pair.mask.voxels)
    for value in (1, 2, 3):
        assert rendered[value].median_hu == pytest.approx(real[value].median_hu, abs=25)
