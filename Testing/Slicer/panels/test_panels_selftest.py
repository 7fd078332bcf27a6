"""The self-test that a person runs inside the desktop application, run here on the stand-ins with the shipped weights."""

import pytest


@pytest.mark.slow
def test_the_self_test_passes(desktop, scene, real_worker, monkeypatch):
    import StructDiff

    told = []
    monkeypatch.setattr(StructDiff.StructDiffTest, "delayDisplay", lambda self, words: told.append(words))
    StructDiff.StructDiffTest().runTest()
    assert told[-1] == "Test passed"


def test_the_module_introduces_itself(desktop):
    import types

    import StructDiff

    parent = types.SimpleNamespace(path="StructDiff.py")
    StructDiff.StructDiff(parent)
    assert parent.categories == ["Image Synthesis"]
    assert "not for diagnosis" in parent.helpText
    assert set(parent.dependencies) >= {"Segmentations", "SegmentEditor"}
