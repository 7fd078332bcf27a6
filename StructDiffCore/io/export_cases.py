"""One folder per case: NRRD, NIfTI or DICOM, with mask, confidence and manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .dicom_export import write_ct_series
from .dicom_seg import can_write_segmentations, write_segmentation
from .export_pair import CALIBRATED, ExportPair
from .files import write_float_volume, write_label_map, write_volume
from .manifest import write_manifest
from .schemes import save_scheme

SERIES = "CT"
"""Folder of the DICOM slices."""
SEGMENTATION = "segmentation.dcm"
LABELMAP_NOTE = "the mask is a 3D Slicer segmentation beside the series; a DICOM SEG object needs the package highdicom"


def write_nrrd(pair: ExportPair, folder: Path) -> dict[str, str]:
    """image.nrrd, mask.seg.nrrd and confidence.nrrd; returns the files by role."""
    write_volume(pair.image, folder / "image.nrrd")
    write_label_map(pair.mask, folder / "mask.seg.nrrd")
    return {"image": "image.nrrd", "mask": "mask.seg.nrrd", **_maps(pair, folder, ".nrrd")}


def write_nifti(pair: ExportPair, folder: Path) -> dict[str, str]:
    """image.nii.gz, mask.nii.gz, confidence.nii.gz and the meaning of the labels, which NIfTI cannot carry."""
    write_volume(pair.image, folder / "image.nii.gz")
    write_label_map(pair.mask, folder / "mask.nii.gz")
    save_scheme(pair.mask.scheme, folder / "scheme.json")
    files = {"image": "image.nii.gz", "mask": "mask.nii.gz", "scheme": "scheme.json"}
    return {**files, **_maps(pair, folder, ".nii.gz")}


def write_dicom(pair: ExportPair, folder: Path) -> dict[str, str]:
    """A derived CT series in CT/, the mask as .seg.nrrd and, where highdicom is installed, as DICOM SEG; confidence as NRRD."""
    write_ct_series(pair.image, folder / SERIES, pair.name)
    write_label_map(pair.mask, folder / "mask.seg.nrrd")
    files = {"image": SERIES, "mask": "mask.seg.nrrd"}
    if can_write_segmentations() and pair.mask.present:
        write_segmentation(pair.mask, folder / SERIES, folder / SEGMENTATION)
        files["dicom_seg"] = SEGMENTATION
    else:
        files["note"] = LABELMAP_NOTE
    return {**files, **_maps(pair, folder, ".nrrd")}


WRITERS: Mapping[str, Callable[[ExportPair, Path], dict[str, str]]] = {
    "nrrd": write_nrrd,
    "nifti": write_nifti,
    "dicom": write_dicom,
}


def write_case(pair: ExportPair, folder: Path, form: str, record: Mapping[str, Any]) -> None:
    """All files of a case in its new ``folder``; ``record`` is what the manifest tells of the export."""
    folder.mkdir()
    files = WRITERS[form](pair, folder)
    write_manifest(folder, {**pair.manifest, "files": files, "export": dict(record)})


def _maps(pair: ExportPair, folder: Path, ending: str) -> dict[str, str]:
    """The pair's confidence maps; returns the files by role."""
    written = {}
    for role, found in (("confidence", pair.confidence), (CALIBRATED, pair.calibrated)):
        if found is not None:
            write_float_volume(found, folder / (role + ending))
            written[role] = role + ending
    return written
