"""Schemes and manifests come back as written; paths inside them stay in their folder."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from StructDiffCore.domain import CARDIAC, Label, StructDiffError
from StructDiffCore.io.manifest import file_digests, read_manifest, write_manifest
from StructDiffCore.io.safe_paths import safe_path
from StructDiffCore.io.schemes import load_scheme, save_scheme


@pytest.mark.parametrize("ending", [".json", ".yaml", ".yml"])
def test_a_scheme_comes_back_whole(tmp_path, ending):
    save_scheme(CARDIAC, tmp_path / f"scheme{ending}")
    assert load_scheme(tmp_path / f"scheme{ending}") == CARDIAC


def test_a_scheme_is_found_by_name_and_defaults_are_filled(tmp_path):
    assert load_scheme("cardiac") is CARDIAC
    (tmp_path / "s.yaml").write_text("name: mine\nlabels:\n  - {value: 4, name: liver}\n  - {value: 5, name: spleen}\n")
    found = load_scheme(tmp_path / "s.yaml")
    assert len({label.colour for label in found.labels}) == 2
    assert [replace(label, colour=Label(1, "any").colour) for label in found.labels] == [Label(4, "liver"), Label(5, "spleen")]


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        ("[1, 2]", "no mapping"),
        ("{", "not readable"),
        ("{}", "no labels"),
        ('{"labels": [{"value": "x", "name": "a"}]}', "value 'x'"),
        ('{"labels": [{"value": 1}]}', "name None"),
        ('{"labels": [{"value": 0, "name": "a"}]}', "value <= 0"),
        ('{"labels": [{"value": 1, "name": "a"}, {"value": 1, "name": "b"}]}', "twice"),
        ('{"labels": [{"value": 1, "name": "a", "color": [1, 2, 3]}]}', "unknown fields"),
        ('{"labels": [{"value": 1, "name": "a", "colour": [1, 2, 300]}]}', "colour"),
        ('{"labels": [{"value": 1, "name": "a", "expected": {"loops": -1}}]}', "loops"),
        ('{"labels": [{"value": 1, "name": "a"}], "touching": [[1, 2]]}', "touching"),
        ('{"labels": [{"value": 1, "name": "a"}], "touching": [3]}', "touching"),
    ],
)
def test_a_malformed_scheme_is_refused_in_one_line(tmp_path, content, fact):
    (tmp_path / "s.json").write_text(content)
    with pytest.raises(StructDiffError, match=fact) as caught:
        load_scheme(tmp_path / "s.json")
    assert "\n" not in str(caught.value)


def test_an_unknown_scheme_is_refused(tmp_path):
    with pytest.raises(StructDiffError, match="no label scheme 'hepatic'"):
        load_scheme("hepatic")
    with pytest.raises(StructDiffError, match="does not exist"):
        load_scheme(tmp_path / "nothing.json")


def test_a_manifest_is_marked_synthetic_and_comes_back(tmp_path):
    write_manifest(tmp_path, {"seed": 3, "geometry": {"spacing_mm": [0.5, 0.5, 0.5]}})
    assert read_manifest(tmp_path) == {"synthetic": True, "seed": 3, "geometry": {"spacing_mm": [0.5, 0.5, 0.5]}}


@pytest.mark.parametrize("path", ["/home/doe/scan.nii.gz", "C:\\scans\\doe.nrrd", "\\\\server\\share\\x"])
def test_a_manifest_never_says_where_the_inputs_lay(tmp_path, path):
    with pytest.raises(StructDiffError, match=r"inputs\.0\.mask"):
        write_manifest(tmp_path, {"inputs": [{"mask": path}]})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bad", [float("nan"), object()])
def test_a_manifest_that_is_no_json_is_not_written(tmp_path, bad):
    with pytest.raises(StructDiffError, match="JSON"):
        write_manifest(tmp_path, {"seed": bad})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_missing_or_broken_manifest_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(StructDiffError):
        read_manifest(tmp_path)


def test_digests_are_sha256(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"abc")
    assert file_digests(tmp_path, ["a.bin"]) == {"a.bin": hashlib.sha256(b"abc").hexdigest()}
    assert json.dumps(file_digests(tmp_path, []))


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "C:/x", "..\\x", "", ".", "a\0b"])
def test_names_that_leave_their_folder_are_refused(tmp_path, name):
    with pytest.raises(StructDiffError):
        safe_path(tmp_path, name)


def test_names_inside_the_folder_are_fine(tmp_path):
    assert safe_path(tmp_path, "a/b.nii.gz") == (tmp_path / "a" / "b.nii.gz").resolve()
    assert safe_path(tmp_path, "./a.json") == (tmp_path / "a.json").resolve()


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "link").symlink_to(tmp_path)
    with pytest.raises(StructDiffError, match="leaves its folder"):
        safe_path(tmp_path / "inside", "link/secret.txt")
