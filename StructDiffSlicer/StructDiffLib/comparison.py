"""Comparison: template and synthetic volume side by side, slices linked."""

LAYOUT = 8150
"""Number of the comparison layout, far from Slicer's own."""
GROUP = 8
"""View group of the six views: linked among themselves, not with Slicer's others."""
PLANES = ("Axial", "Coronal", "Sagittal")
LETTERS = {"Axial": "R", "Coronal": "G", "Sagittal": "Y"}
BEFORE = "StructDiff.LayoutBefore"


def layoutDescription():
    """Slicer's layout XML: the template's three planes above, the synthetic volume's below."""
    return f'<layout type="vertical">{_row("Template")}{_row("Synthetic")}</layout>'


def viewNames(side):
    """Singleton tags of the three slice views of "Template" or "Synthetic"."""
    return [f"StructDiff{side}{plane}" for plane in PLANES]


def _row(side):
    views = "".join(
        f'<item><view class="vtkMRMLSliceNode" singletontag="{name}">'
        f'<property name="orientation" action="default">{plane}</property>'
        f'<property name="viewlabel" action="default">{side[0]}{LETTERS[plane]}</property>'
        f'<property name="viewgroup" action="default">{GROUP}</property></view></item>'
        for name, plane in zip(viewNames(side), PLANES)
    )
    return f'<item><layout type="horizontal">{views}</layout></item>'


def compareLayout(scene, layoutNode, templateNode, syntheticNode):
    """Show both volumes side by side with linked slices; answers the layout's number. ``restoreLayout`` goes back."""
    if layoutNode.GetViewArrangement() != LAYOUT:
        layoutNode.SetAttribute(BEFORE, str(layoutNode.GetViewArrangement()))
    if not layoutNode.IsLayoutDescription(LAYOUT):
        layoutNode.AddLayoutDescription(LAYOUT, layoutDescription())
    layoutNode.SetViewArrangement(LAYOUT)
    _sameWindow(templateNode, syntheticNode)
    for side, volumeNode in (("Template", templateNode), ("Synthetic", syntheticNode)):
        for composite in compositesOf(scene, side):
            composite.SetBackgroundVolumeID(volumeNode.GetID())
            composite.SetForegroundVolumeID(None)
            composite.SetLinkedControl(True)
            composite.SetHotLinkedControl(True)
    return LAYOUT


def _sameWindow(templateNode, syntheticNode):
    """Grey must mean the same HU on both sides: the synthetic volume takes the template's window."""
    shown, other = templateNode.GetDisplayNode(), syntheticNode.GetDisplayNode()
    other.SetAutoWindowLevel(False)
    other.SetWindowLevelMinMax(shown.GetWindowLevelMin(), shown.GetWindowLevelMax())


def compositesOf(scene, side):
    """The composite nodes of one side's slice views, those that the layout has made."""
    names = viewNames(side)
    found = scene.GetNodesByClass("vtkMRMLSliceCompositeNode")
    found.UnRegister(None)
    nodes = [found.GetItemAsObject(n) for n in range(found.GetNumberOfItems())]
    return [node for node in nodes if node.GetLayoutName() in names]


def restoreLayout(layoutNode):
    """Back to the layout before the comparison."""
    before = layoutNode.GetAttribute(BEFORE)
    if before and before.isdigit():
        layoutNode.SetViewArrangement(int(before))
