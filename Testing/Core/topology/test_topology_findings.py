"""Findings: where something is wrong is where it was put, and a fix changes exactly what it says."""

import json
from pathlib import Path

import numpy as np
import pytest

from StructDiffCore.config.resources import shared_data_folder
from StructDiffCore.domain import CARDIAC, ExpectedTopology, Geometry, Label, LabelMap, LabelScheme, StructDiffError
from StructDiffCore.io.files import read_label_map
from StructDiffCore.io.schemes import load_scheme
from StructDiffCore.topology.betti import betti_numbers
from StructDiffCore.topology.fixes import CHANGES, Fix
from StructDiffCore.topology.report import topology_report
from StructDiffCore.topology.structures import Structures

WHOLE = ExpectedTopology(1, 0, 0)
SCHEME = LabelScheme(
    "drawn",
    (
        Label(1, "aorta", expected=WHOLE),
        Label(2, "left coronary tree", thin=True, expected=WHOLE),
        Label(3, "right coronary tree", thin=True, expected=WHOLE),
    ),
    ((1, 2),),
    ((2, 3),),
)
GEOMETRY = Geometry((60, 40, 30), (0.5, 0.5, 0.5), (10.0, -20.0, 5.0))


def a_mask(*strokes):
    """Boxes (value, i, j, k as (first, last + 1)) painted one after another."""
    voxels = np.zeros(GEOMETRY.shape, np.uint8)
    for value, *sides in strokes:
        voxels[tuple(slice(*side) for side in sides)] = value
    return LabelMap(voxels, GEOMETRY, SCHEME)


AORTA = (1, (2, 12), (2, 38), (2, 28))
VESSEL = (2, (12, 50), (18, 22), (13, 17))


def found(report, kind):
    return [finding for finding in report.findings if finding.kind == kind]


def repaired(mask, kind):
    """The one finding of a kind, its fix applied, and what the edit did to its label's Betti numbers."""
    report = topology_report(mask)
    (finding,) = found(report, kind)
    fix = report.repair(mask, finding)
    return finding, fix, fix.applied(mask)


def assert_only_its_label_changed(mask, fix, after):
    before_betti, after_betti = (betti_numbers(m.voxels == fix.label) for m in (mask, after))
    change = tuple(getattr(after_betti, b) - getattr(before_betti, b) for b in ("b0", "b1", "b2"))
    assert change == CHANGES[fix.kind]
    others = [value for value in (1, 2, 3) if value != fix.label]
    for value in others:
        assert np.array_equal(mask.voxels == value, after.voxels == value)
    assert np.array_equal(fix.undone().applied(after).voxels, mask.voxels)


def test_a_healthy_mask_passes():
    report = topology_report(a_mask(AORTA, VESSEL))
    assert report.verdict == "pass"
    assert report.contacts == {"aorta - left coronary tree": 1}
    assert not [finding for finding in report.findings if finding.severity != "note"]


def test_a_cavity_is_found_in_its_place_and_filled():
    mask = a_mask(AORTA, VESSEL, (0, (5, 7), (10, 12), (10, 13)))
    finding, fix, after = repaired(mask, "cavity")
    np.testing.assert_allclose(finding.position_mm, GEOMETRY.to_world((5.5, 10.5, 11)))
    assert finding.size == pytest.approx(12 * 0.125)
    assert_only_its_label_changed(mask, fix, after)
    assert topology_report(after).verdict == "pass"


def test_a_cavity_that_holds_another_label_is_not_filled():
    mask = a_mask(AORTA, VESSEL, (3, (5, 9), (10, 14), (10, 14)))
    report = topology_report(mask)
    with pytest.raises(StructDiffError, match="no safe fix"):
        report.repair(mask, found(report, "cavity")[0])


def test_a_speck_is_dropped():
    mask = a_mask(AORTA, VESSEL, (1, (40, 41), (5, 6), (5, 6)))
    finding, fix, after = repaired(mask, "fragment")
    np.testing.assert_allclose(finding.position_mm, GEOMETRY.to_world((40, 5, 5)))
    assert_only_its_label_changed(mask, fix, after)


def test_a_gap_between_two_ends_is_bridged():
    mask = a_mask(AORTA, VESSEL, (0, (30, 35), (18, 22), (13, 17)))
    finding, fix, after = repaired(mask, "gap")
    np.testing.assert_allclose(finding.position_mm, GEOMETRY.to_world((32, 19.5, 14.5)), atol=0.8)
    assert 2.0 <= finding.size <= 5.0
    assert_only_its_label_changed(mask, fix, after)
    assert topology_report(after).verdict == "pass"


def test_a_loop_is_cut_at_its_thinnest_place():
    detour = [(2, (20, 24), (22, 34), (13, 17)), (2, (40, 44), (22, 34), (13, 17)), (2, (20, 44), (32, 34), (14, 16))]
    mask = a_mask(AORTA, VESSEL, *detour)
    finding, fix, after = repaired(mask, "loop")
    index = GEOMETRY.to_index(finding.position_mm)
    assert index[1] >= 31  # the thin way round, not the vessel
    assert_only_its_label_changed(mask, fix, after)


def test_a_missing_contact_names_the_distance():
    report = topology_report(a_mask(AORTA, (2, (15, 50), (18, 22), (13, 17))))
    (finding,) = found(report, "missing contact")
    assert finding.size == pytest.approx(2.0)
    assert report.verdict == "fail"
    assert "aorta - left coronary tree: touch in 0 places, expected 1" in report.lines()


