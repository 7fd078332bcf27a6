"""The plan of the proof on digital hearts: patients, pairs, trainings and tests, in the order of the arms."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from StructDiffCore.domain import CARDIAC, ImageMaskPair
from StructDiffCore.io.files import read_pair
from StructDiffCore.systems.structdiff import StructDiff, default_structdiff
from StructDiffCore.training.seeds import seed_of

from .arms import FULL_TRUST_AT, Arm
from .few_real import FIRST_PILOT_TEST, FIRST_TEST, FewReal, further_patients, starts_masks, subset_patients
from .gaussians import PICTURES
from .learning import Entry, Lesson, learn
from .maker import NOTE, Maker, gaussians_file
from .pilot import Pilot, chosen_number
from .proof_settings import ProofSettings
from .real_domain import patient, write_pair
from .testing import Structures, read_scores, test_scan
from .work import DONE, Clock, Item, Workshop

LEFT_TREE, RIGHT_TREE = 8, 9
STRUCTURES: Structures = {
    "coronaries": (LEFT_TREE, RIGHT_TREE),
    **{label.name: (label.value,) for label in CARDIAC.labels if not label.thin},
}
THIN = ("coronaries",)
REAL = Arm("real")
TWO = "detailed and warped"
"""The source that has the pairs of two others, which its name tells."""
GENERATED = ("synthetic", "both", "renderer", "SynthSeg", "detailed", TWO)
"""Sources whose pairs are made together, by the generator's weights."""
REDRAWN = {"SynthSeg": "gaussians", "detailed": "detailed", TWO: "detailed"}
"""Sources that draw other pictures of the synthetic pairs' masks, and the kind of their items."""


@dataclass(frozen=True)
class Course:
    """One arm on one subset of so many real cases."""

    arm: Arm
    subset: int
    cases: int
    weights: str = ""
    """The generator's, in short; what was made with others lies elsewhere."""

    @property
    def base(self) -> str:
        """Where pairs lie that no generator made."""
        return f"subset-{self.subset}/cases-{self.cases}"

    @property
    def generated(self) -> str:
        """Where the generator's pairs lie."""
        return f"{self.base}/{self.weights}"

    @property
    def training(self) -> str:
        """The same before and after fine-tuning."""
        return f"{self.generated if self.arm.source in GENERATED else self.base}/{replace(self.arm, tuned=True).folder}"

    def test(self, heart: int) -> str:
        return f"{self.training}{'' if self.arm.tuned else '-untuned'}-tests/{patient_name(heart)}"


def patient_name(number: int) -> str:
    return f"patient-{number:04d}"


