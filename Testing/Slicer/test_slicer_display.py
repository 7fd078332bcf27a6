"""Display, on Slicer's own views: what a setting promises is seen in the pixels."""

import numpy as np
import pytest
from StructDiffLib import comparison, display, findings

from StructDiffCore.config.presets import CONFIDENCE_WINDOW_HU
from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, StructDiffError, Volume

GRID = Geometry((60, 60, 40), (1.0, 1.0, 1.0), (-30, -30, -20))
UNSURE = (slice(30, 45), slice(30, 45), slice(10, 30))


@pytest.fixture(scope="module")
def runtime():
    """One of its own: the other tests' scenes need not be drawn."""
    from slicerRuntime import SlicerRuntime

    return SlicerRuntime()


@pytest.fixture(scope="module")
def views(runtime):
    pytest.importorskip("trame_slicer")
    from slicerViews import SlicerViews

    return SlicerViews(runtime)


@pytest.fixture
def a_scene(bridge):
    """A grey volume with one uncertain block, and a vessel that runs through it."""
    image = bridge.addVolume(Volume(np.full(GRID.shape, 50, np.float32), GRID), "CT")
    image.GetDisplayNode().SetAutoWindowLevel(False)
    image.GetDisplayNode().SetWindowLevelMinMax(-100, 300)
    deviation = np.full(GRID.shape, 2.0, np.float32)
    deviation[UNSURE] = 55.0
    confidence = bridge.addVolume(Volume(deviation, GRID), "confidence")
    labels = np.zeros(GRID.shape, np.uint8)
    labels[10:50, 36:40, 18:22] = 8
    mask = bridge.addSegmentation(LabelMap(labels, GRID, CARDIAC), "mask")
    return image, confidence, mask


def seen(views, name="Red", **how):
    from slicerViews import picture

    view = views.slice(name, **how)
    view.fit_view_to_content()
    return picture(view).astype(int)


def coloured(pixels):
    """Pixels that are not grey."""
    return (pixels.max(axis=2) - pixels.min(axis=2)) > 25


def world_of_pixels(views, shape, name="Red"):
    """(height, width, 3) RAS of each pixel of a slice view."""
    matrix = views.slice(name).get_view_node().GetXYToRAS()
    height, width = shape[:2]
    x, y = np.meshgrid(np.arange(width), height - 1 - np.arange(height))
    xyz = np.stack([x, y, np.zeros_like(x), np.ones_like(x)], axis=-1)
    toWorld = np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(3)])
    return xyz @ toWorld.T


def test_the_overlay_covers_the_uncertain_region_and_nothing_else(views, scene, a_scene):
    image, confidence, _mask = a_scene
    views.slice("Red")
    display.showConfidence(scene, image, confidence)
    findings.jump(scene, (0.0, 0.0, 0.0))
    _mask.GetDisplayNode().SetVisibility(False)
    pixels = seen(views)
    index = GRID.to_index(world_of_pixels(views, pixels.shape))
    inside = np.all([(index[..., a] > UNSURE[a].start) & (index[..., a] < UNSURE[a].stop - 1) for a in (0, 1)], axis=0)
    outside = np.any([(index[..., a] < UNSURE[a].start - 1) | (index[..., a] > UNSURE[a].stop) for a in (0, 1)], axis=0)
    assert inside.sum() > 1000
    assert coloured(pixels)[inside].mean() > 0.99
    assert coloured(pixels)[outside].mean() < 0.01


def test_the_overlay_can_be_taken_away(views, scene, a_scene):
    image, confidence, mask = a_scene
    views.slice("Red")
    mask.GetDisplayNode().SetVisibility(False)
    display.showConfidence(scene, image, confidence)
    display.hideConfidence(scene)
    assert not coloured(seen(views)).any()