def test_trees_that_touch_are_found_where_they_do():
    report = topology_report(a_mask(AORTA, VESSEL, (3, (30, 32), (22, 38), (13, 15))))
    (finding,) = found(report, "crossing trees")
    np.testing.assert_allclose(finding.position_mm, GEOMETRY.to_world((30.5, 22, 13.5)), atol=0.6)
    assert report.verdict == "fail"


def test_a_neck_is_found_at_its_place():
    mask = a_mask(AORTA, VESSEL, (0, (30, 36), (18, 22), (13, 17)), (2, (30, 36), (19, 20), (14, 15)))
    (finding,) = found(topology_report(mask), "thin neck")
    assert 30 <= GEOMETRY.to_index(finding.position_mm)[0] <= 36


def test_a_fix_for_another_mask_is_refused_and_survives_json():
    mask = a_mask(AORTA, VESSEL, (0, (5, 7), (10, 12), (10, 13)))
    _, fix, after = repaired(mask, "cavity")
    again = Fix.from_dict(json.loads(json.dumps(fix.as_dict())))
    assert np.array_equal(again.applied(mask).voxels, after.voxels)
    with pytest.raises(StructDiffError, match="has changed"):
        again.applied(after)


def test_structures_after_an_edit_equal_a_fresh_count():
    mask = a_mask(AORTA, VESSEL)
    _, _, after = repaired(a_mask(AORTA, VESSEL, (0, (5, 7), (10, 12), (10, 13))), "cavity")
    edited = mask.voxels.copy()
    edited[5:7, 10:12, 10:13] = 0
    structures = Structures.of(mask.voxels).updated(edited, (slice(5, 7), slice(10, 12), slice(10, 13)))
    assert {v: s.betti for v, s in structures.of_value.items()} == {v: s.betti for v, s in Structures.of(edited).of_value.items()}
    assert after.present == (1, 2)


def test_a_diagonal_contact_is_called_fragile():
    voxels = np.zeros((8, 8, 8), np.uint8)
    voxels[1:4, 1:4, 1:4] = voxels[4:7, 4:7, 4:7] = 1
    report = topology_report(LabelMap(voxels, Geometry((8, 8, 8)), LabelScheme("one", (Label(1, "blob"),))))
    assert found(report, "diagonal contact")[0].severity == "note"


@pytest.mark.parametrize("dtype", [np.int64, np.float64, bool])
def test_any_kind_of_whole_numbers_is_counted(dtype):
    voxels = (a_mask(AORTA).voxels > 0).astype(dtype)
    report = topology_report(LabelMap(voxels, GEOMETRY, SCHEME))
    assert report.of_label(1).betti == betti_numbers(voxels > 0)


def test_flat_voxels_one_voxel_and_the_border_are_no_trouble():
    voxels = np.zeros((40, 40, 12), np.uint8)
    voxels[18:23, 18:23, :] = 8
    voxels[5, 5, 5] = 9
    report = topology_report(LabelMap(voxels, Geometry((40, 40, 12), (0.3, 0.3, 3.0)), CARDIAC))
    graph = report.of_label(8).graph
    assert len(graph.ends) == 2
    assert graph.segments[0].mean_radius_mm == pytest.approx(np.sqrt(25 * 0.09 / np.pi), abs=0.12)
    assert found(report, "border")[0].label == 8
    assert report.of_label(9).graph.segments == ()


def test_a_volume_of_one_value_is_one_block():
    report = topology_report(LabelMap(np.full((9, 9, 9), 3), Geometry((9, 9, 9)), CARDIAC))
    assert report.lines() == ["left ventricle: 1 piece, 0 loops, 0 cavities"]


def test_very_many_fragments_are_summed_up():
    voxels = np.zeros((60, 60, 60), np.uint8)
    voxels[::2, ::2, ::2] = 8
    report = topology_report(LabelMap(voxels, Geometry((60, 60, 60)), CARDIAC))
    assert report.of_label(8).betti.b0 == 27_000
    assert len(found(report, "fragment")) == 21
    assert "26979 more separate pieces" in found(report, "fragment")[-1].message
    assert len(json.dumps(report.as_dict(with_profile=True))) < 100_000


@pytest.mark.slow
def test_ten_million_fragments_are_counted():
    voxels = np.zeros((432, 432, 432), np.uint8)
    voxels[::2, ::2, ::2] = 8
    report = topology_report(LabelMap(voxels, Geometry(voxels.shape), CARDIAC))
    assert report.of_label(8).betti.b0 == 216**3


HRA = load_scheme(Path(__file__).parents[2] / "Examples" / "scheme-hra-heart.json")


def test_a_modelled_heart_in_two_pieces_without_ostia_is_told_so():
    folder = shared_data_folder()
    if folder is None:
        pytest.skip("the shared data folder is absent")
    whole = read_label_map(folder / "hra_VH_F_heart_coronary_labels_0p5mm.nii.gz")
    voxels = np.where(np.isin(whole.voxels, HRA.values), whole.voxels, 0)
    report = topology_report(LabelMap(voxels, whole.geometry, HRA))
    assert "left coronary tree: 2 pieces, expected 1" in report.lines()
    assert "aorta - left coronary tree: touch in 0 places, expected 1" in report.lines()
    assert "aorta - right coronary tree: touch in 0 places, expected 1" in report.lines()
    assert len(found(report, "missing contact")) == 2
    assert any(finding.label == 16 for finding in found(report, "fragment"))
    assert report.verdict == "fail"
