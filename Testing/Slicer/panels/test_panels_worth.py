"""What a confidence map is worth stands beside it."""

import json

import numpy as np

from StructDiffCore.domain import Geometry, Volume


def a_map_with(widget, worth):
    """A map whose manifest tells this worth."""
    from StructDiffLib.results import RECORD_REFERENCE

    bridge, grid = widget.session.bridge, Geometry((4, 4, 4), (1.0, 1.0, 1.0))
    node = bridge.addVolume(Volume(np.zeros(grid.shape, np.float32), grid), worth)
    record = bridge.scene.AddNewNodeByClass("vtkMRMLTextNode", "manifests")
    record.SetText(json.dumps([{"confidence": {"worth": worth}}]))
    node.SetNodeReferenceID(RECORD_REFERENCE, record.GetID())
    return node


def test_the_words_are_those_of_the_map_that_is_selected(widget):
    label = widget.desk.panels["ConfidencePanel"].ui.worthLabel
    unknown = widget.session.bridge.addVolume(Volume(np.zeros((4, 4, 4), np.float32), Geometry((4, 4, 4))), "unknown")
    poor, good = (a_map_with(widget, worth) for worth in ("not informative for errors", "informative for errors"))
    for node, words in ((good, "informative for errors"), (poor, "not informative for errors")):
        widget.session.parameters.confidenceNode = node
        assert label.text() == words
    widget.session.parameters.confidenceNode = unknown
    assert "a hint where to look" in label.text()
