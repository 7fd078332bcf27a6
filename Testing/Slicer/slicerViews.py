"""Slicer's own slice and 3D views, rendered without a screen, as pictures (height, width, 3)."""

from xml.etree import ElementTree

import numpy as np
import slicer
import vtk
from trame_slicer.views import SliceView, ThreeDView
from trame_slicer.views.abstract_view import ViewProps
from vtk.util.numpy_support import vtk_to_numpy

GAP = 6


class SlicerViews:
    """The views of one runtime; each is made on its first use and drawn when a picture is asked for, not at every change."""

    def __init__(self, runtime):
        self._runtime = runtime
        self._views = {}
        for factory in (slicer.vtkMRMLThreeDViewDisplayableManagerFactory, slicer.vtkMRMLSliceViewDisplayableManagerFactory):
            factory.GetInstance().SetMRMLApplicationLogic(runtime.appLogic)

    def slice(self, name, orientation="Axial", size=(400, 400)):
        """A slice view by its name; Red, Green, Yellow or those of a layout."""
        if name not in self._views:
            view = SliceView(self._runtime.scene, self._runtime.appLogic, name)
            view.set_view_properties(ViewProps(orientation=orientation, label=name[0]))
            self._views[name] = view
        return self._sized(self._views[name], size)

    def threeD(self, name="1", size=(400, 400)):
        """The 3D view."""
        if name not in self._views:
            view = ThreeDView(self._runtime.scene, self._runtime.appLogic, name)
            view.set_view_properties(ViewProps(label=name, background_color=("#1f2020", "#3c3c3c"), box_visible=False))
            self._views[name] = view
        return self._sized(self._views[name], size)

    def ofLayout(self, description, size=(300, 300)):
        """Rows of slice views as a layout's XML asks for them."""
        rows = []
        for row in ElementTree.fromstring(description).findall("./item/layout"):
            asked = [(one.get("singletontag"), one.find("property[@name='orientation']").text) for one in row.iter("view")]
            rows.append([self.slice(name, orientation, size) for name, orientation in asked])
        return rows

    def _sized(self, view, size):
        view.set_render_blocked(True)
        view.render_window().SetSize(*size)
        view.update_size(*size)
        view.set_mapped_in_layout(True)
        return view


def picture(view):
    """What the view shows now: (height, width, 3) uint8, first row on top."""
    window = view.render_window()
    window.Render()
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    grab.ShouldRerenderOff()
    grab.Update()
    image = grab.GetOutput()
    width, height, _depth = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)[::-1, :, :3].copy()


def side_by_side(rows):
    """One picture of rows of pictures of one size."""
    height, width = max(p.shape[0] for row in rows for p in row), max(p.shape[1] for row in rows for p in row)
    columns = max(len(row) for row in rows)
    sheet = np.full((len(rows) * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), 255, np.uint8)
    for r, row in enumerate(rows):
        for c, one in enumerate(row):
            top, left = r * (height + GAP), c * (width + GAP)
            sheet[top : top + one.shape[0], left : left + one.shape[1]] = one
    return sheet
