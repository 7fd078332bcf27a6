"""Markups: findings as a list of points, each with its severity and words."""

import slicer

COLOURS = {"error": (0.90, 0.16, 0.16), "warning": (1.0, 0.65, 0.0), "note": (0.25, 0.60, 0.95)}
ORDER = ("error", "warning", "note")
ROLE = "StructDiff.Role"


def addFindings(scene, findings, name, replace=None):
    """One list of named points: errors in red, the others in the colour of the worst of them.

    ``findings``: objects with kind, severity, message and positionRAS (three numbers, or None: then it has no point).
    """
    placed = [finding for finding in findings if finding.positionRAS is not None]
    node = replace or scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", scene.GenerateUniqueName(name))
    node.RemoveAllControlPoints()
    node.CreateDefaultDisplayNodes()
    node.SetAttribute(ROLE, "findings")
    for finding in placed:
        number = node.AddControlPoint(list(finding.positionRAS), finding.kind)
        node.SetNthControlPointDescription(number, f"{finding.severity}: {finding.message}")
        node.SetNthControlPointLocked(number, True)
        node.SetNthControlPointSelected(number, finding.severity == "error")
    _colour(node.GetDisplayNode(), [finding.severity for finding in placed])
    return node


def _colour(displayNode, severities):
    """Errors in the selected colour, the rest in the colour of the worst of them."""
    others = [severity for severity in ORDER[1:] if severity in severities]
    displayNode.SetSelectedColor(COLOURS["error"])
    displayNode.SetColor(COLOURS[others[0] if others else "warning"])
    displayNode.SetGlyphType(slicer.vtkMRMLMarkupsDisplayNode.Sphere3D)
    displayNode.SetUseGlyphScale(False)
    displayNode.SetGlyphSize(3.0)
    displayNode.SetTextScale(3.5)
    displayNode.SetPropertiesLabelVisibility(False)
