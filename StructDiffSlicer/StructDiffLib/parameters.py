"""What the user chose, as typed fields of a parameter node (saved with the scene), and the Job that follows from it."""

import enum
import shlex
from pathlib import Path
from typing import Annotated

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

from StructDiffCore.config.presets import CONFIDENCE_WINDOW_HU, DEFAULT_MODEL

from .translation import _

MOST_SAMPLES = 20
LARGEST_SEED = 2**31 - 1


class Preset(enum.Enum):
    """Names of the core's presets."""

    QUICK = "quick"
    STANDARD = "standard"
    BEST = "best"

    def label(self):
        words = {"quick": _("Quick: a first look"), "standard": _("Standard"), "best": _("Best: fine steps, several volumes")}
        return words[self.value]


class ExportFormat(enum.Enum):
    """Names of the core's export formats."""

    NRRD = "nrrd"
    NIFTI = "nifti"
    NNUNET = "nnunet"
    MSD = "msd"
    DICOM = "dicom"

    def label(self):
        words = {
            "nrrd": _("NRRD and .seg.nrrd (3D Slicer)"),
            "nifti": _("NIfTI"),
            "nnunet": _("nnU-Net data set"),
            "msd": _("Medical Segmentation Decathlon"),
            "dicom": _("DICOM, marked as synthetic"),
        }
        return words[self.value]


@parameterNodeWrapper
class StructDiffParameters:
    """One field per choice; the names are the ``SlicerParameterName`` of the .ui files."""

    maskNode: vtkMRMLSegmentationNode
    """The mask that the new volume obeys."""
    templateImageNode: vtkMRMLScalarVolumeNode
    templateMaskNode: vtkMRMLSegmentationNode
    templateId: str = ""
    """Entry of the template library; empty: the two nodes above."""
    libraryFolder: Path
    """The user's own folder of templates."""
    preset: Preset = Preset.STANDARD
    samples: Annotated[int, WithinRange(1, MOST_SAMPLES)] = 1
    seed: Annotated[int, WithinRange(0, LARGEST_SEED)] = 0
    device: str = "auto"
    weightsFile: Path
    """Other weights than the shipped ones."""
    readBack: bool = False
    """Let the shipped segmenter read the synthetic volume; its mask can be checked in the quality step."""
    templateDetail: bool = False
    """Carry over what the template shows of tissue that neither mask labels."""
    imageNode: vtkMRMLScalarVolumeNode
    """The synthetic volume that the confidence and quality steps look at."""
    confidenceNode: vtkMRMLScalarVolumeNode
    threshold: Annotated[float, WithinRange(CONFIDENCE_WINDOW_HU[0], CONFIDENCE_WINDOW_HU[1] - 1)] = round(
        CONFIDENCE_WINDOW_HU[1] / 3
    )
    """Confidence overlay: standard deviations below it (HU) are not shown."""
    exportFormat: ExportFormat = ExportFormat.NRRD
    exportFolder: Path
    maskEditKind: str = "lengthen"


def jobFrom(parameters, inputs, outFolder):
    """The Job, as a JSON-able dict: ``inputs`` are the paths by role that ``SceneBridge.exportInputs`` gave.

    It says the same as the command line of ``commandLineFrom`` when the core parses it.
    """
    weights = str(parameters.weightsFile)
    settings = {
        "model": DEFAULT_MODEL if weights in ("", ".") else weights,
        "preset": parameters.preset.value,
        "samples": int(parameters.samples),
        "resample": False,
        "read_back": bool(parameters.readBack),
        "template_detail": bool(parameters.templateDetail),
    }
    job = {
        "verb": "synthesize",
        "inputs": {},
        "settings": settings,
        "out": str(outFolder),
        "seed": int(parameters.seed),
        "device": parameters.device or "auto",
    }
    return withInputs(job, inputs)


def withInputs(job, inputs):
    """The job with its files, paths by role; "scheme" among them is a setting."""
    paths = {role: str(path) for role, path in inputs.items()}
    scheme = paths.pop("scheme", None)
    return {**job, "inputs": paths, "settings": {**job["settings"], **({"scheme": scheme} if scheme else {})}}


def commandLineFrom(job):
    """The very same run without Slicer, quoted for a POSIX shell."""
    inputs, settings = job["inputs"], job["settings"]
    parts = ["structdiff", "synthesize", inputs["mask"], "--template", inputs["template_image"], inputs["template_mask"]]
    for name in ("model", "preset", "samples", "scheme"):
        if name in settings:
            parts += [f"--{name}", settings[name]]
    if settings.get("resample"):
        parts.append("--resample")
    if settings.get("read_back"):
        parts.append("--read-back")
    if settings.get("template_detail"):
        parts.append("--template-detail")
    parts += ["--seed", job["seed"], "--device", job["device"], "--out", job["out"]]
    return " ".join(shlex.quote(str(part)) for part in parts)


def doctorJob(outFolder):
    """The Job that asks the worker's Python what is installed and which device works."""
    return {"verb": "doctor", "inputs": {}, "settings": {}, "out": str(outFolder), "seed": 0, "device": "auto"}
