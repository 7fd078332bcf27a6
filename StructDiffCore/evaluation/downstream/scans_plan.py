"""The real test: one side of a real abdomen is learnt from, the other side and a stranger's chest are tested on.

The few real pairs are the right or the left half of one scan (``ts_abdomen``), so that both halves show the same kinds of organ;
synthetic volumes have warps of that half's mask as targets and the half itself as their template. The other half is never seen
by a segmenter or as a template. The generator's own training had the whole scan, with its labels (see the model card): what is
new to it is the stranger (``ts_thorax_cta``), of whom the great vessels are tested. One patient each: plain numbers, no
intervals.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from StructDiffCore.config.resources import shared_data_folder
from StructDiffCore.domain import Geometry, ImageMaskPair, LabelMap, LabelScheme, StructDiffError, Volume
from StructDiffCore.io.atomic import write_text
from StructDiffCore.io.files import read_pair
from StructDiffCore.io.schemes import load_scheme, save_scheme
from StructDiffCore.mgm.warp import Warp, WarpRecipe
from StructDiffCore.mgm.warped_labels import warped_labels
from StructDiffCore.training.seeds import numpy_generator, seed_of

from .arms import Arm
from .few_real import FewReal
from .hearts_plan import generator, made_entry, real_entry, weights_folder
from .learning import Lesson, learn
from .maker import Maker
from .proof_settings import ProofSettings
from .real_domain import write_pair
from .testing import Structures, read_scores, test_scan
from .work import DONE, Clock, Item, Workshop

LEARNT_SCAN = ("ts_abdomen_ct_3mm_ct.nii.gz", "ts_abdomen_ct_3mm_labels_v1map.nii.gz")
STRANGER = ("ts_thorax_cta_1p5mm_ct.nii.gz", "ts_thorax_cta_1p5mm_labels.nii.gz")
STRANGER_VESSELS = (2, 3, 4, 5, 6)
"""Pulmonary artery, both lumens of the aorta, and two arteries of its arch."""
STRUCTURES: Structures = {
    "great vessels": (7, 8, 51, 52, 53, 54),
    "vertebrae": tuple(range(18, 24)),
    "iliopsoas": (102, 103),
    "back muscles": (100, 101),
    "colon": (57,),
    "small bowel": (55,),
}
"""TotalSegmentator's labels (104 classes), both sides of the body together."""
SIDES = ("right", "left")
GAP_VOXELS = 2
"""Left out on either side of the cut."""
WARP_SD_MM, WARP_SMOOTH_MM = 5.0, 30.0
SCHEME = "scans/scheme.json"
KNOWN_SOURCES = ("real", "augmented", "renderer", "synthetic")


