"""The library of templates: found by name, described, cached by content, ranked; bad pairs never stop the good ones."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from StructDiffCore.config.resources import resources_folder, shared_data_folder
from StructDiffCore.domain import CARDIAC, Geometry, ImageMaskPair, LabelMap, LabelScheme, Volume
from StructDiffCore.io.files import read_label_map, read_pair, template_id, write_label_map, write_volume
from StructDiffCore.io.png import png_bytes
from StructDiffCore.preprocess.template_library import shipped_mask_to_edit, template_library
from StructDiffCore.preprocess.template_ranking import rank
from StructDiffCore.topology.report import topology_report

GRID = Geometry((24, 22, 20), (1.0, 1.0, 1.0), (-12.0, -11.0, -10.0))


def a_pair(blood_hu: float = 400.0, values=(1, 6, 8), grid: Geometry = GRID) -> ImageMaskPair:
    """Fat with boxes of 4x6x6 voxels in it and a little air."""
    labels = np.zeros(grid.shape, np.uint8)
    for place, value in enumerate(values):
        labels[2 + 6 * place : 6 + 6 * place, 4:10, 4:10] = value
    image = np.where(labels > 0, blood_hu, -100.0)
    image[:, :, 0] = -1000.0
    noise = np.random.default_rng(0).normal(0, 10, grid.shape)
    return ImageMaskPair(Volume(image + noise, grid), LabelMap(labels, grid, CARDIAC))


def written(pair: ImageMaskPair, image: Path, mask: Path) -> None:
    image.parent.mkdir(exist_ok=True, parents=True)
    write_volume(pair.image, image)
    write_label_map(pair.mask, mask)


def library(folder: Path, cache: Path | None = None):
    return template_library([folder], shipped=False, cache=cache)


def test_the_shipped_template_is_small_usable_and_without_warning():
    (entry,) = template_library()
    assert entry.usable
    assert entry.warnings == ()
    assert entry.source == "shipped"
    assert {label.name for label in entry.labels} == {label.name for label in CARDIAC.labels}
    assert sum(path.stat().st_size for path in (resources_folder() / "Templates").rglob("*")) <= 3e6


def test_the_shipped_files_are_what_their_description_says():
    folder = resources_folder() / "Templates" / "digital-heart"
    told = json.loads((folder / "template.json").read_text(encoding="utf-8"))
    assert told["template_id"] == template_id(read_pair(folder / "image.nrrd", folder / "mask.seg.nrrd"))
    assert "phantom" in told["what"]
    assert told["licence"] == "Apache-2.0"


def test_the_shipped_masks_keep_the_scheme():
    for path in (shipped_mask_to_edit(), shipped_mask_to_edit().with_name("mask.seg.nrrd")):
        mask = read_label_map(path)
        assert mask.scheme == CARDIAC
        assert topology_report(mask).verdict == "pass"


def test_the_script_makes_the_shipped_data_again():
    import runpy

    names = runpy.run_path(str(resources_folder().parent / "Testing" / "Examples" / "make_templates.py"))
    folder = resources_folder() / "Templates" / "digital-heart"
    made, shipped = names["template_pair"](), read_pair(folder / "image.nrrd", folder / "mask.seg.nrrd")
    np.testing.assert_array_equal(made.mask.voxels, shipped.mask.voxels)
    np.testing.assert_allclose(made.image.voxels, shipped.image.voxels, atol=1.0)


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("one/image.nrrd", "one/mask.seg.nrrd"),
        ("one.nii.gz", "one_mask.nii.gz"),
        ("one.nrrd", "one.seg.nrrd"),
        ("one_ct.nii.gz", "one_labels.nii.gz"),
    ],
)
def test_pairs_are_found_by_their_names(tmp_path, image, mask):
    written(a_pair(), tmp_path / image, tmp_path / mask)
    (entry,) = library(tmp_path)
    assert (entry.id, entry.image, entry.mask, entry.usable) == ("one", tmp_path / image, tmp_path / mask, True)
    assert entry.mask_file(tmp_path / "unused") == tmp_path / mask


def test_a_data_sets_layout_is_read_with_its_labels_translated(tmp_path):
    """MM-WHS: myocardium is 205, the aorta 820."""
    pair = a_pair(values=(1, 6))
    theirs = np.where(pair.mask.voxels == 1, 205, np.where(pair.mask.voxels == 6, 820, 0))
    write_volume(pair.image, tmp_path / "ct_train_1001_image.nii.gz")
    write_label_map(LabelMap(theirs, GRID, LabelScheme.from_values([205, 820])), tmp_path / "ct_train_1001_label.nii.gz")
    (entry,) = library(tmp_path)
    assert (entry.id, [label.name for label in entry.labels]) == ("ct_train_1001", ["myocardium", "aorta"])
    (tmp_path / "copies").mkdir()
    assert read_label_map(entry.mask_file(tmp_path / "copies")).present == (1, 6)


def test_brightness_and_volume_of_a_label_are_numpys(tmp_path):
    pair = a_pair()
    written(pair, tmp_path / "a" / "image.nii.gz", tmp_path / "a" / "mask.seg.nrrd")
    aorta = next(label for label in library(tmp_path)[0].labels if label.name == "aorta")
    inside = np.rint(pair.image.voxels)[pair.mask.voxels == 6]
    assert (aorta.p10_hu, aorta.median_hu, aorta.p90_hu) == tuple(np.percentile(inside, (10, 50, 90)).round(1))
    assert aorta.volume_mm3 == 4 * 6 * 6


def test_bad_entries_are_listed_with_the_reason_and_stop_nothing(tmp_path):
    written(a_pair(), tmp_path / "good" / "image.nrrd", tmp_path / "good" / "mask.seg.nrrd")
    written(a_pair(), tmp_path / "cut" / "image.nrrd", tmp_path / "cut" / "mask.seg.nrrd")
    (tmp_path / "cut" / "image.nrrd").write_bytes((tmp_path / "cut" / "image.nrrd").read_bytes()[:2000])
    write_volume(a_pair().image, tmp_path / "lonely.nrrd")
    other = Geometry((10, 10, 10), (3.0, 3.0, 3.0), (90.0, 0.0, 0.0))
    written(a_pair(), tmp_path / "apart" / "image.nrrd", tmp_path / "apart" / "mask.nrrd")
    write_label_map(LabelMap(np.ones(other.shape, np.uint8), other, CARDIAC), tmp_path / "apart" / "mask.nrrd")
    (tmp_path / "notes").mkdir()
    entries = {entry.id: entry for entry in library(tmp_path)}
    assert set(entries) == {"good", "cut", "lonely", "apart"}
    assert entries["good"].usable
    assert "different grids" in entries["apart"].problem
    assert "no lonely_mask" in entries["lonely"].problem
    assert str(tmp_path / "cut") in entries["cut"].problem


def test_a_folder_that_is_not_there_is_an_entry_with_a_reason(tmp_path):
    (entry,) = library(tmp_path / "nowhere")
    assert not entry.usable
    assert "is no folder" in entry.line()


def test_an_mr_and_a_scan_without_contrast_are_warned_of(tmp_path):
    pair = a_pair(blood_hu=45.0)
    written(pair, tmp_path / "plain" / "image.nrrd", tmp_path / "plain" / "mask.seg.nrrd")
    mr = ImageMaskPair(Volume(np.abs(pair.image.voxels) + 3, GRID), pair.mask)
    written(mr, tmp_path / "mr" / "image.nrrd", tmp_path / "mr" / "mask.seg.nrrd")
    entries = {entry.id: entry for entry in library(tmp_path)}
    assert any("without contrast" in warning for warning in entries["plain"].warnings)
    assert any("no CT in HU" in warning for warning in entries["mr"].warnings)


def test_the_cache_answers_for_the_same_content_only(tmp_path):
    written(a_pair(), tmp_path / "t" / "a" / "image.nrrd", tmp_path / "t" / "a" / "mask.seg.nrrd")
    first = library(tmp_path / "t", tmp_path / "cache")
    again = library(tmp_path / "t", tmp_path / "cache")
    assert again[0].facts == first[0].facts
    shutil.move(tmp_path / "t" / "a", tmp_path / "t" / "b")
    assert library(tmp_path / "t", tmp_path / "cache")[0].facts == first[0].facts
    assert len(list((tmp_path / "cache").iterdir())) == 1
    write_volume(a_pair(blood_hu=300.0).image, tmp_path / "t" / "b" / "image.nrrd")
    changed = library(tmp_path / "t", tmp_path / "cache")[0]
    assert next(label for label in changed.labels if label.name == "aorta").median_hu == pytest.approx(300, abs=5)


def test_a_damaged_cache_is_looked_past(tmp_path):
    written(a_pair(), tmp_path / "t" / "a" / "image.nrrd", tmp_path / "t" / "a" / "mask.seg.nrrd")
    first = library(tmp_path / "t", tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_text("{half")
    assert library(tmp_path / "t", tmp_path / "cache")[0].facts == first[0].facts


def test_reading_no_entry_changes_the_users_folder(tmp_path):
    written(a_pair(), tmp_path / "a" / "image.nrrd", tmp_path / "a" / "mask.seg.nrrd")

    def state():
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in tmp_path.rglob("*") if path.is_file()}

    before = state()
    library(tmp_path)
    assert state() == before


def test_thumbnails_are_png_pictures_with_the_labels_colours(tmp_path):
    written(a_pair(), tmp_path / "a" / "image.nrrd", tmp_path / "a" / "mask.seg.nrrd")
    picture = tmp_path / "a.png"
    picture.write_bytes(library(tmp_path)[0].thumbnail_png)
    with Image.open(picture) as read:
        pixels = np.asarray(read.convert("RGB"))
    assert pixels.shape == (112, 336, 3)
    assert (pixels == CARDIAC.named("aorta").colour).all(axis=-1).sum() > 20


def test_our_png_reads_back_pixel_by_pixel(tmp_path):
    colours = np.random.default_rng(1).integers(0, 256, (7, 11, 3), np.uint8)
    (tmp_path / "c.png").write_bytes(png_bytes(colours))
    with Image.open(tmp_path / "c.png") as read:
        np.testing.assert_array_equal(np.asarray(read), colours)


def test_the_axial_thumbnail_is_held_as_radiologists_do(tmp_path):
    """Patient's right on the left, front on top: a bright right-front corner shows in the upper left, whatever the axes."""
    grid = Geometry((20, 20, 20), origin=(9.5, -9.5, -9.5), direction=((-1, 0, 0), (0, 1, 0), (0, 0, 1)))
    world = grid.to_world(np.argwhere(np.ones(grid.shape)))
    corner = ((world[:, 0] > 3) & (world[:, 1] > 3)).reshape(grid.shape)
    mask = LabelMap(np.ones(grid.shape, np.uint8), grid, CARDIAC)
    pair = ImageMaskPair(Volume(np.where(corner, 800.0, -900.0), grid), mask)
    written(pair, tmp_path / "a" / "image.nrrd", tmp_path / "a" / "mask.seg.nrrd")
    (tmp_path / "a.png").write_bytes(library(tmp_path)[0].thumbnail_png)
    with Image.open(tmp_path / "a.png") as read:
        axial = np.asarray(read.convert("L"))[:, :112].astype(int)
    quarters = {"upper left": axial[8:48, 8:48], "upper right": axial[8:48, 64:104], "lower left": axial[64:104, 8:48]}
    bright = {name for name, part in quarters.items() if part.mean() > 100}
    assert bright == {"upper left"}


