"""Arguments of the verbs that make and hand on data in bulk: ``export`` and ``synthesize-many``."""

from __future__ import annotations

from argparse import ArgumentParser

EXPORT = (
    "hand synthetic samples to other tools: NRRD, NIfTI, nnU-Net, MSD/MONAI or DICOM",
    "  structdiff export result --format nnunet --out nnUNet_raw/Dataset101_Hearts\n"
    "  structdiff export result/sample-000 other/sample-003 --format dicom --out for_pacs\n"
    "  structdiff export result --format msd --ignore-above 40 --out hearts_msd\n"
    '  structdiff export result --format nrrd --force "aorta looked at by hand" --out pairs',
)
EXPORT_FORMATS = ("nrrd", "nifti", "nnunet", "msd", "dicom")

SYNTHESIZE_MANY = (
    "synthesise every pair of masks and templates that a plan names; start it again and it goes on",
    "  structdiff synthesize-many plan.yaml --out hearts\n\n"
    "plan.yaml:\n"
    "  masks: [new_hearts/mask-*/mask.seg.nrrd]        # paths or patterns, from the plan's folder\n"
    "  templates:\n"
    "    - digital-heart                               # a shipped template, or\n"
    "    - {name: ct1, image: ct1.nii.gz, mask: ct1_mask.nii.gz}\n"
    "  pairs: [[mask-000, ct1], [mask-001, digital-heart]]   # optional; default: all masks with all templates\n"
    "  samples: 2                                      # volumes per pair (default 1)\n"
    "  seed: 0\n"
    "  settings: {preset: quick, scheme: cardiac}      # as the options of synthesize\n\n"
    "Folders and the data set's description are named after the files: see that no file name names a patient.",
)


def fill_export(parser: ArgumentParser) -> None:
    """The arguments of ``export``."""
    parser.add_argument("samples_in", nargs="+", metavar="DIR", help="sample folders, or folders that hold some")
    parser.add_argument("--format", required=True, choices=EXPORT_FORMATS, help="what the other tool reads")
    parser.add_argument(
        "--out", required=True, metavar="OUT", help="new folder, one with earlier cases, or a data set with the same labels"
    )
    parser.add_argument("--force", metavar="REASON", help="export samples that failed a verdict; the reason is recorded")
    parser.add_argument(
        "--ignore-above",
        type=float,
        metavar="HU",
        help="nnunet, msd: voxels whose standard deviation is larger become the ignore label",
    )
    parser.add_argument(
        "--ignore-below",
        type=float,
        metavar="SHARE",
        help="nnunet, msd: voxels whose calibrated confidence is smaller become the ignore label",
    )


def fill_synthesize_many(parser: ArgumentParser) -> None:
    """The arguments of ``synthesize-many``."""
    parser.add_argument("plan", metavar="PLAN.yaml", help="masks, templates and settings (YAML or JSON)")
    parser.add_argument("--out", required=True, metavar="DIR", help="a folder per job; what is there already is not made again")
    parser.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:N or mps (default auto)")
