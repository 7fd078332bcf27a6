"""Slicer's .seg.nrrd: names, colours, codes and layers."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from StructDiffCore.domain import CARDIAC, Geometry, Label, LabelMap, LabelScheme, StructDiffError
from StructDiffCore.io.files import read_label_map, write_label_map

GRID = Geometry((6, 6, 6))
HEAD = (
    "NRRD0004\ntype: unsigned char\ndimension: {dimension}\nspace: left-posterior-superior\nsizes: {sizes}\n"
    "space directions: {none}(1,0,0) (0,1,0) (0,0,1)\nkinds: {list}domain domain domain\nencoding: raw\nspace origin: (0,0,0)\n"
)


def write_layers(path, layers: np.ndarray, fields: str) -> None:
    """A file as Slicer writes it, by hand: ``layers`` (layer, i, j, k)."""
    many = len(layers) > 1
    sizes = " ".join(str(n) for n in (layers.shape if many else layers.shape[1:]))
    head = HEAD.format(dimension=4 if many else 3, sizes=sizes, none="none " if many else "", list="list " if many else "")
    path.write_bytes((head + fields + "\n").encode() + layers.transpose(3, 2, 1, 0).astype(np.uint8).tobytes())


def segment(n: int, name: str, value: int, layer: int, tags: str = "") -> str:
    return (
        f"Segment{n}_Name:={name}\nSegment{n}_LabelValue:={value}\nSegment{n}_Layer:={layer}\n"
        f"Segment{n}_Color:=0.2 0.4 0.6\nSegment{n}_Tags:={tags}\n"
    )


def test_what_is_written_names_every_segment_for_slicer(tmp_path):
    labels = np.zeros(GRID.shape, int)
    labels[1], labels[3] = 6, 8
    write_label_map(LabelMap(labels, GRID, CARDIAC), tmp_path / "m.seg.nrrd")
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(tmp_path / "m.seg.nrrd"))
    reader.ReadImageInformation()
    assert reader.GetMetaData("Segment0_Name") == "aorta"
    assert reader.GetMetaData("Segment1_Name") == "left coronary tree"
    assert reader.GetMetaData("Segment1_LabelValue") == "8"
    assert "~SCT^3227004^left coronary tree~" in reader.GetMetaData("Segment1_Tags")
    assert reader.GetMetaData("Segmentation_ContainedRepresentationNames") == "Binary labelmap|"
    np.testing.assert_allclose(
        [float(c) for c in reader.GetMetaData("Segment0_Color").split()], np.divide((224, 97, 76), 255), atol=1e-5
    )


def test_a_cardiac_mask_comes_back_as_cardiac(tmp_path):
    labels = np.zeros(GRID.shape, int)
    labels[1], labels[3] = 6, 9
    write_label_map(LabelMap(labels, GRID, CARDIAC), tmp_path / "m.seg.nrrd")
    assert read_label_map(tmp_path / "m.seg.nrrd").scheme is CARDIAC


def test_other_names_and_colours_come_back(tmp_path):
    scheme = LabelScheme("liver", (Label(3, "liver", (1, 2, 3), "10200004"), Label(5, "portal vein", (9, 8, 7))))
    labels = np.zeros(GRID.shape, int)
    labels[1], labels[3] = 3, 5
    write_label_map(LabelMap(labels, GRID, scheme), tmp_path / "m.seg.nrrd")
    back = read_label_map(tmp_path / "m.seg.nrrd").scheme
    assert back[3] == Label(3, "liver", (1, 2, 3), "10200004")
    assert back.named("portal vein").colour == (9, 8, 7)


def test_disjoint_layers_are_flattened_and_renumbered_when_values_repeat(tmp_path):
    layers = np.zeros((2, 4, 4, 4))
    layers[0, 0], layers[1, 2] = 1, 1
    write_layers(tmp_path / "m.seg.nrrd", layers, segment(0, "liver", 1, 0) + segment(1, "vein", 1, 1))
    mask = read_label_map(tmp_path / "m.seg.nrrd")
    assert np.all(mask.voxels[0] == 1)
    assert np.all(mask.voxels[2] == 2)
    assert mask.scheme[2].name == "vein"


def test_values_that_differ_between_layers_are_kept(tmp_path):
    layers = np.zeros((2, 4, 4, 4))
    layers[0, 0], layers[1, 2] = 4, 7
    write_layers(tmp_path / "m.seg.nrrd", layers, segment(0, "liver", 4, 0) + segment(1, "vein", 7, 1))
    assert read_label_map(tmp_path / "m.seg.nrrd").present == (4, 7)


def test_overlapping_segments_are_refused_by_name(tmp_path):
    layers = np.zeros((2, 4, 4, 4))
    layers[0, :2], layers[1, 1:] = 1, 1
    write_layers(tmp_path / "m.seg.nrrd", layers, segment(0, "liver", 1, 0) + segment(1, "vein", 1, 1))
    with pytest.raises(StructDiffError, match="'liver' and 'vein' overlap"):
        read_label_map(tmp_path / "m.seg.nrrd")


def test_a_code_makes_a_segment_cardiac_whatever_its_name(tmp_path):
    tags = "TerminologyEntry:Category~SCT^123037004^Anatomical Structure~SCT^15825003^Aorta~^^~Anatomic codes~^^~^^|"
    layers = np.zeros((1, 4, 4, 4))
    layers[0, 1] = 2
    write_layers(tmp_path / "m.seg.nrrd", layers, segment(0, "Segment_1", 2, 0, tags))
    mask = read_label_map(tmp_path / "m.seg.nrrd")
    assert mask.scheme[2].name == "aorta"
    assert mask.scheme[2].group == "blood"


def test_slicers_code_for_unnamed_tissue_says_nothing(tmp_path):
    tags = "TerminologyEntry:Category~SCT^85756007^Tissue~SCT^85756007^Tissue~^^~Anatomic codes~^^~^^|"
    layers = np.zeros((1, 4, 4, 4))
    layers[0, 1] = 2
    write_layers(tmp_path / "m.seg.nrrd", layers, segment(0, "my piece", 2, 0, tags))
    assert read_label_map(tmp_path / "m.seg.nrrd").scheme[2] == Label(2, "my piece", (51, 102, 153))


def test_files_of_old_slicers_hold_one_layer_of_ones_per_segment(tmp_path):
    layers = np.zeros((3, 4, 4, 4))
    layers[0, 0], layers[1, 1], layers[2, 2] = 1, 1, 1
    write_layers(tmp_path / "m.seg.nrrd", layers, "Segment0_Name:=a\nSegment1_Name:=b\nSegment2_Name:=c\n")
    mask = read_label_map(tmp_path / "m.seg.nrrd")
    assert [mask.scheme[v].name for v in mask.present] == ["a", "b", "c"]
    assert np.all(mask.voxels[1] == 2)


def test_an_unreadable_segment_is_refused_in_one_line(tmp_path):
    layers = np.ones((1, 4, 4, 4))
    write_layers(tmp_path / "m.seg.nrrd", layers, "Segment0_Name:=a\nSegment0_LabelValue:=one\n")
    with pytest.raises(StructDiffError, match="segment 0"):
        read_label_map(tmp_path / "m.seg.nrrd")
