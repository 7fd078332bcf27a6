"""``structdiff synthesize`` on a small scene: what it writes, what it says, and that it repeats."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
from cli_scene import COARSE, GRID, body

from StructDiffCore.domain import CARDIAC, LabelMap, LabelScheme
from StructDiffCore.io.files import read_label_map, read_volume, write_label_map


@pytest.fixture(scope="module")
def made(scene, tmp_path_factory):
    """Two samples with confidence maps, made once for this module."""
    from contextlib import redirect_stderr, redirect_stdout
    from io import StringIO

    from StructDiffCore.cli.main import main

    out = tmp_path_factory.mktemp("results") / "out"
    stdout, stderr = StringIO(), StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr):
        code = main([*scene.command(out), "--steps", "4", "--samples", "2", "--seed", "7", "--json"])
    assert code == 0, stderr.getvalue()
    return out, json.loads(stdout.getvalue()), stderr.getvalue()


def test_every_sample_has_its_files(made):
    out, _, _ = made
    assert sorted(path.name for path in out.iterdir()) == ["sample-000", "sample-001"]
    for sample in out.iterdir():
        assert sorted(path.name for path in sample.iterdir()) == [
            "confidence.nii.gz",
            "image.nii.gz",
            "image_clean.nii.gz",
            "manifest.json",
            "mask.nii.gz",
            "pictures",
        ]
        assert {path.name for path in (sample / "pictures").iterdir()} == {"planes.png", "mask_3d.png", "confidence.png"}


def test_the_volume_has_the_masks_exact_grid_and_true_int16(made, scene):
    out, _, _ = made
    image, mask = sitk.ReadImage(str(out / "sample-000/image.nii.gz")), sitk.ReadImage(str(scene.mask))
    assert image.GetPixelID() == sitk.sitkInt16
    for fact in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(image, fact)(), getattr(mask, fact)(), atol=1e-5)


def test_the_mask_comes_back_unchanged(made, scene):
    out, _, _ = made
    np.testing.assert_array_equal(read_label_map(out / "sample-001/mask.nii.gz").voxels, read_label_map(scene.mask).voxels)


def test_the_manifest_tells_what_decides_the_voxels(made):
    out, _, _ = made
    told = json.loads((out / "sample-000/manifest.json").read_text())
    assert told["synthetic"] is True
    assert {"structdiff", "torch", "numpy"} <= set(told["software"])
    assert len(told["weights_sha256"]) == 64
    assert told["seed"] == 7
    wanted = "template mask_id geometry topology quality memory_ladder device precision threads tiles code_origins alignment"
    assert set(wanted.split()) <= set(told)
    assert told["settings"]["sampler"] == "dpm_solver_pp_2m"
    assert told["quality"]["verdict"] in ("pass", "look")


def test_the_noise_free_volume_has_less_noise(made):
    out, _, _ = made
    noisy, clean = (read_volume(out / "sample-000" / name).voxels for name in ("image.nii.gz", "image_clean.nii.gz"))
    assert np.diff(noisy, axis=0).std() > np.diff(clean, axis=0).std()


def test_two_samples_differ_and_say_their_seeds(made):
    _, told, _ = made
    assert len({sample["seed"] for sample in told["samples"]}) == 2
    first, second = (read_volume(sample["image"]).voxels for sample in told["samples"])
    assert np.abs(first - second).max() > 1


def test_json_is_one_document_and_nothing_else_is_said(made):
    out, told, err = made
    assert (told["event"], told["exit_code"]) == ("finished", 0)
    assert [sample["folder"] for sample in told["samples"]] == [str(out / "sample-000"), str(out / "sample-001")]
    assert err == ""


def test_the_same_seed_gives_the_same_voxels(made, scene, tmp_path, run):
    _, told, _ = made
    seed = told["samples"][1]["seed"]
    code, words, err = run([*scene.command(tmp_path / "again"), "--steps", "4", "--seed", seed])
    assert code == 0, err
    assert "synthetic: never use them as a patient's scan" in words
    again = read_volume(tmp_path / "again/sample-000/image.nii.gz").voxels
    np.testing.assert_array_equal(again, read_volume(told["samples"][1]["image"]).voxels)
    again = read_volume(tmp_path / "again/sample-000/confidence.nii.gz").voxels
    np.testing.assert_array_equal(again, read_volume(told["samples"][1]["confidence"]).voxels)


def test_the_confidence_map_is_float32_on_the_masks_exact_grid(made, scene):
    out, _, _ = made
    found, mask = sitk.ReadImage(str(out / "sample-000/confidence.nii.gz")), sitk.ReadImage(str(scene.mask))
    assert found.GetPixelID() == sitk.sitkFloat32
    for fact in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(found, fact)(), getattr(mask, fact)(), atol=1e-5)
    voxels = sitk.GetArrayFromImage(found)
    assert voxels.min() >= 0
    assert voxels.max() > 0


def test_the_confidence_map_is_told_with_what_it_is_worth(made):
    out, told, _ = made
    manifest = json.loads((out / "sample-001/manifest.json").read_text())
    assert manifest["files"]["confidence"] == "confidence.nii.gz"
    assert manifest["confidence"]["method"] == manifest["settings"]["ssv"] == "trajectory"
    assert "not measured at these settings" in manifest["confidence"]["worth"]
    assert set(manifest["confidence"]["median_hu"]) == {"label 1", "label 3", "label 6"}
    assert told["samples"][1]["confidence"] == str(out / "sample-001/confidence.nii.gz")
    assert told["samples"][1]["ssv"] == "trajectory"
    assert told["samples"][1]["confidence_words"] == manifest["confidence"]["worth"]


def test_full_confidence_and_a_preset_go_with_explicit_options(scene, tmp_path, run):
    command = [*scene.command(tmp_path / "out"), "--preset", "best", "--samples", "1", "--ssv", "full"]
    code, out, err = run([*command, "--json"])
    assert code == 0, err
    manifest = json.loads((tmp_path / "out/sample-000/manifest.json").read_text())
    assert manifest["settings"]["steps"] == 1
    assert len(manifest["confidence"]["grids"]) == 5
    assert json.loads(out)["samples"][0]["ssv"] == "full"


def test_without_confidence_no_map_is_written_or_promised(scene, tmp_path, run):
    code, out, err = run([*scene.command(tmp_path / "out"), "--steps", "4", "--ssv", "off", "--json"])
    assert code == 0, err
    sample = tmp_path / "out/sample-000"
    assert not (sample / "confidence.nii.gz").exists()
    assert not (sample / "pictures/confidence.png").exists()
    assert json.loads((sample / "manifest.json").read_text())["confidence"] is None
    told = json.loads(out)
    assert told["samples"][0]["confidence"] is None
    assert not any("confidence.nii.gz" in line for line in told["summary"])


def test_a_template_mask_on_another_grid_goes_with_resample(scene, tmp_path, run):
    write_label_map(LabelMap(body(COARSE), COARSE, CARDIAC), tmp_path / "coarse.nii.gz")
    code, _, err = run([*scene.command(tmp_path / "out", labels=tmp_path / "coarse.nii.gz"), "--resample"])
    assert code == 0, err


def test_labels_of_another_numbering_go_with_a_correspondence(scene, tmp_path, run):
    labels = body(GRID, 1.5).astype(np.uint8) * 10
    scheme = LabelScheme.from_values([10, 30, 60])
    write_label_map(LabelMap(labels, GRID, scheme), tmp_path / "tens.nii.gz")
    command = scene.command(tmp_path / "out", mask=tmp_path / "tens.nii.gz")
    code, _, err = run([*command, "--correspondence", "10=1", "30=3", "60=6"])
    assert code == 0, err
    origins = json.loads((tmp_path / "out/sample-000/manifest.json").read_text())["code_origins"]
    assert set(origins.values()) == {"correspondence:1", "correspondence:3", "correspondence:6"}
