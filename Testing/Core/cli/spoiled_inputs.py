"""Inputs spoiled one at a time: each function changes what the command is given, SPOILED pairs it with the fact it must name."""

import gzip
import pickle

import numpy as np
import SimpleITK as sitk
from cli_scene import COARSE, GRID, body, scan_of

from StructDiffCore.domain import CARDIAC, LabelMap, LabelScheme, Volume
from StructDiffCore.io.files import write_label_map, write_volume
from StructDiffCore.io.itk_images import image_of


def image_file(path, voxels):
    """Voxels of any type on the scene's grid."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(np.transpose(voxels)))
    if image.GetDimension() == 3:
        image.CopyInformation(image_of(body(GRID), GRID))
    sitk.WriteImage(image, str(path))
    return path


def nrrd_file(path, fields):
    """A hand-written 8x8x8 NRRD of short integers, with the given space fields."""
    head = "NRRD0005\ntype: short\ndimension: 3\nsizes: 8 8 8\nencoding: raw\nendian: little\n"
    path.write_bytes(head.encode() + fields.encode() + b"\n\n" + np.ones(512, "<i2").tobytes())
    return path


def missing(scene, tmp):
    return {"mask": tmp / "nowhere.nii.gz"}


def empty_file(scene, tmp):
    (tmp / "empty.nii.gz").touch()
    return {"mask": tmp / "empty.nii.gz"}


def truncated(scene, tmp):
    (tmp / "cut.nii.gz").write_bytes(scene.image.read_bytes()[: scene.image.stat().st_size // 2])
    return {"image": tmp / "cut.nii.gz"}


def no_image(scene, tmp):
    (tmp / "letter.nii.gz").write_bytes(gzip.compress(b"Dear radiologist, " * 100))
    return {"image": tmp / "letter.nii.gz"}


def unknown_ending(scene, tmp):
    (tmp / "mask.docx").write_bytes(scene.mask.read_bytes())
    return {"mask": tmp / "mask.docx"}


def mask_is_a_folder(scene, tmp):
    return {"mask": scene.folder}


def image_is_an_empty_folder(scene, tmp):
    (tmp / "dicom").mkdir()
    return {"image": tmp / "dicom"}


def two_dimensions(scene, tmp):
    return {"mask": image_file(tmp / "flat.nrrd", body(GRID)[:, :, 14])}


def four_dimensions(scene, tmp):
    frames = [sitk.GetImageFromArray(np.transpose(body(GRID))) for _ in range(3)]
    sitk.WriteImage(sitk.JoinSeries(frames), str(tmp / "film.nii.gz"))
    return {"mask": tmp / "film.nii.gz"}


def other_grids(scene, tmp):
    write_label_map(LabelMap(body(COARSE), COARSE, CARDIAC), tmp / "coarse.nii.gz")
    return {"labels": tmp / "coarse.nii.gz"}


def no_shared_label(scene, tmp):
    labels = np.where(body(GRID) > 0, 77, 0)
    write_label_map(LabelMap(labels, GRID, LabelScheme.from_values([77])), tmp / "other.nii.gz")
    return {"mask": tmp / "other.nii.gz"}


def cannot_be_aligned(scene, tmp):
    labels = np.zeros(GRID.shape, np.uint8)
    labels[1:31, 1:29, 14] = 1
    labels[16, 1:29, 1:27] = 3
    write_label_map(LabelMap(labels, GRID, CARDIAC), tmp / "sheets.nii.gz")
    return {"mask": tmp / "sheets.nii.gz"}


def fractions(scene, tmp):
    return {"mask": image_file(tmp / "half.nrrd", body(GRID) * 0.5)}


def negative_labels(scene, tmp):
    return {"mask": image_file(tmp / "negative.nrrd", -(body(GRID).astype(np.int16)))}


def empty_mask(scene, tmp):
    return {"mask": image_file(tmp / "zeros.nrrd", np.zeros(GRID.shape, np.uint8))}


def an_image_as_mask(scene, tmp):
    return {"mask": scene.image}


def not_a_number(scene, tmp):
    hu = scan_of(body(GRID)).astype(np.float32)
    hu[3, 4, 5] = np.nan
    return {"image": image_file(tmp / "nan.nrrd", hu)}


def infinite(scene, tmp):
    hu = scan_of(body(GRID)).astype(np.float32)
    hu[3, 4, 5] = np.inf
    return {"image": image_file(tmp / "inf.nrrd", hu)}


def zero_spacing(scene, tmp):
    return {"mask": nrrd_file(tmp / "zero.nrrd", "spacings: 0 1 1")}


def negative_spacing(scene, tmp):
    return {"mask": nrrd_file(tmp / "negative.nrrd", "spacings: -1 1 1")}


def shear(scene, tmp):
    fields = "space: left-posterior-superior\nspace directions: (1,0,0) (0.4,1,0) (0,0,1)\nspace origin: (0,0,0)"
    return {"mask": nrrd_file(tmp / "shear.nrrd", fields)}


def an_mr_image(scene, tmp):
    write_volume(Volume(np.abs(scan_of(body(GRID))) + 30.0, GRID), tmp / "mr.nii.gz")
    return {"image": tmp / "mr.nii.gz"}


def between_0_and_1(scene, tmp):
    hu = scan_of(body(GRID)).astype(np.float32)
    return {"image": image_file(tmp / "unit.nrrd", (hu - hu.min()) / np.ptp(hu))}


def a_pickle_as_weights(scene, tmp):
    (tmp / "weights.pt").write_bytes(pickle.dumps({"weights": [1, 2]}))
    return {"model": tmp / "weights.pt"}


def a_pickle_in_disguise(scene, tmp):
    (tmp / "weights.safetensors").write_bytes(pickle.dumps({"weights": [1, 2]}))
    return {"model": tmp / "weights.safetensors"}


def weights_of_another_system(scene, tmp):
    from safetensors.torch import save_file
    from torch import zeros

    save_file({"a": zeros(1)}, str(tmp / "other.safetensors"), {"system": "med-lsdm", "settings": "{}"})
    return {"model": tmp / "other.safetensors"}


def changed_weights(scene, tmp):
    (tmp / "w.safetensors").write_bytes(scene.weights.read_bytes())
    (tmp / "w.json").write_text('{"sha256": "0123456789abcdef"}')
    return {"model": tmp / "w.safetensors"}


def truncated_weights(scene, tmp):
    (tmp / "w.safetensors").write_bytes(scene.weights.read_bytes()[:5000])
    return {"model": tmp / "w.safetensors"}


def unknown_weights(scene, tmp):
    return {"model": "structdiff-liver"}


SPOILED = [
    (missing, "nowhere.nii.gz"),
    (empty_file, "empty.nii.gz"),
    (truncated, "cut.nii.gz"),
    (no_image, "letter.nii.gz"),
    (unknown_ending, "mask.docx"),
    (mask_is_a_folder, "is a folder"),
    (image_is_an_empty_folder, "dicom"),
    (two_dimensions, "flat.nrrd.*dimension"),
    (four_dimensions, "film.nii.gz.*dimension"),
    (other_grids, "different grids.*--resample"),
    (no_shared_label, "label"),
    (cannot_be_aligned, r"aligned.*0\.\d+"),
    (fractions, "half.nrrd.*fractions"),
    (negative_labels, "negative.nrrd.*<= 0|negative.nrrd.*values from -6"),
    (empty_mask, "zeros.nrrd.*empty"),
    (an_image_as_mask, "ct.nii.gz"),
    (not_a_number, "nan.nrrd.*NaN"),
    (infinite, "inf.nrrd.*infinite"),
    (zero_spacing, "zero.nrrd.*spacing"),
    (negative_spacing, "negative.nrrd.*spacing"),
    (shear, "shear.nrrd.*shear"),
    (an_mr_image, "HU"),
    (between_0_and_1, "HU"),
    (a_pickle_as_weights, "pickle"),
    (a_pickle_in_disguise, "pickle"),
    (weights_of_another_system, "weights of med-lsdm, expected structdiff"),
    (changed_weights, "SHA-256"),
    (truncated_weights, "w.safetensors"),
    (unknown_weights, "no model 'structdiff-liver'"),
]
