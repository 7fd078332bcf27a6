"""Exporting: results as pairs for other tools; a failed verdict needs a reason, which is recorded."""

from pathlib import Path

from .results import manifestOf

FORMATS = ("nrrd", "nifti", "nnunet", "msd", "dicom")


def exportPairs(pairs, format, folder, forceReason=None, ignoreAboveHU=None, ignoreBelow=None):
    """Write pairs (sample folders or the core's ExportPair) in one of FORMATS, all of them or none.

    Answers the core's Exported (paths, notes). ``ignoreAboveHU`` (standard deviation), ``ignoreBelow`` (calibrated confidence):
    for nnunet and msd, voxels less sure than this are left out of the loss. StructDiffError where a verdict failed and no reason
    is given.
    """
    from StructDiffCore.io.export import export_pairs

    return export_pairs(_read(pairs), format, Path(folder), forceReason or None, ignoreAboveHU, ignoreBelow)


def refusals(pairs):
    """Which verdicts failed, in words, for all pairs; empty where all may be exported without a reason."""
    from StructDiffCore.io.export_pair import refusals as refused

    return [f"{pair.name}: {why}" for pair in _read(pairs) for why in refused(pair.manifest)]


def pairFromNodes(bridge, imageNode, segmentationNode, confidenceNode=None, manifest=None):
    """A pair for export from nodes of the scene.

    ``manifest``: what its run recorded, by default that which came with the volume; without one it needs a reason.
    """
    from StructDiffCore.io.export_pair import ExportPair

    image = bridge.volumeOf(imageNode)
    mask = bridge.labelMapOf(segmentationNode, image.geometry)
    confidence = None if confidenceNode is None else bridge.volumeOf(confidenceNode)
    return ExportPair(imageNode.GetName(), image, mask, confidence, manifest or manifestOf(imageNode))


def _read(pairs):
    from StructDiffCore.io.export_pair import read_sample

    return [read_sample(Path(pair)) if isinstance(pair, (str, Path)) else pair for pair in pairs]
