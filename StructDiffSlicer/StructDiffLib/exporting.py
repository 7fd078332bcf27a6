"""Exporting: results as pairs for other tools; a failed verdict needs a reason, which is recorded."""

from pathlib import Path

FORMATS = ("nrrd", "nifti", "nnunet", "msd", "dicom")


def exportPairs(pairs, format, folder, forceReason=None):
    """Write pairs (sample folders or the core's ExportPair) in one of FORMATS; answers the paths written."""
    from StructDiffCore.io.export import export_pairs

    return export_pairs(_read(pairs), format, Path(folder), force=forceReason or None)


def refusals(pairs):
    """Which verdicts failed, in words, for all pairs; empty where all may be exported without a reason."""
    from StructDiffCore.io.export import refusals as refused

    return [f"{pair.name}: {why}" for pair in _read(pairs) for why in refused(pair.manifest)]


def _read(pairs):
    from StructDiffCore.io.export import read_sample

    return [read_sample(Path(pair)) if isinstance(pair, (str, Path)) else pair for pair in pairs]