@dataclass(frozen=True)
class ScansPlan:
    """All items below a root folder."""

    settings: ProofSettings
    shop: Workshop

    def __post_init__(self) -> None:
        for arm in self.settings.chosen_arms:
            known = arm.source in KNOWN_SOURCES and arm.confidence in ("", "CAL", "shuffled")
            if not known or arm.dose or not arm.tuned or arm.joint:
                raise StructDiffError(f"the real scans have no arm '{arm.name}'", f"choose from {', '.join(KNOWN_SOURCES)}, CAL")

    @property
    def words(self) -> str:
        return "one half of a real scan each"

    def items(self) -> list[Item]:
        """The scans, and per arm and side: pairs, a training, two tests."""
        scans = [self._scan(name) for name in (*SIDES, "stranger")]
        found = {item.name: item for item in scans}
        for arm, side in self.courses():
            pairs = self._pairs(arm, side)
            needs = tuple(item.name for item in (*scans, *pairs))
            training = Item("training", self._training(arm, side), self._learner(arm, side), needs, True)
            tests = [self._test(arm, side, scan) for scan in self._tested(side)]
            for item in (*pairs, training, *tests):
                found.setdefault(item.name, item)
        return list(found.values())

    def courses(self) -> Iterator[tuple[Arm, str]]:
        for arm in self.settings.chosen_arms:
            for side in SIDES:
                yield arm, side

    def _tested(self, side: str) -> tuple[str, str]:
        return SIDES[1 - SIDES.index(side)], "stranger"

    def _training(self, arm: Arm, side: str) -> str:
        return f"{weights_folder(self.settings.model)}/{side}/{arm.folder}"

    def _scan(self, name: str) -> Item:
        def make(place: Path, clock: Clock) -> None:
            whole = read_scans()[1] if name == "stranger" else half(read_scans()[0], name)
            write_pair(whole, place)
            save_scheme(read_scans()[0].mask.scheme, place.parent / Path(SCHEME).name)

        return Item("patient", f"scans/{name}", make)

    def _pairs(self, arm: Arm, side: str) -> list[Item]:
        made = arm.source in ("renderer", "synthetic")
        copies = arm.source != "real" and (arm.source == "augmented" or self.settings.learning.tuned_on == "augmented")
        kinds = [*(["pair"] * made), *(["augmented"] * copies)]
        count = {"pair": self.settings.pairs, "augmented": self.settings.augmented}
        return [self._pair(kind, side, number) for kind in kinds for number in range(count[kind])]

    def _pair(self, kind: str, side: str, number: int) -> Item:
        seed = seed_of(self.settings.seed, "scans", kind, side, number)

        def make(place: Path, clock: Clock) -> None:
            maker = self._maker(side)
            if kind == "augmented":
                maker.write_augmented(seed, number, place)
            else:
                maker.write_pictures(warped_mask(maker.few.pairs[0].mask, seed), {}, 0, seed, place)

        return Item(kind, f"{weights_folder(self.settings.model)}/{side}/{kind}-{number:03d}", make, (f"scans/{side}",))

    def _maker(self, side: str) -> Maker:
        return Maker(self.settings, generator(self.settings.model), FewReal((side,), (self._read(side),)))

    def _read(self, name: str) -> ImageMaskPair:
        folder = self.shop.root / "scans" / name
        return read_pair(folder / "image.nii.gz", folder / "mask.nii.gz", load_scheme(self.shop.root / SCHEME))

    def _learner(self, arm: Arm, side: str) -> Any:
        return lambda place, clock: learn(self.lesson(arm, side, place), self.settings.learning, place, clock)

    def lesson(self, arm: Arm, side: str, place: Path) -> Lesson:
        """What an arm learns from on one side."""
        real = [real_entry(self.shop.root / "scans" / side)]
        pairs = self._pairs(arm, side)
        more = [*real, *(made_entry(self.shop.root / p.name, "image.nii.gz") for p in pairs if p.kind == "augmented")]
        picture = "synthetic-0.nii.gz" if arm.source == "synthetic" else f"{arm.source}.nii.gz"
        confidence = f"{arm.confidence}-0.nii.gz" if arm.confidence else ""
        first = [made_entry(self.shop.root / p.name, picture, confidence) for p in pairs if p.kind == "pair"] or more
        labels = {
            **learnt_labels(),
            "scheme": os.path.relpath(self.shop.root / SCHEME, place),
            "spacing_mm": self.settings.spacing_mm,
        }
        seed = seed_of(self.settings.seed, "learn", side) % 2**31
        last = real if arm.source == "real" else more
        return Lesson(first, last, bool(arm.confidence), labels, seed, plain=arm.source == "real")

    def _test(self, arm: Arm, side: str, scan: str) -> Item:
        training = self._training(arm, side)
        structures = {"great vessels": STRUCTURES["great vessels"]} if scan == "stranger" else STRUCTURES

        def make(place: Path, clock: Clock) -> None:
            test_scan(self.shop.root / training, scan, self._read(scan), structures, ("great vessels",), place, True)

        return Item("test", f"{training}-tests/{scan}", make, (training, f"scans/{scan}"))

    def write_report(self, out: Path) -> list[str]:
        """scans.json and scans.md: Dice and HD95 of every structure, arm by arm; returns the table's lines."""
        rows: list[dict[str, Any]] = []
        for arm, side in self.courses():
            for scan in self._tested(side):
                place = self.shop.root / f"{self._training(arm, side)}-tests" / scan
                if (place / DONE).is_file():
                    rows.append({"arm": arm.name, "learnt from": side, "tested on": scan, "scores": read_scores(place)})
        lines = ["| arm | learnt from | tested on | " + " | ".join(f"{s}: Dice (HD95 mm)" for s in STRUCTURES) + " |"]
        lines.append("|---" * (3 + len(STRUCTURES)) + "|")
        for row in rows:
            cells = [_cell(row["scores"].get(structure)) for structure in STRUCTURES]
            lines.append(f"| {row['arm']} | {row['learnt from']} half | {row['tested on']} | " + " | ".join(cells) + " |")
        write_text(out / "scans.json", json.dumps({"settings": self.settings.as_dict(), "rows": rows}, indent=1) + "\n")
        write_text(out / "scans.md", "\n".join(lines) + "\n")
        return lines