def test_the_legend_is_there_and_goes(views, scene, a_scene):
    image, confidence, mask = a_scene
    views.slice("Red")
    mask.GetDisplayNode().SetVisibility(False)
    display.showConfidence(scene, image, confidence, thresholdHU=59.0)
    without = seen(views)
    display.showLegend(scene, confidence)
    changed = np.abs(seen(views) - without).max(axis=2) > 40
    assert changed[:, : changed.shape[1] // 2].sum() == 0
    assert changed[:, changed.shape[1] // 2 :].sum() > 800
    bar = coloured(seen(views))
    assert bar.sum() > 300
    assert np.ptp(np.argwhere(bar)[:, 0]) > 80
    display.showLegend(scene, confidence, False)
    assert not coloured(seen(views)).any()


def test_the_mask_is_an_outline(views, scene, a_scene):
    image, _confidence, mask = a_scene
    display.showOutline(mask)
    display.hideConfidence(scene)
    for composite in display.sliceComposites(scene):
        composite.SetBackgroundVolumeID(image.GetID())
    findings.jump(scene, (0.0, 7.0, 0.0))
    outline = coloured(seen(views))
    display.showOutline(mask, False)
    assert 0 < outline.sum() < 0.5 * coloured(seen(views)).sum()


def test_the_vessel_surface_has_the_colours_of_the_confidence(views, scene, a_scene):
    from slicerViews import picture
    from vtk.util.numpy_support import vtk_to_numpy

    _image, confidence, mask = a_scene
    model = display.colourSurface(scene, mask, confidence, windowHU=60.0, colourNode=display.confidenceColours(scene))
    points = vtk_to_numpy(model.GetPolyData().GetPoints().GetData())
    values = vtk_to_numpy(model.GetPolyData().GetPointData().GetScalars())
    along = GRID.to_index(points)[:, 0]
    np.testing.assert_allclose(values[(along > 31) & (along < 43)], 55, atol=0.01)
    np.testing.assert_allclose(values[(along < 28) | (along > 46)], 2, atol=0.01)
    view = views.threeD()
    view.fit_view_to_content()
    pixels = picture(view).astype(int)
    bright = (pixels[..., 0] > 150) & (pixels[..., 1] > 120)
    dark = (pixels[..., 2] > pixels[..., 1] + 25) & (pixels[..., 0] > pixels[..., 1] + 15)
    assert bright.sum() > 200
    assert dark.sum() > 200
    assert display.colourSurface(scene, mask, confidence, on=False) is None
    assert scene.GetNodeByID(model.GetID() or "") is None


def test_slices_and_surface_share_one_colour_scale(scene, a_scene):
    image, confidence, mask = a_scene
    display.showConfidence(scene, image, confidence)
    model = display.colourSurface(scene, mask, confidence)
    shown = confidence.GetDisplayNode()
    assert model.GetDisplayNode().GetScalarRange() == CONFIDENCE_WINDOW_HU
    assert (shown.GetWindowLevelMin(), shown.GetWindowLevelMax()) == CONFIDENCE_WINDOW_HU


def test_the_surface_follows_an_oblique_mirrored_grid(scene, bridge, an_oblique_grid, a_small_mask):
    from StructDiffLib.surfaceColours import probedSurface
    from vtk.util.numpy_support import vtk_to_numpy

    index = np.indices(an_oblique_grid.shape).astype(np.float32)
    confidence = bridge.addVolume(Volume(index[0] + 2 * index[1] + 3 * index[2], an_oblique_grid), "ramp")
    surface = probedSurface(bridge.addSegmentation(a_small_mask, "mask"), confidence)
    points = an_oblique_grid.to_index(vtk_to_numpy(surface.GetPoints().GetData()))
    values = vtk_to_numpy(surface.GetPointData().GetScalars())
    np.testing.assert_allclose(values, points @ (1, 2, 3), atol=1e-3)


def test_the_next_uncertain_spot_is_another_one_and_comes_round(bridge):
    deviation = np.zeros(GRID.shape, np.float32)
    for value, place in ((60, (10, 10, 10)), (50, (40, 40, 30)), (40, (10, 50, 20))):
        deviation[tuple(slice(p, p + 3) for p in place)] = value
        deviation[tuple(p + 1 for p in place)] = value + 1
    node = bridge.addVolume(Volume(deviation, GRID), "confidence")
    visited = [display.nextUncertainSpot(node)]
    for _n in range(3):
        visited.append(display.nextUncertainSpot(node, visited[-1]))
    np.testing.assert_allclose(GRID.to_index(visited), [(11, 11, 11), (41, 41, 31), (11, 51, 21), (11, 11, 11)], atol=1e-6)
    assert display.nextUncertainSpot(node, thresholdHU=100) is None


def test_a_threshold_above_the_window_is_refused(scene, a_scene):
    image, confidence, _mask = a_scene
    with pytest.raises(StructDiffError, match="shows nothing"):
        display.showConfidence(scene, image, confidence, thresholdHU=60, windowHU=60)


def test_the_comparison_shows_both_volumes_with_linked_slices(views, scene, bridge, a_scene):
    from slicerViews import picture

    image, _confidence, mask = a_scene
    mask.GetDisplayNode().SetVisibility(False)
    bright = bridge.addVolume(Volume(np.full(GRID.shape, 250, np.float32), GRID), "template")
    bright.GetDisplayNode().SetAutoWindowLevel(False)
    bright.GetDisplayNode().SetWindowLevelMinMax(-100, 300)
    rows = views.ofLayout(comparison.layoutDescription(), size=(100, 100))
    layout = scene.AddNewNodeByClass("vtkMRMLLayoutNode")
    layout.SetViewArrangement(3)
    assert display.compareLayout(scene, layout, bright, image) == layout.GetViewArrangement()
    for row, grey in zip(rows, (223, 96)):
        for view in row:
            view.fit_view_to_content()
            middle = picture(view)[40:60, 40:60]
            assert np.abs(middle.astype(int) - grey).max() <= 3
    composites = [composite for side in ("Template", "Synthetic") for composite in comparison.compositesOf(scene, side)]
    assert len(composites) == 6
    assert all(composite.GetLinkedControl() and composite.GetHotLinkedControl() for composite in composites)
    display.restoreLayout(layout)
    assert layout.GetViewArrangement() == 3


def test_volume_rendering_comes_on_demand_and_goes(views, runtime, scene, a_scene):
    from slicerViews import picture

    _image, confidence, mask = a_scene
    mask.GetDisplayNode().SetVisibility(False)
    view = views.threeD(size=(80, 80))
    before = picture(view).astype(int)
    shown = display.renderVolume(runtime.logics["volumeRendering"], confidence)
    view.fit_view_to_content()
    after = picture(view).astype(int)
    assert (np.abs(after - before).max(axis=2) > 30).sum() > 50
    display.renderVolume(runtime.logics["volumeRendering"], confidence, False)
    assert not shown.GetVisibility()


def test_the_surface_of_a_thin_vessel_stays_whole(bridge):
    """Slicer's usual smoothing makes a vessel of two voxels vanish."""
    from vtk.util.numpy_support import vtk_to_numpy

    labels = np.zeros(GRID.shape, np.uint8)
    labels[5:55, 30:32, 20:22] = 8
    node = bridge.addSegmentation(LabelMap(labels, GRID, CARDIAC), "thin")
    display.showSurface(node)
    surface = node.GetSegmentation().GetNthSegment(0).GetRepresentation("Closed surface")
    along = GRID.to_index(vtk_to_numpy(surface.GetPoints().GetData()))[:, 0]
    assert set(np.rint(along).astype(int)) >= set(range(6, 54))
    assert along.min() < 6
    assert along.max() > 53


def test_a_finding_is_a_red_point_at_its_place_in_slices_and_3d_and_goes_with_its_list(views, scene, bridge, a_scene):
    from slicerViews import picture

    image, _confidence, mask = a_scene
    views.slice("Red")
    view = views.threeD()
    mask.GetDisplayNode().SetVisibility(False)
    for composite in display.sliceComposites(scene):
        composite.SetBackgroundVolumeID(image.GetID())
    place = (8.0, -6.0, 3.0)
    message = "left coronary tree: a separate piece"
    points = bridge.addFindings([findings.FindingRow("fragment", "error", 8, "LCA", message, place, 1.0, "mm3", True)])
    seen(views)
    findings.jump(scene, place, centred=False)
    pixels = picture(views.slice("Red")).astype(int)
    world = world_of_pixels(views, pixels.shape)
    red = (pixels[..., 0] > 180) & (pixels[..., 1] < 90)
    assert red.sum() > 20
    assert np.linalg.norm(world[red][:, :2] - place[:2], axis=1).min() < 1.5
    view.fit_view_to_content()
    inSpace = picture(view).astype(int)
    assert ((inSpace[..., 0] > 120) & (inSpace[..., 1] < 90)).sum() > 20
    scene.RemoveNode(points)
    assert not coloured(picture(views.slice("Red")).astype(int)).any()
