"""A synthetic volume as a DICOM CT series: derived, marked synthetic, without any patient's data.

DICOM PS3.3 (2024), A.3 CT Image IOD; positions and directions in LPS+ mm (C.7.6.2).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from StructDiffCore import __version__
from StructDiffCore.domain import StructDiffError, Volume

from .itk_images import LPS_RAS

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

INT16 = np.iinfo(np.int16)
DESCRIPTION = "SYNTHETIC CT made by StructDiff, not for diagnosis"


def write_ct_series(volume: Volume, folder: Path, name: str) -> None:
    """Write one file per slice k into ``folder`` (made new); all identifiers are new, HU are int16 with slope 1.

    Raises StructDiffError (``missing_dependency``) without pydicom, and for a volume of a single slice.
    """
    try:
        from pydicom.uid import generate_uid
    except ImportError:
        raise StructDiffError("DICOM needs the package 'pydicom'", "install pydicom", "missing_dependency") from None
    if volume.geometry.shape[2] < 2:
        raise StructDiffError("the volume has one slice", "export it as NRRD or NIfTI")
    folder.mkdir(parents=True)
    common = {
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "FrameOfReferenceUID": generate_uid(),
        **_who(name),
        **_placed(volume),
    }
    voxels = np.clip(np.rint(volume.voxels), INT16.min, INT16.max).astype("<i2")
    for k in range(volume.geometry.shape[2]):
        header = _slice_header(volume, k, common)
        header.PixelData = np.ascontiguousarray(voxels[:, :, k].T).tobytes()
        header.save_as(folder / f"slice-{k:04d}.dcm", enforce_file_format=True)


def _who(name: str) -> dict[str, Any]:
    """Patient, study, series and equipment; empty where DICOM wants the field and nobody is behind it."""
    empty = ("PatientBirthDate", "PatientSex", "ReferringPhysicianName", "AccessionNumber", "StudyID", "KVP", "AcquisitionNumber")
    return {
        **dict.fromkeys(empty, ""),
        "PatientName": f"SYNTHETIC^{name}"[:64],
        "PatientID": f"SYNTHETIC-{name}"[:64],
        "PatientIdentityRemoved": "YES",
        "DeidentificationMethod": "synthetic, no patient",
        "StudyDate": time.strftime("%Y%m%d"),
        "StudyTime": time.strftime("%H%M%S"),
        "StudyDescription": "SYNTHETIC",
        "Modality": "CT",
        "SeriesNumber": 1,
        "SeriesDescription": DESCRIPTION,
        "ImageType": ["DERIVED", "SECONDARY", "AXIAL"],
        "DerivationDescription": "Sampled by a diffusion model from a label mask and a template; no patient was scanned",
        "BurnedInAnnotation": "NO",
        "Manufacturer": "StructDiff",
        "SoftwareVersions": __version__,
        "PositionReferenceIndicator": "",
        "PatientPosition": "",
    }


def _placed(volume: Volume) -> dict[str, Any]:
    """Pixel format, spacing and orientation: the row direction is axis i, the column direction axis j."""
    ni, nj, _ = volume.geometry.shape
    si, sj, sk = volume.geometry.spacing
    axes = LPS_RAS @ np.asarray(volume.geometry.direction)
    return {
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": nj,
        "Columns": ni,
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 1,
        "RescaleIntercept": 0,
        "RescaleSlope": 1,
        "RescaleType": "HU",
        "PixelSpacing": _decimals([sj, si]),
        "SliceThickness": _decimals([sk])[0],
        "SpacingBetweenSlices": _decimals([sk])[0],
        "ImageOrientationPatient": _decimals([*axes[:, 0], *axes[:, 1]]),
    }


def _slice_header(volume: Volume, k: int, common: dict[str, Any]) -> Dataset:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = CTImageStorage
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid()
    for field, value in common.items():
        setattr(header, field, value)
    header.InstanceNumber = k + 1
    header.ImagePositionPatient = _decimals(LPS_RAS @ volume.geometry.to_world((0, 0, k)))
    return header


def _decimals(numbers: Any) -> list[str]:
    """Decimal strings of at most 16 characters (PS3.5, 6.2) that lose as little as fits."""
    from pydicom.valuerep import format_number_as_ds

    return [format_number_as_ds(float(number)) for number in numbers]
