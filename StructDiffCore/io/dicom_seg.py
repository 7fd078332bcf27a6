"""The mask as a DICOM Segmentation object that refers to its CT series (PS3.3, A.51); needs the optional package highdicom."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from StructDiffCore import __version__
from StructDiffCore.domain import Label, LabelMap

from .segmentations import TISSUE

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

SERIES_NUMBER = 2


def can_write_segmentations() -> bool:
    """Whether highdicom is installed."""
    return find_spec("highdicom") is not None


def write_segmentation(mask: LabelMap, series: Path, path: Path) -> None:
    """Write the mask's labels as segments of one file, on the slices that ``write_ct_series`` left in the folder ``series``."""
    import pydicom
    from highdicom.seg import Segmentation, SegmentationTypeValues
    from pydicom.uid import generate_uid

    slices: list[Dataset] = [pydicom.dcmread(file) for file in sorted(series.iterdir())]
    frames = np.zeros((len(slices), *mask.geometry.shape[1::-1]), np.uint8)
    for number, value in enumerate(mask.present, start=1):
        frames[(mask.voxels == value).transpose(2, 1, 0)] = number
    segmentation = Segmentation(
        source_images=slices,
        pixel_array=frames,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_segment(number, mask.scheme[value]) for number, value in enumerate(mask.present, start=1)],
        series_instance_uid=generate_uid(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="StructDiff",
        manufacturer_model_name="StructDiff",
        software_versions=__version__,
        device_serial_number="0",
        series_description="SYNTHETIC mask made by StructDiff",
    )
    segmentation.save_as(path, enforce_file_format=True)


def _segment(number: int, label: Label) -> Any:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
    from highdicom.sr import CodedConcept

    family = CodedConcept("123109", "DCM", "Manual Processing")
    return SegmentDescription(
        segment_number=number,
        segment_label=label.name[:64],
        segmented_property_category=CodedConcept("123037004", "SCT", "Anatomical Structure"),
        segmented_property_type=CodedConcept(label.snomed or TISSUE, "SCT", label.name[:64] if label.snomed else "Tissue"),
        algorithm_type=SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence("StructDiff", family, __version__),
    )
