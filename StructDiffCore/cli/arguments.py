"""The command line: verbs, their arguments and examples. Nothing but the standard library, so that --help is instant."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from StructDiffCore import __version__
from StructDiffCore.config.presets import (
    DEFAULT_MODEL,
    DEFAULT_PRESET,
    DEFAULT_SSV,
    DEFAULT_TEMPERATURE,
    PRESETS,
    SAMPLERS,
    SSV_METHODS,
)

from . import data_arguments, segmenter_arguments


class Refusal(Exception):
    """Arguments that cannot be understood: the fact and the remedy, for one line on stderr."""

    def __init__(self, fact: str, remedy: str) -> None:
        super().__init__(f"{fact}; {remedy}")
        self.fact = fact
        self.remedy = remedy


class Parser(argparse.ArgumentParser):
    """argparse that refuses in one line instead of printing its usage."""

    def error(self, message: str) -> NoReturn:
        raise Refusal(message.replace("\n", " "), f"see {self.prog} --help")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments as a namespace; raises ``Refusal``. Prints and leaves by SystemExit(0) on --help and --version."""
    parser = build_parser()
    if not argv:
        parser.print_help()
        raise SystemExit(0)
    return parser.parse_args(argv)


def build_parser() -> Parser:
    parser = Parser(
        prog="structdiff",
        description="A label mask plus one real image-mask pair in, a new CT volume that obeys the mask out.",
        epilog="Start with:  structdiff demo        Help on a verb:  structdiff synthesize --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"structdiff {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=Parser)
    _add_demo(verbs)
    _add_synthesize(verbs)
    _add_masks(verbs)
    _add_topology(verbs)
    _add_train(verbs)
    _add_pretrain(verbs)
    _add_predict(verbs)
    _add_evaluate(verbs)
    _add_doctor(verbs)
    _add_synthesize_many(verbs)
    _add_export(verbs)
    _add_work(verbs)
    return parser


def _verb(verbs: argparse._SubParsersAction, name: str, what: str, examples: str) -> Parser:
    parser: Parser = verbs.add_parser(
        name,
        help=what,
        description=what[0].upper() + what[1:] + ".",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an internal error")
    return parser


def _add_json(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout instead of words")


def _add_machine(parser: Parser) -> None:
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="same seed, same voxels (default 0)")
    parser.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:N or mps (default auto)")


def _add_generator(parser: Parser) -> None:
    """Options that make the volume; those left out are not sent, so that the preset decides."""
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, metavar="NAME|FILE", help="shipped weights by name, or a .safetensors file"
    )
    presets = "; ".join(f"{name}: {preset.words}" for name, preset in PRESETS.items())
    parser.add_argument(
        "--preset", choices=tuple(PRESETS), help=f"{presets} (default {DEFAULT_PRESET}); other options win over it"
    )
    parser.add_argument("--steps", type=int, metavar="N", help="denoising steps (default: the preset's)")
    parser.add_argument("--sampler", choices=tuple(SAMPLERS), help="how noise becomes an image (default: the preset's)")
    parser.add_argument(
        "--temperature",
        type=float,
        metavar="T",
        help=f"strength of the start noise, 0 to 1: more varies more and speckles more (default {DEFAULT_TEMPERATURE})",
    )
    methods = "; ".join(f"{name}: {words}" for name, words in SSV_METHODS.items())
    parser.add_argument("--ssv", choices=tuple(SSV_METHODS), help=f"confidence map. {methods} (default {DEFAULT_SSV})")
    parser.add_argument(
        "--template-detail",
        action="store_true",
        help="carry over what the template shows of tissue without a label: lung vessels, cortex of bone, devices",
    )
    parser.add_argument("--tile", type=int, metavar="N", help="tile edge in voxels, a multiple of 8 (default: what fits)")


def _add_demo(verbs: argparse._SubParsersAction) -> None:
    parser = _verb(
        verbs,
        "demo",
        "synthesise a CT of a digital heart with a stenosis in its LAD, from shipped data",
        "  structdiff demo --out my_demo",
    )
    parser.add_argument("--out", default="structdiff_demo", metavar="DIR", help="output folder (default %(default)s)")
    _add_generator(parser)
    _add_machine(parser)
    _add_json(parser)


def _add_synthesize(verbs: argparse._SubParsersAction) -> None:
    parser = _verb(
        verbs,
        "synthesize",
        "make CT volumes that obey MASK and look like the template",
        "  structdiff synthesize edited.seg.nrrd --template ct.nrrd ct_mask.nrrd --out result\n"
        "  structdiff synthesize mask.nii.gz --template ct.nii.gz labels.nii.gz --scheme cardiac --samples 4 --out result\n"
        "  structdiff synthesize mask.nii.gz --template ct.nii.gz labels.nii.gz --preset quick --ssv off --out result\n"
        "  structdiff synthesize mask.nii.gz --template ct.nii.gz labels.nii.gz --correspondence 9=3 10=2 --json --out result",
    )
    parser.add_argument("mask", metavar="MASK", help="label map that the new volume obeys")
    parser.add_argument(
        "--template", nargs=2, required=True, metavar=("IMAGE", "MASK"), help="a CT (file or DICOM folder) and its label map"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="output folder, new or empty; sample N lies in DIR/sample-N")
    parser.add_argument("--samples", type=int, metavar="N", help="how many volumes (default: the preset's)")
    parser.add_argument(
        "--scheme", metavar="NAME|FILE", help="what the labels mean: 'cardiac' or a JSON file (default: taken as they are)"
    )
    parser.add_argument(
        "--resample", action="store_true", help="bring the template's mask onto its image's grid where they differ"
    )
    parser.add_argument(
        "--read-back",
        action="store_true",
        help="let the shipped segmenter read each volume and check what it sees (cardiac labels)",
    )
    parser.add_argument(
        "--correspondence",
        nargs="+",
        metavar="T=S",
        help="target label T looks like template label S, where the two masks number their structures differently",
    )
    _add_generator(parser)
    _add_machine(parser)
    _add_json(parser)


def _add_masks(verbs: argparse._SubParsersAction) -> None:
    parser = _verb(
        verbs,
        "masks",
        "make new masks with proved topology from reference masks",
        "  structdiff masks heart.seg.nrrd --count 5 --out new_hearts\n"
        "  structdiff masks labels.nii.gz --scheme cardiac --repair --out mended_and_varied\n"
        "  structdiff masks heart.seg.nrrd --recipe new_hearts/mask-003/manifest.json --out again\n"
        "  structdiff masks heart.seg.nrrd --count 20 --faults 1 --out labelled_bad_masks",
    )
    parser.add_argument("masks", nargs="+", metavar="MASK", help="reference label maps of one scheme")
    parser.add_argument("--count", type=int, default=1, metavar="N", help="how many masks (default 1)")
    parser.add_argument("--out", required=True, metavar="DIR", help="output folder, new or empty; mask N lies in DIR/mask-N")
    parser.add_argument("--recipe", metavar="FILE", help="JSON that fixes warp, edits or spacing; a manifest repeats its mask")
    parser.add_argument(
        "--faults", type=int, default=0, metavar="N", help="lay N declared faults (gap, bridge, leak, speck) into every mask"
    )
    parser.add_argument("--repair", action="store_true", help="mend dirty references first and tell what changed")
    parser.add_argument(
        "--scheme",
        metavar="NAME|FILE",
        help="what the labels mean: 'cardiac', a JSON file, or a data set whose labels are read into it: mm-whs, hubmap-hra, "
        "aorta-coronaries, totalsegmentator-heart, totalsegmentator-v1 (default: taken as they are)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="same seed, same voxels (default 0)")
    _add_json(parser)


def _add_topology(verbs: argparse._SubParsersAction) -> None:
    parser = _verb(
        verbs,
        "topology",
        "measure the topology of MASK: pieces, loops, cavities, vessel graphs, findings",
        "  structdiff topology heart.nii.gz --scheme cardiac\n"
        "  structdiff topology predicted.nii.gz --against truth.nii.gz --scheme cardiac --report page\n"
        "  structdiff topology labels.seg.nrrd --scheme scheme.json --json",
    )
    parser.add_argument("mask", metavar="MASK", help="label map to look at")
    parser.add_argument("--against", metavar="MASK", help="reference label map on the same grid")
    parser.add_argument(
        "--scheme", metavar="NAME|FILE", help="what the labels mean: 'cardiac' or a JSON file (default: taken as they are)"
    )
    parser.add_argument("--report", dest="out", metavar="DIR", help="also write a page with pictures into this new folder")
    _add_json(parser)


def _add_train(verbs: argparse._SubParsersAction) -> None:
    parser = _verb(
        verbs,
        "train",
        "train or fine-tune a generator as a YAML file says",
        "  structdiff train train.yaml --out runs/first\n  structdiff train train.yaml --out runs/first --resume\n"
        "  structdiff train train-own.yaml --data DATASET --init WEIGHTS.safetensors --out runs/mine",
    )
    parser.add_argument("config", metavar="CONFIG.yaml", help="settings of the run")
    parser.add_argument("--out", required=True, metavar="DIR", help="run folder: checkpoint, log, weights")
    parser.add_argument("--resume", action="store_true", help="go on from the run folder's last checkpoint")
    parser.add_argument("--init", metavar="FILE", help="weights to start from, 'shipped' for StructDiff's own (default: random)")
    parser.add_argument(
        "--data",
        nargs="+",
        metavar="DIR",
        help="data sets to learn from (ImageCAS, ASOCA, MM-WHS, TotalSegmentator, nnU-Net, MSD)",
    )
    parser.add_argument(
        "--minutes", type=float, metavar="M", help="stop after M minutes, with a checkpoint (default: at the last step)"
    )
    _add_json(parser)


def _add_pretrain(verbs: argparse._SubParsersAction) -> None:
    parser = _verb(verbs, "pretrain", *segmenter_arguments.PRETRAIN)
    segmenter_arguments.fill_pretrain(parser)
    _add_json(parser)


def _add_predict(verbs: argparse._SubParsersAction) -> None:
    parser = _verb(verbs, "predict", *segmenter_arguments.PREDICT)
    segmenter_arguments.fill_predict(parser)
    _add_json(parser)


def _add_evaluate(verbs: argparse._SubParsersAction) -> None:
    parser = _verb(
        verbs,
        "evaluate",
        "score the generator and its rivals on held-out phantoms and real crops",
        "  structdiff evaluate evaluate.yaml --out reports/first",
    )
    parser.add_argument("config", metavar="CONFIG.yaml", help="settings of the evaluation")
    parser.add_argument("--out", required=True, metavar="DIR", help="report folder")
    _add_json(parser)


def _add_doctor(verbs: argparse._SubParsersAction) -> None:
    parser = _verb(
        verbs,
        "doctor",
        "say what is installed, which device works and which volume fits",
        "  structdiff doctor\n  structdiff doctor --json",
    )
    parser.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:N or mps (default auto: all)")
    _add_json(parser)


def _add_synthesize_many(verbs: argparse._SubParsersAction) -> None:
    parser = _verb(verbs, "synthesize-many", *data_arguments.SYNTHESIZE_MANY)
    data_arguments.fill_synthesize_many(parser)
    _add_json(parser)


def _add_export(verbs: argparse._SubParsersAction) -> None:
    parser = _verb(verbs, "export", *data_arguments.EXPORT)
    data_arguments.fill_export(parser)
    _add_json(parser)


def _add_work(verbs: argparse._SubParsersAction) -> None:
    parser = _verb(
        verbs,
        "work",
        "run a job file and print one JSON event per line (the worker behind 3D Slicer)",
        "  structdiff work job.json",
    )
    parser.add_argument("job", metavar="JOB.json", help="a job: verb, inputs, settings, seed, out, device")
    _add_json(parser)
