"""Far errors: which tissue a segmenter takes for coronaries far from any label, and how good it is without them.

On hearts that no test of the proof sees.

python -m StructDiffCore.evaluation.downstream.far_errors Testing/Examples/proof.yaml --out DIR [--arms ARM ...] [--hearts N]

DIR is where the proof was trained. Prints one line per arm and subset, and writes DIR/far_errors.json: voxels and their tissues,
and "near Dice", the coronary Dice of what lies within 4 voxels of a label.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from StructDiffCore.domain import CARDIAC, ImageMaskPair, StructDiffError
from StructDiffCore.io.atomic import write_text
from StructDiffCore.measures.overlap import dice
from StructDiffCore.phantom.tissues import Tissue
from StructDiffCore.segmentation.segmenter import Segmenter

from .few_real import FIRST_PILOT_TEST
from .hearts_plan import Course, HeartsPlan
from .learning import PRETRAINED, WEIGHTS
from .proof_settings import ProofSettings
from .real_domain import patient, tissue_of
from .work import Workshop

FAR_VOXELS = 4
ARMS = (
    "augmented untuned", "synthetic untuned", "detailed untuned", "augmented", "synthetic", "detailed", "warped", "more real",
    "detailed joint", "warped joint",
)  # fmt: skip
Scene = tuple[ImageMaskPair, NDArray[np.uint8]]
"""A patient and the tissues under the scan."""


def far_and_near(found: NDArray[np.bool_], labelled: NDArray[np.bool_], tissue: NDArray[np.uint8]) -> tuple[Counter[str], float]:
    """Voxels per tissue found more than ``FAR_VOXELS`` from every labelled one, and the Dice of the rest; all (i, j, k)."""
    far = found & (ndimage.distance_transform_edt(~labelled) > FAR_VOXELS)
    values, counts = np.unique(tissue[far], return_counts=True)
    return Counter({Tissue(int(value)).name: int(count) for value, count in zip(values, counts)}), dice(found & ~far, labelled)


def far_errors(segmenter: Segmenter, scenes: Sequence[Scene]) -> tuple[Counter[str], float]:
    """``far_and_near`` of a segmenter's coronaries: far voxels of all scenes together, and the mean Dice of the rest."""
    total, near = Counter[str](), []
    for pair, tissue in scenes:
        found, labelled = (np.isin(m.voxels, CARDIAC.thin_values) for m in (segmenter.predict(pair.image), pair.mask))
        far, rest = far_and_near(found, labelled, tissue)
        total += far
        near.append(rest)
    return total, float(np.mean(near))


def of_courses(plan: HeartsPlan, scenes: Sequence[Scene]) -> Iterator[tuple[Course, Counter[str], float]]:
    """Every arm on every subset whose training is there."""
    for course in plan.courses():
        weights = plan.shop.root / course.training / (WEIGHTS if course.arm.tuned else PRETRAINED)
        if weights.is_file():
            yield course, *far_errors(Segmenter.load_weights(weights), scenes)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, 2 with one line for bad input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", type=Path, help="YAML file of the proof")
    parser.add_argument("--out", type=Path, required=True, help="folder of the proof")
    parser.add_argument("--arms", nargs="+", default=ARMS, metavar="ARM")
    parser.add_argument("--hearts", type=int, default=5)
    arguments = parser.parse_args(argv)
    try:
        report(ProofSettings.read(arguments.settings), arguments.out, arguments.arms, arguments.hearts)
    except StructDiffError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def report(settings: ProofSettings, out: Path, arms: Sequence[str], hearts: int) -> None:
    """Print and write the counts of these arms."""
    plan = HeartsPlan(ProofSettings.from_dict({**settings.as_dict(), "arms": list(arms)}), Workshop(out.absolute()))
    numbers = range(FIRST_PILOT_TEST, FIRST_PILOT_TEST + hearts)
    grid = settings.spacing_mm, settings.window
    scenes = [(patient(number, *grid), tissue_of(number, *grid)) for number in numbers]
    rows = []
    for course, found, near in of_courses(plan, scenes):
        total, place = sum(found.values()), {"arm": course.arm.name, "subset": course.subset}
        shares = {name: round(count / total, 3) for name, count in found.most_common()}
        rows.append({**place, "voxels": total, "near Dice": round(near, 3), "shares": shares})
        told = f"{total} far voxels, {dict(list(shares.items())[:4])}, Dice without them {near:.3f}"
        print(f"{course.arm.name}, subset {course.subset}: {told}", flush=True)
    if not rows:
        raise StructDiffError(f"{out} holds no training of {', '.join(arms)}", "run the proof first")
    write_text(out / "far_errors.json", json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
