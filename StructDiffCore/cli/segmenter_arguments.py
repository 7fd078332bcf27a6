"""Arguments of the verbs that train and use segmenters; standard library only."""

from __future__ import annotations

from argparse import ArgumentParser

PRETRAIN = (
    "train a segmenter: on synthetic pairs by confidence, then on real ones (CAL)",
    "  structdiff pretrain cal.yaml --out runs/segmenter\n  structdiff pretrain cal.yaml --out runs/segmenter --resume",
)
PREDICT = (
    "write the masks that a trained segmenter sees in CT volumes",
    "  structdiff predict ct.nii.gz --model runs/segmenter/best.safetensors --out masks\n"
    "  structdiff predict scans/*.nrrd --model best.safetensors --scheme cardiac --ending .nii.gz --out masks",
)


def fill_pretrain(parser: ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG.yaml", help="settings: sources of pairs, network, steps")
    parser.add_argument("--out", required=True, metavar="DIR", help="run folder: checkpoint, log, best and last weights")
    parser.add_argument("--resume", action="store_true", help="go on from the run folder's last checkpoint")
    _add_device(parser)


def fill_predict(parser: ArgumentParser) -> None:
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="CT volumes or DICOM folders")
    parser.add_argument("--model", required=True, metavar="FILE", help="weights that 'structdiff pretrain' wrote")
    parser.add_argument("--out", required=True, metavar="DIR", help="output folder, new or empty; one mask per image")
    parser.add_argument(
        "--scheme", metavar="NAME|FILE", help="refuse weights of another label scheme than this (default: the weights' own)"
    )
    parser.add_argument("--ending", metavar="ENDING", help=".seg.nrrd (default, with names and colours), .nrrd or .nii.gz")
    _add_device(parser)


def _add_device(parser: ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda or mps (default auto)")
