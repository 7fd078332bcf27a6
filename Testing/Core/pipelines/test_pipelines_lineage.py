"""Lineage: a synthetic case knows the masks and the template it comes from."""

import json

import numpy as np
import pytest

from StructDiffCore.domain import CARDIAC, Geometry, ImageMaskPair, LabelMap, Template, Volume
from StructDiffCore.io.files import mask_id, write_label_map
from StructDiffCore.pipelines.lineage import lineage_of, mask_references

GRID = Geometry((5, 6, 7))


@pytest.fixture
def a_mask():
    return LabelMap(np.random.default_rng(0).choice([0, 6], GRID.shape), GRID, CARDIAC)


def beside(folder, a_mask, manifest):
    write_label_map(a_mask, folder / "mask.seg.nrrd")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder / "mask.seg.nrrd"


def test_a_mask_from_structdiff_masks_names_its_references(tmp_path, a_mask):
    told = {"references": [{"file": "a.nrrd", "sha256_16": "ab12"}], "files": {"mask": "mask.seg.nrrd"}}
    assert mask_references(beside(tmp_path, a_mask, told)) == ["ab12"]


def test_a_synthetic_samples_mask_hands_its_references_on(tmp_path, a_mask):
    told = {"mask_references": ["cd34"], "files": {"mask": "mask.seg.nrrd"}}
    assert mask_references(beside(tmp_path, a_mask, told)) == ["cd34"]


@pytest.mark.parametrize(
    "told", [{}, {"references": ["old form"], "files": {"mask": "mask.seg.nrrd"}}, {"files": {"mask": "other"}}]
)
def test_a_manifest_that_says_nothing_of_it_gives_no_references(tmp_path, a_mask, told):
    assert mask_references(beside(tmp_path, a_mask, told)) == []


def test_the_templates_own_mask_is_told(tmp_path, a_mask):
    template = Template(ImageMaskPair(Volume(np.zeros(GRID.shape), GRID), a_mask), "t")
    assert lineage_of(tmp_path / "mask.nrrd", template) == {"template_mask_id": mask_id(a_mask), "mask_references": []}
