"""Templates come from the library and pairs go to other tools: thin over the core, in the scene's terms."""

import json

import numpy as np
import pytest
from StructDiffLib import exporting, templates

from StructDiffCore.domain import StructDiffError, Volume

PASSED = {"synthetic": True, "topology": {"verdict": "pass"}, "quality": {"verdict": "pass"}}


@pytest.fixture
def nodes(bridge, a_small_mask, a_small_image):
    return bridge.addVolume(a_small_image, "Größe 1"), bridge.addSegmentation(a_small_mask, "mask")


def test_a_pair_of_nodes_reads_back_from_its_nnunet_folder_with_the_same_grid(bridge, tmp_path, nodes, a_small_mask):
    from StructDiffCore.io.files import read_label_map, read_volume

    pair = exporting.pairFromNodes(bridge, *nodes, manifest=PASSED)
    exported = exporting.exportPairs([pair], "nnunet", tmp_path / "Dataset001_Synthetic")
    image, labels = exported.paths[0], next((tmp_path / "Dataset001_Synthetic" / "labelsTr").iterdir())
    assert read_volume(image).geometry.same_as(a_small_mask.geometry)
    back = read_label_map(labels)
    assert back.geometry.same_as(a_small_mask.geometry)
    assert np.count_nonzero(back.voxels) == np.count_nonzero(a_small_mask.voxels)


@pytest.mark.parametrize("form", exporting.FORMATS)
def test_every_format_of_the_panel_is_one_of_the_core(bridge, tmp_path, nodes, form):
    exported = exporting.exportPairs([exporting.pairFromNodes(bridge, *nodes, manifest=PASSED)], form, tmp_path / "Dataset001_X")
    assert all(path.exists() for path in exported.paths)


def test_a_failed_verdict_is_refused_told_and_recorded_with_its_reason(bridge, tmp_path, nodes):
    failed = {**PASSED, "topology": {"verdict": "fail"}}
    pair = exporting.pairFromNodes(bridge, *nodes, manifest=failed)
    assert len(exporting.refusals([pair])) == 1
    with pytest.raises(StructDiffError):
        exporting.exportPairs([pair], "nrrd", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    exporting.exportPairs([pair], "nrrd", tmp_path / "out", forceReason="phantom for a test")
    manifest = next((tmp_path / "out").rglob("manifest.json"))
    assert "phantom for a test" in json.dumps(json.loads(manifest.read_text(encoding="utf-8")))


def test_the_shipped_template_is_in_the_library_and_ranked_for_a_mask():
    entries = templates.library()
    assert any(entry.source == "shipped" and entry.usable for entry in entries)
    best = templates.ranked(entries, entries[0].read().mask)[0]
    assert 0 < best.score <= 1
    assert templates.thumbnail(best.entry).startswith(b"\x89PNG")


def test_a_plain_warning_for_what_is_no_contrast_ct(a_small_mask):
    grid = a_small_mask.geometry
    ct = np.random.default_rng(0).normal(0, 150, grid.shape).astype(np.float32)
    ct[a_small_mask.voxels > 0] = 350
    ct[0, 0, :] = -1000
    assert templates.warnings(Volume(ct, grid), a_small_mask) == []
    pale = np.where(a_small_mask.voxels > 0, 40, ct)
    assert any("contrast" in words for words in templates.warnings(Volume(pale, grid), a_small_mask))
    assert any("HU" in words for words in templates.warnings(Volume(np.abs(ct) / 2000, grid)))
