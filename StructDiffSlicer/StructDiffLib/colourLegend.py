"""The colour legend of a volume's or a surface's standard deviation, in every view that shows it."""

import slicer

from .translation import _

TITLE_AND_LABELS = 14
"""Font size; the legend shrinks it where the view is small."""


def showLegend(scene, node, on=True):
    """Show or hide the legend of a volume or model node; answers the legend's node, None where it was never on.

    StructDiffError where the node has left the scene.
    """
    from StructDiffCore.domain import StructDiffError

    if node.GetScene() is not scene:
        raise StructDiffError(_("the volume is no longer in the scene"), _("choose it again"))
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(node)
    if legend is None and on:
        legend = slicer.vtkSlicerColorLogic.AddDefaultColorLegendDisplayNode(node.GetDisplayNode())
    if legend is None:
        return None
    legend.SetVisibility(on)
    legend.SetTitleText(_("SD, HU"))
    legend.SetLabelFormat("%.0f")
    legend.SetNumberOfLabels(5)
    legend.SetSize(0.12, 0.45)
    legend.SetPosition(0.97, 0.5)
    for text in (legend.GetTitleTextProperty(), legend.GetLabelTextProperty()):
        text.SetFontSize(TITLE_AND_LABELS)
        text.SetShadow(True)
    return legend
