"""Findings: what is wrong with a mask, where, how bad, and the safe fix of it; a click goes there."""

from dataclasses import dataclass, field

import slicer

from StructDiffCore.domain import StructDiffError

from .translation import _

CLOSE_MM = 60.0
"""How far the 3D camera stands from a finding it looks at."""


@dataclass(frozen=True)
class FindingRow:
    """One row of the table."""

    kind: str
    severity: str
    """ "error", "warning" or "note"."""
    label: int
    labelName: str
    message: str
    positionRAS: tuple | None
    size: float | None
    unit: str
    fixable: bool
    """Whether a safe fix is known; it may still be refused where it would change more than it says."""
    finding: object = field(repr=False, default=None)


@dataclass(frozen=True)
class Quality:
    """One measurement of a mask: table, verdict, and lines for people."""

    rows: tuple
    verdict: str
    """ "pass" or "fail" against the label scheme."""
    lines: tuple
    report: object = field(repr=False, default=None)


def look(labelMap):
    """Measure a mask's topology once: findings (the worst first), verdict, and a line per vessel."""
    from StructDiffCore.topology.report import topology_report

    report = topology_report(labelMap)
    rows = tuple(_row(finding, labelMap.scheme) for finding in report.findings)
    return Quality(rows, report.verdict, tuple(report.lines()), report)


def findingsOf(labelMap):
    """The rows of the table, the worst first."""
    return list(look(labelMap).rows)


def verdict(labelMap):
    """ "pass" or "fail" against the label scheme."""
    return look(labelMap).verdict


def jump(scene, positionRAS, centred=True):
    """Move every slice view through the place and point every 3D camera at it, from the side it already looks from.

    ``centred``: the place comes to the middle of each slice view; else only the slice offsets change.
    """
    node = slicer.vtkMRMLSliceNode
    node.JumpAllSlices(scene, *positionRAS, node.CenteredJumpSlice if centred else node.OffsetJumpSlice)
    cameras = scene.GetNodesByClass("vtkMRMLCameraNode")
    cameras.UnRegister(None)
    for n in range(cameras.GetNumberOfItems()):
        _lookAt(cameras.GetItemAsObject(n), positionRAS)


def fix(bridge, segmentationNode, row):
    """Make the safe fix of a finding; answers what was done. ``bridge.undo`` takes it back.

    StructDiffError where no fix is safe, or where the mask has changed since the finding was made.
    """
    if not row.fixable:
        raise StructDiffError(
            _("no safe fix is known for: {message}").format(message=row.message), _("edit the mask by hand there")
        )
    labelMap = bridge.labelMapOf(segmentationNode)
    again = [one for one in look(labelMap).rows if _same(one, row)]
    if not again:
        raise StructDiffError(
            _("the mask has changed since: {message}").format(message=row.message), _("look for findings again")
        )
    from StructDiffCore.topology.report import topology_report

    done = topology_report(labelMap).repair(labelMap, again[0].finding)
    bridge.replaceLabels(segmentationNode, done.applied(labelMap))
    return _("{kind}: {count} voxels of {label}").format(kind=done.kind, count=len(done.index), label=row.labelName)


def _row(finding, scheme):
    known = finding.label in scheme.values
    position = None if finding.position_mm is None else tuple(float(x) for x in finding.position_mm)
    return FindingRow(
        finding.kind,
        finding.severity,
        finding.label,
        scheme[finding.label].name if known else str(finding.label),
        finding.message,
        position,
        finding.size,
        finding.unit,
        finding.fix is not None,
        finding,
    )


def _same(one, other):
    return (one.kind, one.label, one.message) == (other.kind, other.label, other.message)


def _lookAt(cameraNode, positionRAS):
    focus, eye = cameraNode.GetFocalPoint(), cameraNode.GetPosition()
    way = [e - f for e, f in zip(eye, focus)]
    length = sum(w * w for w in way) ** 0.5 or 1.0
    reach = min(length, CLOSE_MM)
    cameraNode.SetFocalPoint(*positionRAS)
    cameraNode.SetPosition(*[p + reach * w / length for p, w in zip(positionRAS, way)])
    cameraNode.ResetClippingRange()
