"""Arguments of the verbs that train and use segmenters; standard library only."""

from __future__ import annotations

from argparse import ArgumentParser

PRETRAIN = (
    "train a segmenter: on synthetic pairs by confidence, then on real ones (CAL)",
    "  structdiff pretrain cal.yaml --out runs/segmenter\n"
    "  structdiff pretrain cal.yaml --out runs/segmenter --resume\n\n"
    "cal.yaml (paths count from it; a whole one: Testing/Examples/pretrain.yaml):\n"
    "  synthetic:                        # stage 1, weighted by confidence\n"
    "    sources: [hearts, more, plan.yaml]   # any number: what synthesize or synthesize-many wrote, data lists, plans\n"
    "    steps: 4000\n"
    "  real: {sources: [real.json], steps: 1000}           # stage 2, every voxel with weight 1\n"
    "  confidence: {kind: confidence}    # the calibrated map, else the standard deviation (the default), or\n"
    "  confidence: {kind: deviation_hu, tolerance_hu: 50}  # the standard deviation through the error function\n"
    "  confidence: {full_trust_at: 0.25}                   # only strong doubt counts: 0.25 of confidence is full trust\n"
    "  confidence: {kind: none}                            # every voxel with weight 1: the plain loss\n"
    "  confidence: {kind: 'file:truth.nii.gz'}             # a map in [0, 1] of your own beside each image, or\n"
    "  confidence: {kind: 'file:../maps/{id}.nii.gz'}      # anywhere; {id}: the pair's, such as hearts/sample-000\n"
    "  cache: {pairs: 16, gigabytes: 8, uses: 64}          # of a plan's pairs: most on disk, crops before one is replaced\n"
    "Weights may help where structures are missing from the pairs and cost a little where nothing is wrong (BENCHMARKS, 5).\n"
    "What the weights change, class by class: OUT/data.json. The same steps with kind confidence and kind none compare CAL with\n"
    "the plain loss. With few real cases, both kinds of sources in both stages may do better (ADR 16).\n\n"
    "plan.yaml (pairs are made beside the training; as for synthesize-many, whose plans may be given as they are):\n"
    "  references: [heart.seg.nrrd]      # a new mask for every pair (structdiff masks), or\n"
    "  masks: [new_hearts]               # folders of masks, files or patterns\n"
    "  templates: [digital-heart, {name: ct1, image: ct1.nii.gz, mask: ct1_mask.nii.gz}]\n"
    "  seed: 0\n"
    "  settings: {preset: quick, scheme: cardiac}",
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
