"""Pairs of the first stage, as files: synthetic, rendered and Gaussian pictures of one new mask; warped; augmented."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.domain import CARDIAC, ImageMaskPair, LabelMap, Volume
from StructDiffCore.io.atomic import write_text
from StructDiffCore.io.files import read_label_map, write_confidence, write_label_map, write_volume
from StructDiffCore.mgm.warp import Warp
from StructDiffCore.mgm.warped_labels import warped_values
from StructDiffCore.synthesis.prepared import Prepared, prepare
from StructDiffCore.synthesis.renderer import render_from_prior
from StructDiffCore.synthesis.result import Synthesis, ct_volume
from StructDiffCore.synthesis.synthesize import sample
from StructDiffCore.systems.structdiff import StructDiff
from StructDiffCore.training.seeds import numpy_generator, seed_of
from StructDiffCore.vessels.graph import VesselGraph

from .augmented import augmented
from .dose import Stretch, lost_part, lost_voxels, shuffled_stretches, without_evidence
from .few_real import FewReal
from .gaussians import PICTURES, gaussian_picture
from .maps import PictureReader, confidence_of, picture_reader, rounded, shuffled, truth_about
from .proof_settings import ProofSettings
from .real_domain import write_pair

NOTE = "note.json"
SEEDS = 2**31


@dataclass(frozen=True, eq=False)
class Maker:
    """Makes the pairs of one subset."""

    settings: ProofSettings
    system: StructDiff
    few: FewReal

    @property
    def sampling(self) -> SynthesisSettings:
        return SynthesisSettings(steps=self.settings.sampling_steps, ssv=self.settings.ssv)

    def write_synthetic(self, seed: int, out: Path) -> None:
        """The pictures and maps of a new mask that MGM makes around one of the few."""
        parent, new = self.few.new_mask(seed_of(seed, "mask") % SEEDS)
        self.write_pictures(self.few.as_scanned(new.mask, parent), new.trees, parent, seed, out)

    def write_pictures(self, target: LabelMap, trees: Mapping[int, VesselGraph], parent: int, seed: int, out: Path) -> None:
        """mask, renderer, and per dose: synthetic-D, CAL-D, truth-D, shuffled-D, shuffled-truth-D (all .nii.gz)."""
        number = int(numpy_generator(seed, "synthetic").integers(len(self.few.pairs)))
        prepared = prepare(target, self.few.template(number))
        write_label_map(target, out / "mask.nii.gz")
        look = prepared.look
        rendered = render_from_prior(prepared.source, target.geometry, look.noise, look.psf_sigma_mm, seed_of(seed, 1) % SEEDS)
        write_volume(rendered.noisy, out / "renderer.nii.gz")
        told = self._write_doses(prepared, target, trees, seed, out)
        _write_note(out, {**self._parents(number, parent), "weights": self.system.sha256, **told})

    def _write_doses(
        self, prepared: Prepared, target: LabelMap, trees: Mapping[int, VesselGraph], seed: int, out: Path
    ) -> dict[str, Any]:
        """One synthesis, with and without evidence, and its maps; returns what was lost."""
        reader = picture_reader(self.system, prepared, self.sampling)
        made = sample(self.system, prepared, self._asked(reader), seed_of(seed, "sample") % SEEDS)
        stretches, told = shuffled_stretches(trees, numpy_generator(seed, "dose")), {}
        for dose in (0, *self.settings.doses):
            told[f"lost voxels {dose} %"] = self._write_dose(dose, made, reader, target, trees, stretches, seed, out)
        return {"map": self.settings.ssv if reader else made.record["settings"]["ssv"], "sees the picture": bool(reader), **told}

    def _asked(self, reader: PictureReader | None) -> SynthesisSettings:
        """The sample's own map is only asked for where no reader makes one for every dose."""
        return SynthesisSettings(steps=self.settings.sampling_steps, ssv="off") if reader else self.sampling

    def _write_dose(
        self,
        dose: int,
        made: Synthesis,
        reader: PictureReader | None,
        target: LabelMap,
        trees: Mapping[int, VesselGraph],
        stretches: list[Stretch],
        seed: int,
        out: Path,
    ) -> int:
        """The picture at one dose and its four maps; returns how many vessel voxels lost their evidence."""
        lost = lost_voxels(target, trees, lost_part(stretches, dose / 100))
        clean = without_evidence(made.clean, target, lost)
        noise = made.noisy.voxels - made.clean.voxels
        write_volume(ct_volume(clean.voxels + noise, target.geometry), out / f"synthetic-{dose}.nii.gz")
        deviation = reader.deviation(clean) if reader else _own_deviation(made)
        ours = confidence_of(deviation, self.system, self.sampling, self.settings.tolerance_hu)
        truth = truth_about(lost, target)
        rng = numpy_generator(seed, "shuffle", dose)
        maps = {"CAL": ours, "truth": truth, "shuffled": shuffled(ours, target, rng)}
        for name, one in {**maps, "shuffled-truth": shuffled(truth, target, rng)}.items():
            write_confidence(rounded(one), out / f"{name}-{dose}.nii.gz")
        return int(lost.sum())

    def write_gaussians(self, pair: Path, seed: int, out: Path) -> None:
        """Gaussian pictures gaussians-N.nii.gz of a synthetic pair's mask."""
        target, prepared = self._again(pair, out)
        regions = prepared.source.slots.target
        for picture in range(PICTURES):
            rng = numpy_generator(seed, "gaussians", picture)
            write_volume(gaussian_picture(regions, target.geometry, rng), out / gaussians_file(picture))

    def write_detailed(self, pair: Path, seed: int, out: Path) -> None:
        """The picture detailed.nii.gz of a synthetic pair's mask: made with the template's detail of unlabelled tissue."""
        _, prepared = self._again(pair, out)
        asked = SynthesisSettings(steps=self.settings.sampling_steps, ssv="off", template_detail=True)
        write_volume(sample(self.system, prepared, asked, seed_of(seed, "sample") % SEEDS).noisy, out / "detailed.nii.gz")

    def _again(self, pair: Path, out: Path) -> tuple[LabelMap, Prepared]:
        """A synthetic pair's mask, prepared with its template once more; mask and note are copied to ``out``."""
        for name in ("mask.nii.gz", NOTE):
            shutil.copyfile(pair / name, out / name)
        target = read_label_map(pair / "mask.nii.gz", CARDIAC)
        templates = {self.few.template(number).id: number for number in range(len(self.few.pairs))}
        number = templates[json.loads((pair / NOTE).read_text(encoding="utf-8"))["template"]]
        return target, prepare(target, self.few.template(number))

    def write_warped(self, seed: int, out: Path) -> None:
        """A real pair seen through a warp of MGM: mask.nii.gz and image.nii.gz."""
        parent, new = self.few.new_mask(seed_of(seed, "warped") % SEEDS, still=True)
        reference, pair = dict(self.few.references)[parent], self.few.pairs[parent]
        mask = self.few.as_scanned(new.mask, parent)
        warp = Warp.from_recipe(new.recipe.warp, *reference.box_mm())
        image = warped_values(np.array(pair.image.voxels, np.float32), pair.geometry, warp, mask.geometry)
        write_pair(ImageMaskPair(Volume(image, mask.geometry), mask), out)
        _write_note(out, self._parents(parent, parent))

    def write_augmented(self, seed: int, number: int, out: Path) -> None:
        """An augmented copy of a real pair: the few take turns."""
        turn = number % len(self.few.pairs)
        write_pair(augmented(self.few.pairs[turn], seed_of(seed, "augmented") % SEEDS), out)
        _write_note(out, self._parents(turn, turn))

    def _parents(self, template: int, mask: int) -> dict[str, Any]:
        """Where a pair comes from, as data lists tell it."""
        patients = sorted({self.few.names[template], self.few.names[mask]})
        return {"patients": patients, "template": self.few.template(template).id, "mask_id": self.few.mask_id(mask)}


def gaussians_file(number: int) -> str:
    return f"gaussians-{number}.nii.gz"


def _own_deviation(made: Synthesis) -> Volume:
    if made.uncertainty is None:
        return Volume(np.zeros(made.clean.geometry.shape, np.float32), made.clean.geometry)
    return made.uncertainty.deviation_hu


def _write_note(out: Path, told: Mapping[str, Any]) -> None:
    write_text(out / NOTE, json.dumps(told, indent=1) + "\n")
