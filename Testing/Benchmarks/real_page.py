"""Real looks and real anatomy: pictures and numbers for targets that no training has seen.

    python Testing/Benchmarks/real_page.py --out runs/real [--only hra-thorax narco-digital] [--model WEIGHTS]

Questions: ``warped`` (the real thorax CT's own mask in a new shape), ``hra-*`` (a modelled whole heart) and ``narco-*`` (real
segmented coronaries in a digital heart bent around them), in the look of the real CT (``*-thorax``) or of the shipped digital
heart (``*-digital``). Writes per question three planes, the surface, the straightened LAD and right coronary; and real.json and
real.md: continuity from ostium to tip, apparent radius, specks, HU per label. StructDiff's volumes are kept in the folder and
taken from there next time if weights, seed, steps, temperature and spacing are the same (``--again`` makes them anew); numbers
and pictures always are.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from real_numbers import continuity, mask_itself, numbers, tables
from real_targets import QUESTIONS, Question, question

from StructDiffCore.config.resources import shared_data_folder
from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.domain import Volume
from StructDiffCore.io.atomic import write_text
from StructDiffCore.io.files import read_volume, write_float_volume
from StructDiffCore.pictures.curved import save_curved
from StructDiffCore.pictures.slices import Column, save_planes
from StructDiffCore.pictures.surface_page import save_surface
from StructDiffCore.synthesis.prepared import Prepared, prepare
from StructDiffCore.synthesis.renderer import render_from_prior
from StructDiffCore.synthesis.synthesize import sample
from StructDiffCore.systems.structdiff import StructDiff, default_structdiff
from StructDiffCore.vessels.branch import Branch

TOLD_EVERY_S = 30.0


@dataclass(frozen=True, eq=False)
class Page:
    """What all questions have in common."""

    out: Path
    folder: Path
    system: StructDiff
    settings: SynthesisSettings
    seed: int
    spacing_mm: float
    again: bool

    @property
    def key(self) -> dict[str, Any]:
        """What an answer kept in the folder must have been made with."""
        return {"weights": self.system.sha256, "seed": self.seed, "temperature": self.settings.temperature} | {
            "steps": self.settings.steps,
            "spacing_mm": self.spacing_mm,
        }

    def answered(self, name: str) -> dict[str, Any]:
        """Answer one question: numbers of every row; pictures into the folder."""
        asked = question(name, self.folder, self.out, self.spacing_mm)
        prepared = prepare(asked.target.mask, asked.template, asked.looks_like)
        made = {"structdiff": self._ours(asked, prepared), "renderer": self._rival(prepared)}
        draw(self.out, asked, prepared, made)
        psf = prepared.look.psf_sigma_mm
        rows = {row: numbers(*images, asked.target, psf) for row, images in made.items()}
        itself = continuity(mask_itself(asked.target.mask, psf), asked.target, psf) if asked.target.trees else {}
        return {"rows": rows, "mask itself": itself, "psf_sigma_mm": psf, "record": prepared.record}

    def _ours(self, asked: Question, prepared: Prepared) -> tuple[Volume, Volume]:
        """StructDiff's scan and its noise-free version, from an earlier run where one was made with the same settings."""
        files = [self.out / f"{asked.name}_structdiff_{kind}.nrrd" for kind in ("scan", "clean")]
        kept = self.out / f"{asked.name}_structdiff.json"
        if not self.again and kept.exists() and json.loads(kept.read_text()) == self.key and all(f.exists() for f in files):
            scan, clean = map(read_volume, files)
            return scan, clean
        made = sample(self.system, prepared, self.settings, self.seed, on_step=told(asked.name))
        write_float_volume(made.noisy, files[0])
        write_float_volume(made.clean, files[1])
        write_text(kept, json.dumps(self.key))
        return made.noisy, made.clean

    def _rival(self, prepared: Prepared) -> tuple[Volume, Volume]:
        look = prepared.look
        made = render_from_prior(prepared.source, prepared.geometry, look.noise, look.psf_sigma_mm, self.seed)
        return made.noisy, made.clean


def told(name: str) -> Callable[[str, int, int], None]:
    """Print the progress of a synthesis every half minute."""
    start = last = time.monotonic()

    def on_step(stage: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > TOLD_EVERY_S or done == total:
            last = now
            print(f"{name}: {stage} {done} of {total}, {(now - start) / 60:.1f} min", flush=True)

    return on_step


def draw(out: Path, asked: Question, prepared: Prepared, made: dict[str, tuple[Volume, Volume]]) -> None:
    """Planes, surface, and the straightened main vessels of every row."""
    mask, (ours, rival) = asked.target.mask, (scan for scan, _ in made.values())
    aligned = Volume(prepared.source.template_image, prepared.geometry)
    columns = [Column("template, aligned", aligned, None), Column("StructDiff", ours, None)]
    columns += [Column("StructDiff with its mask", ours, mask), Column("renderer", rival, None)]
    save_planes(out / f"{asked.name}_planes.png", columns)
    save_surface(out / f"{asked.name}_surface.png", mask)
    for vessel, way in main_vessels(asked):
        for row, (scan, _) in made.items():
            save_curved(out / f"{asked.name}_{vessel}_{row}.png", scan, way, mask, title=f"{asked.name}: {vessel}, {row}")


def main_vessels(asked: Question) -> Iterator[tuple[str, Branch]]:
    """The LAD, and the right coronary to its furthest end, each from its ostium."""
    if not asked.target.trees:
        return
    left, right = asked.target.trees["left"], asked.target.trees["right"]
    yield "LAD", left.path_to("LAD")
    yield "RCA", max((right.path_to(right.branches[i].name) for i in right.tip_branches), key=lambda way: way.length_mm)


def asked_for() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=QUESTIONS, default=list(QUESTIONS))
    parser.add_argument("--model", type=Path, help="weights (default: the shipped ones)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--temperature", type=float, default=SynthesisSettings().temperature)
    parser.add_argument("--steps", type=int, default=SynthesisSettings().steps)
    parser.add_argument("--spacing", type=float, default=0.8, help="mm, of the hearts (the warped mask keeps its own)")
    parser.add_argument("--again", action="store_true", help="make also what is kept in the folder")
    return parser.parse_args()


def main() -> None:
    given = asked_for()
    folder = shared_data_folder()
    if folder is None:
        raise SystemExit("../shared/data is not here: this page needs the real scans")
    given.out.mkdir(parents=True, exist_ok=True)
    system = StructDiff.load_weights(given.model) if given.model else default_structdiff()
    settings = SynthesisSettings(steps=given.steps, temperature=given.temperature, ssv="off")
    page = Page(given.out, folder, system, settings, given.seed, given.spacing, given.again)
    report: dict[str, Any] = {}
    for name in given.only:
        start = time.monotonic()
        report[name] = page.answered(name)
        write_text(given.out / "real.json", json.dumps({"made with": page.key, "questions": report}, indent=2))
        write_text(given.out / "real.md", tables(report))
        print(f"{name}: {(time.monotonic() - start) / 60:.1f} min, pictures in {given.out}", flush=True)


if __name__ == "__main__":
    main()
