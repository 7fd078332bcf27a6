"""A real CT as the template: its own mask in a new shape, and a whole heart with coronaries it never saw.

    python Testing/Benchmarks/real_page.py --out runs/real [--only warped hra]

Writes pictures (three planes, template beside StructDiff beside the renderer) and HU per label as JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from StructDiffCore.config.resources import shared_data_folder
from StructDiffCore.domain import LabelMap, Template, Volume
from StructDiffCore.evaluation.cases import REAL_IMAGE, REAL_MASK
from StructDiffCore.evaluation.warped_mask import warped_mask
from StructDiffCore.io.files import read_label_map, read_template
from StructDiffCore.measures.intensity import intensities
from StructDiffCore.pictures.slices import Column, save_planes
from StructDiffCore.pictures.surface_page import save_surface
from StructDiffCore.preprocess.grids import resample_labels
from StructDiffCore.synthesis.prepared import Prepared, prepare
from StructDiffCore.synthesis.renderer import render_from_prior
from StructDiffCore.synthesis.synthesize import sample
from StructDiffCore.systems.structdiff import StructDiff, default_structdiff

HRA = "hra_VH_F_heart_coronary_labels_0p5mm.nii.gz"
HRA_LOOKS_LIKE = {**dict.fromkeys((1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 15), 1), 9: 3, 10: 2, 11: 2, 16: 3, 17: 3}
"""The template knows one heart label, the pulmonary artery and the aortic lumen (coronaries fill from it)."""
HRA_SPACING_MM = 0.8
SPREAD_MM = 4.0


@dataclass(frozen=True, eq=False)
class Target:
    name: str
    mask: LabelMap
    looks_like: Mapping[int, int] | None


def targets(folder: Path, template: Template, wanted: list[str]) -> Iterator[Target]:
    if "warped" in wanted:
        yield Target("warped", warped_mask(template.pair.mask, SPREAD_MM, np.random.default_rng(1)), None)
    if "hra" in wanted:
        whole = read_label_map(folder / HRA)
        yield Target("hra", resample_labels(whole, whole.geometry.with_spacing((HRA_SPACING_MM,) * 3)), HRA_LOOKS_LIKE)


def hu_per_label(image: Volume, mask: LabelMap) -> dict[str, dict[str, float]]:
    found = intensities(image.voxels, mask.voxels)
    return {str(v): {"median HU": found[v].median_hu, "IQR HU": found[v].iqr_hu} for v in found}


def answer(system: StructDiff, target: Target, template: Template, out: Path) -> dict[str, object]:
    """Synthesise, render, draw, and read HU per label."""
    prepared: Prepared = prepare(target.mask, template, target.looks_like)
    made = sample(system, prepared, seed=1)
    rival = render_from_prior(prepared.source, prepared.geometry, prepared.look.noise, prepared.look.psf_sigma_mm, seed=1)
    aligned = Volume(prepared.source.template_image, prepared.geometry)
    columns = [Column("template, aligned", aligned, None), Column("StructDiff", made.noisy, None)]
    columns += [Column("StructDiff with its mask", made.noisy, target.mask), Column("renderer", rival.noisy, None)]
    save_planes(out / f"{target.name}_planes.png", columns)
    save_surface(out / f"{target.name}_surface.png", target.mask)
    return {
        "structdiff": hu_per_label(made.noisy, target.mask),
        "renderer": hu_per_label(rival.noisy, target.mask),
        "record": made.record,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=("warped", "hra"), default=["warped", "hra"])
    parser.add_argument("--model", type=Path, help="weights (default: the shipped ones)")
    arguments = parser.parse_args()
    system = StructDiff.load_weights(arguments.model) if arguments.model else default_structdiff()
    folder = shared_data_folder()
    if folder is None:
        raise SystemExit("../shared/data is not here: this page needs the real scans")
    arguments.out.mkdir(parents=True, exist_ok=True)
    template = read_template(folder / REAL_IMAGE, folder / REAL_MASK)
    report: dict[str, object] = {"template": hu_per_label(template.pair.image, template.pair.mask)}
    for target in targets(folder, template, arguments.only):
        report[target.name] = answer(system, target, template, arguments.out)
        (arguments.out / "real.json").write_text(json.dumps(report, indent=2))
        print(f"{target.name}: pictures in {arguments.out}", flush=True)


if __name__ == "__main__":
    main()
