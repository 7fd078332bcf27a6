"""``structdiff topology`` end to end: table, JSON, page, comparison, refusals."""

import json

import numpy as np
import pytest

from StructDiffCore.cli.main import main
from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, LabelScheme
from StructDiffCore.io.files import write_label_map


def a_heart_of_boxes():
    voxels = np.zeros((40, 30, 30), np.uint8)
    voxels[2:10, 2:28, 2:28] = 6
    voxels[10:36, 12:17, 12:17] = 8
    return voxels


def written(tmp_path, voxels, name="mask.nii.gz"):
    scheme = LabelScheme.from_values(np.unique(voxels))
    path = tmp_path / name
    write_label_map(LabelMap(voxels, Geometry(voxels.shape, (0.5, 0.5, 0.5)), scheme), path)
    return str(path)


def test_json_has_the_promised_shape(tmp_path, capsys):
    mask = written(tmp_path, a_heart_of_boxes())
    assert main(["topology", mask, "--scheme", "cardiac", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["geometry"]["spacing_mm"] == [0.5, 0.5, 0.5]
    tree = told["labels"]["8"]
    assert tree["name"] == "left coronary tree"
    assert tree["betti"] == [1, 0, 0]
    assert tree["volume_mm3"] == pytest.approx(26 * 25 * 0.125)
    assert len(tree["components"]) == 1
    assert len(tree["graph"]["segments"][0]["radii_mm"]) == len(tree["graph"]["segments"][0]["points_ras_mm"])
    assert told["verdict"] == "pass"


def test_a_person_reads_a_table_and_gets_a_page(tmp_path, capsys):
    broken = a_heart_of_boxes()
    broken[20:23, 12:17, 12:17] = 0
    broken[5, 5, 5] = 0
    assert main(["topology", written(tmp_path, broken), "--scheme", "cardiac", "--report", str(tmp_path / "page")]) == 0
    words = capsys.readouterr().out
    assert "left coronary tree: 2 pieces, 0 loops, 4 ends" in words
    assert "aorta: an enclosed cavity of 0.125 mm3" in words
    assert "verdict: fail" in words
    assert {path.name for path in (tmp_path / "page").iterdir()} == {"topology.html", "topology.json", "mask_3d.png"}


def test_a_mask_is_held_against_a_reference(tmp_path, capsys):
    shorter = a_heart_of_boxes()
    shorter[30:, 12:17, 12:17] = 0
    reference = written(tmp_path, a_heart_of_boxes(), "reference.nii.gz")
    mask = written(tmp_path, shorter)
    assert main(["topology", mask, "--against", reference, "--scheme", "cardiac", "--json"]) == 0
    against = json.loads(capsys.readouterr().out)["against"]
    assert against["6"]["dice"] == 1.0
    assert against["6"]["hd95_mm"] == 0.0
    assert against["8"]["dice"] == pytest.approx(2 * 20 / 46, abs=1e-6)
    assert against["8"]["betti_error"] == [0, 0, 0]
    assert against["8"]["betti_matching_error"] == [0, 0, 0]
    assert 0.7 < against["8"]["cldice"] < 1.0
    assert against["8"]["branch_recall"]["branches"][0]["covered"] == pytest.approx(20 / 26, abs=0.12)


def test_a_label_outside_the_scheme_is_a_finding_not_a_crash(tmp_path, capsys):
    voxels = a_heart_of_boxes()
    voxels[38, 2, 2] = 77
    assert main(["topology", written(tmp_path, voxels), "--scheme", "cardiac", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert "label not in the scheme" in [finding["kind"] for finding in told["findings"]]
    assert told["verdict"] == "fail"


@pytest.mark.parametrize(
    ("voxels", "arguments", "words"),
    [
        (np.zeros((6, 6, 6), np.uint8), [], "empty"),
        (np.full((6, 6, 6), 99, np.uint8), ["--scheme", "cardiac"], "none of its labels"),
        (np.arange(1000, dtype=np.uint16).reshape(10, 10, 10), [], "label map, not an image"),
        (np.ones((6, 6, 6), np.uint8), ["--scheme", "nonsense"], "no label scheme"),
        (np.ones((6, 6, 6), np.uint8), ["--against", "absent.nii.gz"], "absent.nii.gz"),
    ],
)
def test_bad_input_is_refused_in_one_line(tmp_path, capsys, voxels, arguments, words):
    mask = LabelMap(voxels, Geometry(voxels.shape), LabelScheme.from_values(np.unique(voxels)))
    write_label_map(mask, tmp_path / "mask.nii.gz")
    assert main(["topology", str(tmp_path / "mask.nii.gz"), *arguments]) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("structdiff:")]
    assert len(said) == 1
    assert words in said[0]


def test_masks_on_different_grids_are_not_compared(tmp_path, capsys):
    mask = written(tmp_path, a_heart_of_boxes())
    other = written(tmp_path, a_heart_of_boxes()[:, :, 2:], "other.nii.gz")
    assert main(["topology", mask, "--against", other, "--scheme", "cardiac"]) == 2
    assert "different grids" in capsys.readouterr().err


def test_the_cardiac_scheme_keeps_the_two_trees_apart():
    assert CARDIAC.apart == ((8, 9),)
