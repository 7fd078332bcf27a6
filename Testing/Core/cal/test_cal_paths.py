"""Whose paths are believed (ADR 14): a person's settings and lists name any file to read, what travels with data none outside."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from toy_pairs import GRID, write_config, write_pair, write_sample, write_scene

from StructDiffCore.cal.cases import pairs_of
from StructDiffCore.cli.main import main
from StructDiffCore.domain import StructDiffError, Volume
from StructDiffCore.io.export import export_pairs
from StructDiffCore.io.export_pair import read_sample
from StructDiffCore.io.files import write_float_volume

SECRET = "../secret.nii.gz"


def change(manifest: Path, **files: str) -> None:
    """Other names among a manifest's files."""
    told = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**told, "files": {**told.get("files", {}), **files}}))


def a_secret(folder: Path) -> None:
    write_float_volume(Volume(np.ones(GRID.shape, np.float32), GRID), folder / "secret.nii.gz")


@pytest.mark.parametrize("way", ["relative", "absolute"])
def test_a_list_names_scans_and_maps_anywhere(tmp_path: Path, way: str) -> None:
    image, mask = write_pair(tmp_path / "elsewhere/r0", 1)
    (tmp_path / "lists").mkdir()
    start = f"{tmp_path}/elsewhere" if way == "absolute" else "../elsewhere"
    entry = {"image": f"{start}/r0/image.nii.gz", "label": f"{start}/r0/mask.nii.gz", "confidence": f"{start}/sure.nii.gz"}
    (tmp_path / "lists/list.json").write_text(json.dumps({"training": [entry]}))
    (pair,) = pairs_of(tmp_path / "lists/list.json")
    assert [path.resolve() for path in pair.files] == [image, mask]
    assert pair.calibrated is not None
    assert pair.calibrated.resolve() == tmp_path / "elsewhere/sure.nii.gz"


def test_settings_name_sources_anywhere(tmp_path: Path) -> None:
    write_scene(tmp_path)
    (tmp_path / "settings").mkdir()
    sources = {
        "scheme": "../scheme.json",
        "synthetic": {"sources": [str(tmp_path / "samples")], "steps": 1},
        "real": {"sources": ["../real.json"], "steps": 1},
        "validation": ["../real.json"],
    }
    config = write_config(tmp_path / "settings", **sources)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert main(["pretrain", str(config), "--device", "cpu", "--out", str(tmp_path / "run")]) == 0
    made = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert all(path.is_relative_to(tmp_path / "run") for path in made)


@pytest.mark.parametrize("role", ["image", "mask", "confidence", "confidence_0_to_1"])
def test_a_samples_manifest_names_no_file_outside(tmp_path: Path, role: str) -> None:
    write_sample(tmp_path / "sample-000", 1)
    a_secret(tmp_path)
    change(tmp_path / "sample-000/manifest.json", **{role: SECRET})
    with pytest.raises(StructDiffError, match="leaves its folder"):
        pairs_of(tmp_path / "sample-000")


def test_the_manifest_of_an_exported_case_names_no_file_outside(tmp_path: Path) -> None:
    write_sample(tmp_path / "samples/sample-000", 6)
    path = tmp_path / "samples/sample-000/manifest.json"
    verdicts = {"topology": {"verdict": "pass", "labels": {}}, "quality": {"verdict": "pass"}}
    path.write_text(json.dumps({**json.loads(path.read_text()), **verdicts}))
    export_pairs([read_sample(tmp_path / "samples/sample-000")], "nnunet", tmp_path / "out")
    a_secret(tmp_path)
    (manifest,) = (tmp_path / "out/manifests").iterdir()
    change(manifest, confidence_0_to_1=SECRET)
    with pytest.raises(StructDiffError, match="leaves its folder"):
        pairs_of(tmp_path / "out")
