"""Geometry: any spacing, direction and origin goes core -> MRML -> core and file -> MRML -> file without moving a voxel."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, StructDiffError, Volume

quickly = settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
millimetres = st.floats(0.1, 5.0, allow_nan=False)
positions = st.floats(-500, 500, allow_nan=False)


@st.composite
def grids(draw):
    """Any grid: a random rotation, perhaps mirrored."""
    turn, _upper = np.linalg.qr(np.random.default_rng(draw(st.integers(0, 10**6))).normal(size=(3, 3)))
    if draw(st.booleans()):
        turn[:, 0] *= -1
    shape = draw(st.tuples(*[st.integers(2, 7)] * 3))
    return Geometry(shape, draw(st.tuples(*[millimetres] * 3)), draw(st.tuples(*[positions] * 3)), turn)


def voxels_for(grid, seed=0):
    return np.random.default_rng(seed).integers(-1000, 3000, grid.shape).astype(np.float32)


def labels_for(grid, seed=0):
    labels = np.random.default_rng(seed).choice([0, 0, 6, 8], grid.shape).astype(np.uint8)
    labels[0, 0, 0] = 6
    return LabelMap(labels, grid, CARDIAC)


def refuse_other_places(one, other):
    """Every voxel of one lies in the world where the voxel of that value lies in the other."""
    index = np.argwhere(np.ones(one.geometry.shape, bool))
    there = other.geometry.to_index(one.geometry.to_world(index))
    np.testing.assert_allclose(there, np.rint(there), atol=1e-6)
    place = tuple(np.rint(there).astype(int).T)
    np.testing.assert_array_equal(one.voxels[tuple(index.T)], other.voxels[place])


@given(grids())
@quickly
def test_a_volume_keeps_its_world_positions_in_the_scene(bridge, grid):
    import vtk

    node = bridge.addVolume(Volume(voxels_for(grid), grid), "volume")
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    for corner in np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape])).reshape(3, -1).T:
        np.testing.assert_allclose(matrix.MultiplyPoint((*corner, 1))[:3], grid.to_world(corner), atol=1e-9)
    back = bridge.volumeOf(node)
    np.testing.assert_array_equal(back.voxels, voxels_for(grid))
    np.testing.assert_array_equal(back.geometry.affine, grid.affine)


@given(grids())
@quickly
def test_a_mask_keeps_its_world_positions_in_the_scene(bridge, grid):
    mask = labels_for(grid)
    back = bridge.labelMapOf(bridge.addSegmentation(mask, "mask"))
    np.testing.assert_array_equal(back.voxels, mask.voxels)
    np.testing.assert_array_equal(back.geometry.affine, grid.affine)


@given(grids())
@quickly
def test_a_file_written_by_the_core_lies_at_the_same_place_in_slicer(scene, tmp_path, grid):
    """Slicer reads LPS files by its own code, which turns left-handed axes round: each value must keep its world position."""
    import slicer
    from StructDiffLib.grids import geometryOf, voxelsOf

    from StructDiffCore.io.files import write_volume

    path = tmp_path / "volume.nrrd"
    write_volume(Volume(voxels_for(grid), grid), path)
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "from file")
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    refuse_other_places(Volume(voxelsOf(node.GetImageData()), geometryOf(node)), Volume(voxels_for(grid), grid))


@given(grids())
@quickly
def test_file_to_scene_to_file_moves_no_voxel(bridge, tmp_path, grid):
    from StructDiffCore.io.files import read_label_map, read_volume, write_label_map, write_volume

    write_volume(Volume(voxels_for(grid), grid), tmp_path / "a.nrrd")
    write_label_map(labels_for(grid), tmp_path / "a.seg.nrrd")
    image = bridge.addVolume(read_volume(tmp_path / "a.nrrd"), "image", integer=True)
    mask = bridge.addSegmentation(read_label_map(tmp_path / "a.seg.nrrd"), "mask")
    paths = bridge.exportInputs(mask, image, mask, tmp_path / "inputs")
    np.testing.assert_allclose(read_volume(paths["template_image"]).geometry.affine, grid.affine, atol=1e-6)
    np.testing.assert_array_equal(read_volume(paths["template_image"]).voxels, voxels_for(grid))
    back = read_label_map(paths["mask"], CARDIAC)
    np.testing.assert_allclose(back.geometry.affine, grid.affine, atol=1e-6)
    np.testing.assert_array_equal(back.voxels, labels_for(grid).voxels)


@given(grids())
@quickly
def test_a_segmentation_saved_by_slicer_reads_back_in_the_core(bridge, tmp_path, grid):
    """Slicer crops what it saves and writes LPS by its own code."""
    import slicer

    from StructDiffCore.io.files import read_label_map
    from StructDiffCore.io.same_grid import on_grid

    mask = labels_for(grid)
    node = bridge.addSegmentation(mask, "mask")
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(tmp_path / "saved.seg.nrrd"))
    assert storage.WriteData(node)
    back = read_label_map(tmp_path / "saved.seg.nrrd")
    assert back.scheme == CARDIAC or {back.scheme[v].name for v in back.present} == {CARDIAC[v].name for v in mask.present}
    renumbered = on_grid(back, grid, False).voxels
    for value in mask.present:
        np.testing.assert_array_equal(renumbered == back.scheme.named(CARDIAC[value].name).value, mask.voxels == value)


def test_a_parent_transform_moves_the_grid(bridge, scene, a_small_mask, a_small_image):
    import vtk

    shift = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 12.5)
    shift.SetMatrixTransformToParent(matrix)
    image, mask = bridge.addVolume(a_small_image, "image"), bridge.addSegmentation(a_small_mask, "mask")
    for node in (image, mask):
        node.SetAndObserveTransformNodeID(shift.GetID())
    wanted = np.add(a_small_image.geometry.origin, (12.5, 0, 0))
    np.testing.assert_allclose(bridge.volumeOf(image).geometry.origin, wanted)
    moved = bridge.labelMapOf(mask)
    np.testing.assert_allclose(moved.geometry.origin, wanted)
    np.testing.assert_array_equal(moved.voxels, a_small_mask.voxels)


def test_an_edit_under_a_transform_lies_where_it_was_made_and_undo_too(bridge, scene, a_small_mask):
    import vtk

    turn = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    rotation = vtk.vtkTransform()
    rotation.Translate(5, -7, 11)
    rotation.RotateWXYZ(30, 1, 2, 3)
    turn.SetMatrixTransformToParent(rotation.GetMatrix())
    node = bridge.addSegmentation(a_small_mask, "mask")
    node.SetAndObserveTransformNodeID(turn.GetID())
    before = bridge.labelMapOf(node)
    edited = before.voxels.copy()
    edited[12, 6:12, 6] = 0
    bridge.replaceLabels(node, LabelMap(edited, before.geometry, CARDIAC))
    after = bridge.labelMapOf(node)
    assert node.GetParentTransformNode() is turn
    assert after.geometry.same_as(before.geometry, 1e-6)
    np.testing.assert_array_equal(after.voxels, edited)
    assert bridge.undo(node)
    assert bridge.labelMapOf(node).geometry.same_as(before.geometry, 1e-6)
    np.testing.assert_array_equal(bridge.labelMapOf(node).voxels, before.voxels)


def test_a_sheared_volume_is_refused(bridge, scene, a_small_image):
    import vtk

    shear = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 1, 0.5)
    shear.SetMatrixTransformToParent(matrix)
    node = bridge.addVolume(a_small_image, "image")
    node.SetAndObserveTransformNodeID(shear.GetID())
    with pytest.raises(StructDiffError, match="sheared"):
        bridge.volumeOf(node)


def test_a_mask_on_another_grid_is_brought_to_the_images(bridge, a_small_mask):
    grid = a_small_mask.geometry
    finer = grid.with_spacing(tuple(s / 2 for s in grid.spacing))
    fine = bridge.labelMapOf(bridge.addSegmentation(a_small_mask, "mask"), finer)
    assert fine.geometry.same_as(finer)
    for value in a_small_mask.present:
        assert (fine.voxels == value).sum() == 8 * (a_small_mask.voxels == value).sum()
