"""Label schemes by name and from JSON files."""

import json

import pytest

from StructDiffCore.config.scheme_file import scheme_named
from StructDiffCore.domain import CARDIAC, ExpectedTopology, StructDiffError

LIVER = {
    "name": "liver",
    "labels": [
        {"value": 1, "name": "liver", "colour": [200, 100, 50]},
        {"value": 2, "name": "portal vein", "thin": True, "expected": {"components": 1, "loops": 0}},
    ],
    "touching": [[1, 2]],
}


def test_the_shipped_scheme_has_a_name():
    assert scheme_named("cardiac") is CARDIAC


def test_no_scheme_is_none():
    assert scheme_named(None) is None


def test_a_scheme_lies_in_a_file(tmp_path):
    path = tmp_path / "liver.json"
    path.write_text(json.dumps(LIVER))
    scheme = scheme_named(str(path))
    assert scheme is not None
    assert scheme.values == (1, 2)
    assert scheme.thin_values == (2,)
    assert scheme[1].colour == (200, 100, 50)
    assert scheme[2].expected == ExpectedTopology(1, 0, None)
    assert scheme.touching == ((1, 2),)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        '{"labels": [{"name": "no value"}]}',
        '{"labels": [{"value": "one", "name": "x"}]}',
        '{"labels": [{"value": 1, "name": "x", "smell": "bad"}]}',
        '{"labels": [{"value": 1, "name": "x"}, {"value": 1, "name": "y"}]}',
        '{"labels": [{"value": 0, "name": "x"}]}',
    ],
)
def test_what_is_no_scheme_is_refused(tmp_path, content):
    path = tmp_path / "scheme.json"
    path.write_text(content)
    with pytest.raises(StructDiffError) as refused:
        scheme_named(str(path))
    assert refused.value.exit_code == 2


def test_an_unknown_name_is_refused():
    with pytest.raises(StructDiffError, match="no label scheme 'hepatic'; choose cardiac or give a JSON file"):
        scheme_named("hepatic")