def _cell(scores: dict[str, float] | None) -> str:
    return "-" if scores is None else f"{scores['Dice']:.3f} ({scores['HD95 mm']:.1f})"


def learnt_labels() -> dict[str, Any]:
    """cal's labels and merged labels: every structure counts as its first label."""
    merged = {value: values[0] for values in STRUCTURES.values() for value in values[1:]}
    return {"labels": sorted({values[0] for values in STRUCTURES.values()} | set(merged)), "merged": merged}


@lru_cache(maxsize=1)
def read_scans() -> tuple[ImageMaskPair, ImageMaskPair]:
    """The scan that is learnt from, and the stranger with its vessels called what they are called there."""
    folder = shared_data_folder()
    if folder is None or not (folder / LEARNT_SCAN[0]).is_file():
        raise StructDiffError(
            "the real scans are not here", "put the shared data beside the repository (../shared/data)", "missing_dependency"
        )
    learnt, other = (read_pair(folder / image, folder / mask) for image, mask in (LEARNT_SCAN, STRANGER))
    wanted = {value for values in STRUCTURES.values() for value in values}
    scheme = LabelScheme.from_values({*learnt.mask.scheme.values, *wanted}, "abdomen")
    vessels = np.where(np.isin(other.mask.voxels, STRANGER_VESSELS), STRUCTURES["great vessels"][0], 0).astype(np.uint8)
    mask = LabelMap(learnt.mask.voxels, learnt.geometry, scheme)
    return ImageMaskPair(learnt.image, mask), ImageMaskPair(other.image, LabelMap(vessels, other.geometry, scheme))


def half(pair: ImageMaskPair, side: str) -> ImageMaskPair:
    """The part of a scan on one side of its middle, without the voxels at the cut; its first axis runs from the middle outwards.

    So both halves look alike to a segmenter, which sees voxels alone: a body's sides are mirror images.
    """
    count = pair.geometry.shape[0]
    upper = (side == "right") == (pair.geometry.direction[0][0] > 0)
    first, kept = (count // 2 + GAP_VOXELS if upper else 0), count - count // 2 - GAP_VOXELS if upper else count // 2 - GAP_VOXELS
    grid, box = pair.geometry.cropped((first, 0, 0), (kept, *pair.geometry.shape[1:])), slice(first, first + kept)
    image, labels = pair.image.voxels[box], pair.mask.voxels[box]
    if not upper:
        grid, image, labels = _reversed(grid), image[::-1], labels[::-1]
    return ImageMaskPair(Volume(image.copy(), grid), LabelMap(labels.copy(), grid, pair.mask.scheme))


def _reversed(grid: Geometry) -> Geometry:
    """The same voxels, counted from the other end of the first axis."""
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_world((grid.shape[0] - 1, 0, 0))
    affine[:3, 0] *= -1
    return Geometry.from_affine(grid.shape, affine)


def warped_mask(mask: LabelMap, seed: int) -> LabelMap:
    """The mask seen through a smooth warp, on its own grid."""
    size = float(numpy_generator(seed, "size").uniform(0.93, 1.07))
    corners = mask.geometry.to_world(np.array([(0, 0, 0), mask.geometry.shape], float))
    recipe = WarpRecipe(seed_of(seed, "warp") % 2**31, WARP_SD_MM, WARP_SMOOTH_MM, size)
    warp = Warp.from_recipe(recipe, corners.min(axis=0), corners.max(axis=0))
    labels = np.ascontiguousarray(mask.voxels, np.uint8)
    found = warped_labels(labels, np.zeros_like(labels), mask.geometry, warp, mask.geometry).label
    return LabelMap(found, mask.geometry, mask.scheme)