def test_the_template_with_more_labels_comes_first_and_says_why(tmp_path):
    written(a_pair(values=(1, 6, 8)), tmp_path / "all" / "image.nrrd", tmp_path / "all" / "mask.seg.nrrd")
    written(a_pair(values=(1, 6)), tmp_path / "few" / "image.nrrd", tmp_path / "few" / "mask.seg.nrrd")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "image.nrrd").write_bytes(b"NRRD")
    ranked = rank(library(tmp_path), a_pair(values=(1, 6, 8)).mask)
    assert [one.entry.id for one in ranked] == ["all", "few", "broken"]
    assert ranked[0].why.startswith("has 3 of 3 labels; spacing 1 mm")
    assert "has 2 of 3 labels; left coronary tree by the look of its group" in ranked[1].why
    assert ranked[2].score == 0
    assert "cannot be used" in ranked[2].why


def test_the_mask_itself_matches_perfectly(tmp_path):
    written(a_pair(), tmp_path / "a" / "image.nrrd", tmp_path / "a" / "mask.seg.nrrd")
    assert rank(library(tmp_path), a_pair().mask)[0].score == 1.0


def test_coarser_spacing_ranks_lower(tmp_path):
    coarse = Geometry((24, 22, 20), (1.4, 1.4, 1.4))
    written(a_pair(), tmp_path / "same" / "image.nrrd", tmp_path / "same" / "mask.seg.nrrd")
    written(a_pair(grid=coarse), tmp_path / "coarse" / "image.nrrd", tmp_path / "coarse" / "mask.seg.nrrd")
    assert [one.entry.id for one in rank(library(tmp_path), a_pair().mask)] == ["same", "coarse"]


def test_real_scans_are_described_within_seconds(tmp_path):
    folder = shared_data_folder()
    if folder is None:
        pytest.skip("the shared folder of real scans is not here")
    begin = time.perf_counter()
    usable = [entry for entry in library(folder, tmp_path) if entry.usable]
    assert len(usable) >= 2
    assert time.perf_counter() - begin < 20