@dataclass(frozen=True)
class HeartsPlan:
    """All items below a root folder."""

    settings: ProofSettings
    shop: Workshop
    known: dict[int, list[Item]] = field(default_factory=dict)
    """The items, by the number of real cases."""

    @property
    def words(self) -> str:
        """What a person should know beside the counts of items."""
        return f"{self.few} real cases" if self.few else "the pilot has not chosen a number of cases yet"

    @property
    def few(self) -> int:
        """Real cases of the main arms: as the settings say, else as the pilot found; 0 while it is at work."""
        if self.settings.few:
            return self.settings.few
        return chosen_number(self.pilot())

    def items(self) -> list[Item]:
        """Everything that is known to be needed by now; the pilot's items alone until it has spoken."""
        few = self.few
        if few not in self.known:
            found: dict[str, Item] = {}
            for course, tests in () if self.settings.few else self._pilot_courses():
                self._add(found, course, tests)
            for course in self.courses() if few else ():
                self._add(found, course, self.test_hearts)
            self.known[few] = list(found.values())
        return self.known[few]

    def courses(self) -> Iterator[Course]:
        """The main arms, every one on all subsets before the next."""
        few, weights = self.few, weights_folder(self.settings.model)
        for arm in self.settings.chosen_arms:
            for subset in range(self.settings.subsets):
                yield Course(arm, subset, few, weights)

    @property
    def test_hearts(self) -> Sequence[int]:
        return range(FIRST_TEST, FIRST_TEST + self.settings.tests)

    def synthetic_pairs(self) -> list[Path]:
        """Folders of the generator's pairs that are done, of all subsets."""
        weights = weights_folder(self.settings.model)
        courses = [Course(Arm("synthetic"), subset, self.few, weights) for subset in range(self.settings.subsets)]
        places = [f"{course.generated}/pair-{number:03d}" for course in courses for number in range(self.settings.pairs)]
        return [self.shop.root / place for place in places if (self.shop.root / place / DONE).is_file()]

    def pilot(self) -> list[Pilot]:
        """What the pilot has found so far."""
        found = []
        for course, hearts in self._pilot_courses():
            places = [self.shop.root / course.test(heart) for heart in hearts]
            scores = [read_scores(place) for place in places if (place / DONE).is_file()]
            dice = [one["coronaries"]["Dice"] for one in scores]
            found.append(Pilot(course.cases, course.subset, float(np.mean(dice)) if dice else 0.0, len(dice), len(hearts)))
        return found

    def _pilot_courses(self) -> Iterator[tuple[Course, Sequence[int]]]:
        hearts = range(FIRST_PILOT_TEST, FIRST_PILOT_TEST + self.settings.pilot_tests)
        for cases in self.settings.pilot_cases:
            for subset in range(self.settings.pilot_subsets):
                yield Course(REAL, subset, cases), hearts

    def _add(self, found: dict[str, Item], course: Course, hearts: Sequence[int]) -> None:
        """A course's items with all that they need, unless they are there already."""
        patients = [self._patient(number, starts_masks) for number in subset_patients(course.subset, course.cases)]
        pairs = self._pairs(course, tuple(item.name for item in patients))
        needs = tuple(item.name for item in (*patients, *pairs))
        training = Item("training", course.training, lambda place, clock: self._learn(course, place, clock), needs, True)
        items = [*patients, *pairs, training]
        for heart in hearts:
            items += [self._patient(heart), self._test(course, heart)]
        for item in items:
            found.setdefault(item.name, item)

    def _patient(self, number: int, wanted: Callable[[ImageMaskPair], bool] = lambda pair: True) -> Item:
        settings = self.settings

        def make(place: Path, clock: Clock) -> None:
            write_pair(patient(number, settings.spacing_mm, settings.window, wanted), place)

        return Item("patient", f"patients/{patient_name(number)}", make)

    def _pairs(self, course: Course, patients: tuple[str, ...]) -> list[Item]:
        """The pairs that an arm learns from besides the real ones."""
        source, tuned = course.arm.source, self.settings.learning.tuned_on == "augmented"
        items = []
        if source in GENERATED:
            items += [self._pair("pair", course, n, patients) for n in range(self.settings.pairs)]
        if source in REDRAWN:
            items += [self._redrawn(REDRAWN[source], item, patients) for item in list(items)]
        if source == "more real":
            further = further_patients(course.subset, course.cases, self.settings.pairs)
            items += [self._patient(number, starts_masks) for number in further]
        if source in ("warped", "more warped", TWO):
            count = self.settings.pairs * (2 if source == "more warped" else 1)
            items += [self._pair("warped", course, n, patients) for n in range(count)]
        if source == "augmented" or (tuned and source != "real"):
            items += [self._pair("augmented", course, n, patients) for n in range(self.settings.augmented)]
        return items

    def _pair(self, kind: str, course: Course, number: int, patients: tuple[str, ...]) -> Item:
        seed = seed_of(self.settings.seed, kind, course.subset, course.cases, number)

        def make(place: Path, clock: Clock) -> None:
            maker = _maker(self.settings, self.shop.root, patients)
            if kind == "pair":
                maker.write_synthetic(seed, place)
            elif kind == "warped":
                maker.write_warped(seed, place)
            else:
                maker.write_augmented(seed, number, place)

        base = course.generated if kind == "pair" else course.base
        return Item(kind, f"{base}/{kind}-{number:03d}", make, patients)

    def _redrawn(self, kind: str, pair: Item, patients: tuple[str, ...]) -> Item:
        """Other pictures of a synthetic pair's mask."""
        seed = seed_of(self.settings.seed, kind, pair.name)

        def make(place: Path, clock: Clock) -> None:
            maker = _maker(self.settings, self.shop.root, patients)
            write = maker.write_gaussians if kind == "gaussians" else maker.write_detailed
            write(self.shop.root / pair.name, seed, place)

        return Item(kind, pair.name.replace("/pair-", f"/{kind}-"), make, (*patients, pair.name))

    def _learn(self, course: Course, place: Path, clock: Clock) -> None:
        learn(self.lesson(course), self.settings.learning, place, clock)

    def lesson(self, course: Course) -> Lesson:
        """What an arm learns from; its items must be done."""
        arm, root = course.arm, self.shop.root
        numbers = subset_patients(course.subset, course.cases)
        real = [real_entry(root / "patients" / patient_name(number)) for number in numbers]
        copies = [root / item.name for item in self._pairs(course, ()) if item.kind == "augmented"]
        more = [*real, *(made_entry(folder, "image.nii.gz") for folder in copies)]
        first = self._own_entries(course)
        if arm.joint or arm.source in ("real", "augmented", "both"):
            first += more
        labels: dict[str, Any] = {
            "scheme": CARDIAC.name,
            "merged": {RIGHT_TREE: LEFT_TREE},
            "spacing_mm": self.settings.spacing_mm,
        }
        seed = seed_of(self.settings.seed, "learn", course.subset) % 2**31
        last = real if arm.source == "real" else first if arm.joint else more
        full = FULL_TRUST_AT.get(arm.confidence, 1.0)
        return Lesson(first, last, bool(arm.confidence), labels, seed, full, plain=arm.source == "real")

    def _own_entries(self, course: Course) -> list[Entry]:
        """The pairs of the arm's own source, the few real ones and their augmented copies apart."""
        arm, root = course.arm, self.shop.root
        if arm.source == TWO:
            return [one for source in TWO.split(" and ") for one in self._own_entries(replace(course, arm=Arm(source)))]
        kind = {**REDRAWN, "more real": "patient", "warped": "warped", "more warped": "warped"}.get(arm.source, "pair")
        folders = [root / item.name for item in self._pairs(course, ()) if item.kind == kind]
        if kind == "patient":
            return [real_entry(folder) for folder in folders]
        if kind == "gaussians":
            return [made_entry(folder, gaussians_file(number)) for folder in folders for number in range(PICTURES)]
        pictures = {"synthetic": f"synthetic-{arm.dose}", "both": "synthetic-0", "warped": "image", "more warped": "image"}
        picture = f"{pictures.get(arm.source, arm.source)}.nii.gz"
        return [made_entry(folder, picture, arm.map_file) for folder in folders]

    def _test(self, course: Course, heart: int) -> Item:
        root, folder = self.shop.root, f"patients/{patient_name(heart)}"

        def make(place: Path, clock: Clock) -> None:
            pair = read_pair(root / folder / "image.nii.gz", root / folder / "mask.nii.gz", CARDIAC)
            test_scan(root / course.training, patient_name(heart), pair, STRUCTURES, THIN, place, course.arm.tuned)

        return Item("test", course.test(heart), make, (course.training, folder))


def real_entry(folder: Path) -> Entry:
    return {"image": str(folder / "image.nii.gz"), "label": str(folder / "mask.nii.gz"), "patient": folder.name}


def made_entry(folder: Path, image: str, confidence: str = "") -> Entry:
    """A pair that was made from real ones, with its parents."""
    note = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    parents = {key: note[key] for key in ("template", "mask_id", "patients")}
    files = {"image": str(folder / image), "label": str(folder / "mask.nii.gz")}
    return {**files, **({"confidence": str(folder / confidence)} if confidence else {}), **parents, "synthetic": True}


@lru_cache(maxsize=1)
def _maker(settings: ProofSettings, root: Path, patients: tuple[str, ...]) -> Maker:
    return Maker(settings, generator(settings.model), FewReal.read([root / name for name in patients]))


@lru_cache(maxsize=1)
def generator(model: str) -> StructDiff:
    """The generator's weights, read once."""
    return StructDiff.load_weights(Path(model)) if model else default_structdiff()


def weights_folder(model: str) -> str:
    """A name for what these weights made."""
    return f"weights-{generator(model).sha256[:8]}"
