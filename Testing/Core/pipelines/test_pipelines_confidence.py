"""The confidence in [0, 1] beside the deviation: only where its relation to errors was measured for these weights and steps."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from StructDiffCore.config.presets import SSV_METHODS
from StructDiffCore.domain import Geometry, Volume
from StructDiffCore.pipelines.sample_files import confidence_share, confidence_worth
from StructDiffCore.synthesis import confidence_fit
from StructDiffCore.synthesis.confidence_fit import ConfidenceFit, Measured, write_fits
from StructDiffCore.synthesis.confidence_worth import NOT_MEASURED, Finding
from StructDiffCore.synthesis.measured_at import MeasuredAt
from StructDiffCore.synthesis.result import Synthesis
from StructDiffCore.synthesis.ssv import Uncertainty

GEOMETRY = Geometry((2, 2, 1))
AT = MeasuredAt("abc", "ddim", 10, 0.8)
FOUND = Finding("gross", "all", "informative", 0.8, "local deviation", 0.7, 9)


def a_synthesis(weights="abc", method="tails", **settings):
    image = Volume(np.zeros(GEOMETRY.shape, np.float32), GEOMETRY)
    variance = Volume(np.array([0, 4, 16, 900], np.float32).reshape(GEOMETRY.shape), GEOMETRY)
    record = {"weights_sha256": weights, "settings": {**AT.as_dict(), **settings}}
    return Synthesis(image, image, record, Uncertainty(variance, {"method": method}))


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """Resources in which 'tails' was fitted for the weights 'abc' at 10 steps and temperature 0.8."""
    (tmp_path / "Models").mkdir()
    fit = ConfidenceFit(50.0, np.array([0.0, 4.0]), np.array([1.0, 0.2]))
    write_fits(tmp_path / "Models" / confidence_fit.FITS, {"tails": Measured(fit, (FOUND,))}, AT, 3)
    monkeypatch.setattr(confidence_fit, "resources_folder", lambda: tmp_path)


def test_a_measured_map_is_turned_into_confidences(measured):
    assert_allclose(confidence_share(a_synthesis()).voxels.ravel(), [1.0, 0.6, 0.2, 0.2], rtol=1e-6)


@pytest.mark.parametrize(
    "other",
    [
        {"weights": "else"},
        {"weights": ""},
        {"steps": 6},
        {"temperature": 1.0},
        {"sampler": "euler"},
        {"temperature": None},
        {"method": "full"},
        {"ssv_paths": 20},
        {"template_detail": True},
    ],
)
def test_samples_or_maps_made_otherwise_have_no_confidences(measured, other):
    assert confidence_share(a_synthesis(**other)) is None


def test_a_measured_map_says_what_it_was_found_to_be_worth(measured):
    assert FOUND.words in confidence_worth(a_synthesis())


@pytest.mark.parametrize(
    "other",
    [{"steps": 6}, {"temperature": 1.0}, {"weights": "else"}, {"method": "full"}, {"ssv_paths": 20}, {"template_detail": True}],
)
def test_a_map_of_other_settings_is_never_called_informative(measured, other):
    told = confidence_worth(a_synthesis(**other))
    assert NOT_MEASURED in told
    assert "informative" not in told


@pytest.mark.parametrize("method", [name for name in SSV_METHODS if name != "off"])
def test_no_map_of_unknown_weights_is_praised(method):
    assert NOT_MEASURED in confidence_worth(a_synthesis("no such weights", method))


def test_without_a_map_nothing_is_promised():
    made = a_synthesis()
    assert confidence_worth(Synthesis(made.clean, made.noisy, made.record)) == "no confidence map was made"
