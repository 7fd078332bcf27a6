"""The sample data in Resources/Templates: a template pair of one digital heart and the mask of another, to edit.

    python Testing/Examples/make_templates.py [--out Resources/Templates]

Same seeds, same voxels; nothing in it comes from a patient.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from StructDiffCore import __version__
from StructDiffCore.domain import ImageMaskPair, StructDiffError, Volume
from StructDiffCore.io.files import template_id, write_label_map, write_volume
from StructDiffCore.phantom.anatomy import HeartSettings
from StructDiffCore.phantom.appearance import draw_appearance
from StructDiffCore.phantom.formation import render
from StructDiffCore.phantom.heart import Heart, digital_heart
from StructDiffCore.topology.report import topology_report

TEMPLATE_SEED, MASK_SEED, APPEARANCE_SEED = 23, 26, 37
SPACING_MM = 0.9
DRAWN, KEPT = 128, 112
"""Voxels per edge as drawn and as shipped."""
HEALTHY = HeartSettings(dominance="right", diseased=0.0)


def a_heart(seed: int) -> Heart:
    """A healthy digital heart whose mask is what the cardiac scheme expects."""
    border = (DRAWN - KEPT) // 2
    heart = digital_heart(seed, spacing_mm=SPACING_MM, settings=HEALTHY).cropped((border,) * 3, (KEPT,) * 3)
    report = topology_report(heart.mask)
    if report.verdict != "pass":
        raise StructDiffError(f"heart {seed} fails: {'; '.join(report.lines())}", "choose another seed")
    return heart


def template_pair() -> ImageMaskPair:
    """The template heart, scanned with an appearance of the training domain, in whole HU."""
    heart = a_heart(TEMPLATE_SEED)
    rng = np.random.default_rng(APPEARANCE_SEED)
    scan = render(heart, draw_appearance(rng), rng).noisy
    return ImageMaskPair(Volume(np.rint(scan.voxels), scan.geometry), heart.mask)


def description(pair: ImageMaskPair) -> dict[str, object]:
    """What a user should know about the sample data."""
    return {
        "what": "digital phantom: a drawn heart, no patient",
        "synthetic": True,
        "licence": "Apache-2.0",
        "made_by": "python Testing/Examples/make_templates.py",
        "structdiff": __version__,
        "seeds": {"template heart": TEMPLATE_SEED, "heart to edit": MASK_SEED, "appearance": APPEARANCE_SEED},
        "spacing_mm": SPACING_MM,
        "template_id": template_id(pair),
        "files": {"image": "image.nrrd", "mask": "mask.seg.nrrd", "mask to edit": "to_edit.seg.nrrd"},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[2] / "Resources" / "Templates")
    folder = parser.parse_args().out / "digital-heart"
    folder.mkdir(parents=True, exist_ok=True)
    pair = template_pair()
    write_volume(pair.image, folder / "image.nrrd")
    write_label_map(pair.mask, folder / "mask.seg.nrrd")
    write_label_map(a_heart(MASK_SEED).mask, folder / "to_edit.seg.nrrd")
    (folder / "template.json").write_text(json.dumps(description(pair), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
