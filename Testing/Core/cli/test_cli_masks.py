"""``structdiff masks`` end to end: a mask made again from its manifest, faults, and every kind of bad input in one line."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap
from StructDiffCore.io.files import read_label_map, write_label_map
from StructDiffCore.vessels.branch import Branch
from StructDiffCore.vessels.graph import VesselGraph
from StructDiffCore.vessels.lumen import paint_lumen

STILL = {"warp": {"seed": 1, "sd_mm": 0.0, "size": 1.0}, "edits": []}


def a_block(value=2, shape=(24, 24, 24), edge=6, spacing=(1.0, 1.0, 1.0), dtype=np.uint8):
    voxels = np.zeros(shape, dtype)
    voxels[edge:-edge, edge:-edge, edge:-edge] = value
    return LabelMap(voxels, Geometry(shape, spacing), CARDIAC)


def a_vessel():
    """An aorta with a left coronary that forks, 1 mm."""
    geometry = Geometry((56, 44, 52), (1.0, 1.0, 1.0))
    voxels = np.zeros(geometry.shape, np.uint8)
    voxels[6:18, 16:28, 34:46] = 6
    main = np.array([[18.0, 22, 40], [26, 22, 40], [34, 22, 34], [38, 22, 22], [38, 22, 8]])
    side = np.array([[34.0, 22, 34], [38, 30, 28], [40, 37, 18]])
    tree = VesselGraph((Branch(main, np.full(5, 2.0), "LM"), Branch(side, np.full(3, 1.7), "D1", 0, 1)))
    voxels[paint_lumen(tree, geometry, 3.0).mask & (voxels == 0)] = 8
    return LabelMap(voxels, geometry, CARDIAC)


@pytest.fixture
def vessel_file(tmp_path):
    write_label_map(a_vessel(), tmp_path / "vessel.seg.nrrd")
    return tmp_path / "vessel.seg.nrrd"


def recipe_file(folder, content):
    path = folder / "recipe.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def saved(label_map, path):
    write_label_map(label_map, path)
    return path


def refused(run, out, *arguments):
    """The one line of a refusal: exit 2, nothing on stdout, nothing written."""
    code, told, errors = run(["masks", *arguments, "--out", out])
    lines = [line for line in errors.splitlines() if line.startswith("structdiff: ")]
    assert (code, told, len(lines)) == (2, "", 1), errors
    assert not Path(out).exists()
    return lines[0]


def test_a_mask_is_made_again_voxel_for_voxel_from_its_manifest_by_another_process(run, vessel_file, tmp_path):
    code, _, errors = run(["masks", vessel_file, "--scheme", "cardiac", "--seed", 5, "--out", tmp_path / "first"])
    assert code == 0, errors
    first = tmp_path / "first" / "mask-000"
    command = [
        sys.executable,
        "-m",
        "StructDiffCore.cli",
        "masks",
        vessel_file,
        "--scheme",
        "cardiac",
        "--out",
        tmp_path / "again",
    ]
    child = subprocess.Popen([str(part) for part in [*command, "--recipe", first / "manifest.json", "--seed", 77]])
    assert child.wait(timeout=300) == 0
    again = read_label_map(tmp_path / "again" / "mask-000" / "mask.seg.nrrd")
    np.testing.assert_array_equal(again.voxels, read_label_map(first / "mask.seg.nrrd").voxels)
    one, two = (json.loads((place / "manifest.json").read_text()) for place in (first, tmp_path / "again" / "mask-000"))
    assert one["recipe"] == two["recipe"]
    assert one["proof"] == two["proof"]
    assert one["proof"]["holds"]
    assert one["quality"] == "good"
    assert one["references"][0]["sha256_16"] == two["references"][0]["sha256_16"]


def test_a_manifest_of_other_references_is_applied_and_told(run, vessel_file, tmp_path):
    assert run(["masks", vessel_file, "--scheme", "cardiac", "--out", tmp_path / "first"])[0] == 0
    other = saved(a_block(), tmp_path / "block.nii.gz")
    manifest = json.loads((tmp_path / "first" / "mask-000" / "manifest.json").read_text())
    manifest["recipe"]["edits"] = []
    code, _, errors = run(
        ["masks", other, "--scheme", "cardiac", "--recipe", recipe_file(tmp_path, manifest), "--out", tmp_path / "b", "--json"]
    )
    assert code == 0, errors
    assert json.loads((tmp_path / "b" / "mask-000" / "manifest.json").read_text())["proof"]["holds"]


def test_masks_with_faults_say_so_and_fail_the_topology_command(run, vessel_file, tmp_path):
    code, told, errors = run(["masks", vessel_file, "--scheme", "cardiac", "--faults", 1, "--seed", 3, "--out", tmp_path / "bad"])
    assert code == 0, errors
    assert "1 declared fault" in told
    manifest = json.loads((tmp_path / "bad" / "mask-000" / "manifest.json").read_text())
    assert manifest["quality"] == "broken on purpose"
    assert len(manifest["recipe"]["breaks"]) == 1
    assert manifest["proof"]["holds"]


def test_the_page_shows_numbers_beside_the_digital_hearts(run, vessel_file, tmp_path):
    assert run(["masks", vessel_file, "--scheme", "cardiac", "--count", 2, "--out", tmp_path / "out"])[0] == 0
    page = (tmp_path / "out" / "masks.html").read_text()
    assert "digital hearts (20)" in page
    assert "branch angle deg" in page
    found = json.loads((tmp_path / "out" / "diversity.json").read_text())
    assert found["new"]["count"] == 2
    assert found["new"]["vessel_dice"]["high"] < 1


def test_count_zero_and_too_many_faults(run, vessel_file, tmp_path):
    assert "0 masks" in refused(run, tmp_path / "out", vessel_file, "--count", 0)
    assert "9 faults" in refused(run, tmp_path / "out", vessel_file, "--faults", 9)


def test_an_empty_mask(run, tmp_path):
    assert "empty" in refused(run, tmp_path / "out", saved(a_block(0), tmp_path / "m.nii.gz"))


def test_a_mask_of_one_value(run, tmp_path):
    full = LabelMap(np.ones((12, 12, 12), np.uint8), Geometry((12, 12, 12)), CARDIAC)
    assert "every voxel" in refused(run, tmp_path / "out", saved(full, tmp_path / "m.nii.gz"))


def test_references_of_different_schemes(run, tmp_path):
    masks = [saved(a_block(value), tmp_path / f"{value}.nii.gz") for value in (2, 4)]
    assert "scheme" in refused(run, tmp_path / "out", *masks)


def test_fractions_between_labels(run, tmp_path):
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(a_block().voxels.astype(np.float32) * 0.3)
    sitk.WriteImage(image, str(tmp_path / "m.nii.gz"))
    assert "fractions" in refused(run, tmp_path / "out", tmp_path / "m.nii.gz")


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ({"kind": "prune", "tree": 8, "branch": "OM7"}, "no branch 'OM7'"),
        ({"kind": "prune", "tree": 9, "branch": "RCA"}, "no vessel label 9"),
        ({"kind": "stenosis", "tree": 8, "branch": "LM", "centre_mm": 5, "percent_diameter": 120}, "120 %"),
        ({"kind": "switch_dominance", "left": 8, "right": 9, "to": "left"}, "no vessel label 9"),
        ({"kind": "graft", "tree": 8, "branch": "LM"}, "branch"),
        ({"kind": "calibre", "tree": 8, "branch": "LM", "factor": "wide"}, "'wide'"),
    ],
    ids=lambda given: given["kind"] if isinstance(given, dict) else "",
)
def test_edits_that_cannot_be(run, vessel_file, tmp_path, edit, words):
    recipe = recipe_file(tmp_path, STILL | {"edits": [edit]})
    assert words in refused(run, tmp_path / "out", vessel_file, "--scheme", "cardiac", "--recipe", recipe)


def test_a_vessel_edit_without_any_thin_label(run, tmp_path):
    recipe = recipe_file(tmp_path, STILL | {"edits": [{"kind": "prune", "tree": 8, "branch": "D1"}]})
    mask = saved(a_block(), tmp_path / "m.nii.gz")
    assert "no vessel label 8" in refused(run, tmp_path / "out", mask, "--scheme", "cardiac", "--recipe", recipe)


@pytest.mark.parametrize(
    "edits",
    [
        [{"kind": "prune", "tree": 8, "branch": "D1"}, {"kind": "calibre", "tree": 8, "branch": "D1", "factor": 1.1}],
        [{"kind": "shorten", "tree": 8, "branch": "D1"}, {"kind": "lengthen", "tree": 8, "branch": "D1"}],
        [{"kind": "graft", "tree": 8, "branch": "LM", "name": "x"}, {"kind": "graft", "tree": 8, "branch": "LM", "name": "x"}],
    ],
)
def test_contradictory_recipes(run, vessel_file, tmp_path, edits):
    recipe = recipe_file(tmp_path, STILL | {"edits": edits})
    assert "contradicts itself" in refused(run, tmp_path / "out", vessel_file, "--scheme", "cardiac", "--recipe", recipe)


def test_a_recipe_that_leaves_nothing_to_chance_makes_one_mask(run, vessel_file, tmp_path):
    assert run(["masks", vessel_file, "--scheme", "cardiac", "--out", tmp_path / "first"])[0] == 0
    manifest = tmp_path / "first" / "mask-000" / "manifest.json"
    line = refused(run, tmp_path / "out", vessel_file, "--scheme", "cardiac", "--recipe", manifest, "--count", 3)
    assert "leaves nothing to chance" in line


@pytest.mark.parametrize("kind", ["int64", "float32"])
def test_masks_stored_as_int64_or_floats_work(run, tmp_path, kind):
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(a_block().voxels.astype(kind))
    sitk.WriteImage(image, str(tmp_path / "m.nrrd"))
    recipe = recipe_file(tmp_path, STILL)
    code, _, errors = run(["masks", tmp_path / "m.nrrd", "--scheme", "cardiac", "--recipe", recipe, "--out", tmp_path / "out"])
    assert code == 0, errors
    made = read_label_map(tmp_path / "out" / "mask-000" / "mask.seg.nrrd")
    assert made.voxels.dtype == np.uint8
    assert 0.8 < np.count_nonzero(made.voxels) / 12**3 < 1.2


def test_coarse_slices_a_label_at_the_border_and_single_voxels_work(run, tmp_path):
    voxels = np.zeros((48, 48, 12), np.uint8)
    voxels[:, 12:36, 3:9], voxels[4, 4, 2] = 2, 4
    mask = saved(LabelMap(voxels, Geometry(voxels.shape, (0.3, 0.3, 3.0)), CARDIAC), tmp_path / "m.nii.gz")
    recipe = recipe_file(tmp_path, STILL)
    code, _, errors = run(["masks", mask, "--scheme", "cardiac", "--recipe", recipe, "--out", tmp_path / "out"])
    assert code == 0, errors
    made = read_label_map(tmp_path / "out" / "mask-000" / "mask.seg.nrrd")
    np.testing.assert_allclose(made.geometry.spacing, (0.3, 0.3, 3.0), rtol=1e-5)
    assert np.count_nonzero(made.voxels) > 0.8 * np.count_nonzero(voxels)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_million_fragments_are_refused_in_one_line_within_a_minute(run, tmp_path):
    voxels = np.zeros((432, 432, 432), np.uint8)
    voxels[::2, ::2, ::2] = 2
    assert np.count_nonzero(voxels) > 10_000_000
    mask = saved(LabelMap(voxels, Geometry(voxels.shape, (0.5, 0.5, 0.5)), CARDIAC), tmp_path / "dust.nrrd")
    start = time.perf_counter()
    assert "not clean" in refused(run, tmp_path / "out", mask, "--scheme", "cardiac")
    assert time.perf_counter() - start < 60


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_new_mask_goes_through_synthesis_with_the_shipped_weights(run, tmp_path):
    from StructDiffCore.config.resources import resources_folder
    from StructDiffCore.io.files import read_volume

    template = resources_folder() / "Templates" / "digital-heart"
    code, _, errors = run(["masks", template / "mask.seg.nrrd", "--out", tmp_path / "masks", "--seed", 2])
    assert code == 0, errors
    mask = tmp_path / "masks" / "mask-000" / "mask.seg.nrrd"
    pair = [template / "image.nrrd", template / "mask.seg.nrrd"]
    code, _, errors = run(["synthesize", mask, "--template", *pair, "--steps", 2, "--out", tmp_path / "ct"])
    assert code == 0, errors
    labels = read_label_map(mask)
    image = read_volume(next((tmp_path / "ct").glob("sample-*/image.*")))
    assert image.geometry.same_as(labels.geometry, tolerance_mm=0.01)
    blood, muscle = (np.median(image.voxels[labels.voxels == value]) for value in (3, 1))
    assert blood > muscle + 50
