"""The proof's numbers: every arm with its interval, paired differences, the dose curve and what follows from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from StructDiffCore.io.atomic import write_text

from .arms import Arm
from .hearts_plan import STRUCTURES, HeartsPlan, generator
from .hierarchy import NOTHING, Crossed, Values, crossed_interval, paired_difference, subset_means
from .map_sight import sight
from .testing import read_scores
from .work import DONE

SCORES = ("Dice", "clDice", "HD95 mm", "b0 error", "b1 error", "b2 error")
CHAMBERS = "chambers and great vessels"
"""The mean over all structures but the coronaries."""
HEADLINE = (("coronaries", "Dice"), ("coronaries", "clDice"), ("coronaries", "HD95 mm"), ("coronaries", "b0 error"),
            (CHAMBERS, "Dice"), (CHAMBERS, "HD95 mm"))  # fmt: skip
RIVALS = (("augmented", "real"), ("warped", "augmented"), ("both", "augmented"), ("both", "synthetic"), ("synthetic", "real"),
          ("more real", "augmented"), ("more real", "synthetic"),
          ("synthetic", "synthetic @10"), ("synthetic", "synthetic @30"), ("synthetic", "augmented"),
          ("synthetic", "warped"), ("synthetic", "SynthSeg"), ("synthetic", "renderer"),
          ("detailed", "synthetic"), ("detailed", "augmented"), ("detailed", "warped"), ("detailed untuned", "synthetic untuned"),
          ("CAL", "synthetic"), ("CAL", "shuffled"), ("shuffled", "synthetic"), ("strong doubt", "synthetic"),
          ("detailed joint", "detailed"), ("detailed joint", "augmented"), ("detailed joint", "warped joint"),
          ("detailed joint", "warped"), ("detailed joint", "synthetic joint"), ("detailed joint", "SynthSeg joint"),
          ("detailed joint", "SynthSeg"),
          ("synthetic joint", "augmented"), ("synthetic joint", "warped joint"), ("synthetic joint", "synthetic"),
          ("warped joint", "augmented"), ("warped joint", "warped"), ("more real", "detailed joint"),
          ("detailed and warped joint", "warped joint"), ("detailed and warped joint", "more warped joint"),
          ("more warped joint", "warped joint"), ("detailed and warped joint", "augmented"),
          ("detailed and warped joint", "detailed joint"), ("more real", "detailed and warped joint"))  # fmt: skip
QUESTIONS = (
    ("truth @30 untuned", "synthetic @30 untuned",
     "before fine-tuning the experiment can see CAL (known truth against unweighted, 30 % without evidence)"),
    ("CAL @30 untuned", "synthetic @30 untuned", "before fine-tuning CAL with our map helps at 30 % without evidence"),
    ("CAL @30 untuned", "shuffled @30 untuned", "before fine-tuning our map helps more than the same map shuffled, at 30 %"),
    ("CAL untuned", "synthetic untuned", "before fine-tuning CAL with our map helps where nothing was removed"),
    ("truth @30", "synthetic @30", "after fine-tuning the experiment can see CAL"),
    ("CAL @30", "synthetic @30", "after fine-tuning CAL with our map helps at 30 % without evidence"),
    ("CAL @30", "shuffled @30", "after fine-tuning our map helps more than the same map shuffled, at 30 %"),
    ("CAL", "synthetic", "after fine-tuning CAL with our map helps where nothing was removed"),
    ("strong doubt @30 untuned", "synthetic @30 untuned", "before fine-tuning strong doubt alone helps at 30 % without evidence"),
    ("strong doubt untuned", "synthetic untuned", "before fine-tuning strong doubt alone helps where nothing was removed"),
    ("strong doubt @30", "synthetic @30", "after fine-tuning strong doubt alone helps at 30 % without evidence"),
    ("strong doubt", "synthetic", "after fine-tuning strong doubt alone helps where nothing was removed"),
    ("more real", "augmented", "the experiment can see pairs that help (as many more real cases against the augmentation)"),
    ("synthetic", "augmented", "synthetic pairs beat the strong augmentation"),
    ("synthetic", "warped", "synthetic pairs beat MGM's warps of the real pair"),
    ("both", "augmented", "synthetic pairs and the augmentation together beat the augmentation alone"),
    ("synthetic", "SynthSeg", "synthetic pairs beat the SynthSeg-style arm"),
    ("synthetic", "renderer", "synthetic pairs beat the renderer"),
    ("detailed untuned", "synthetic untuned", "before fine-tuning the template's detail helps"),
    ("detailed", "synthetic", "after fine-tuning the template's detail helps"),
    ("detailed", "augmented", "synthetic pairs with the template's detail beat the strong augmentation"),
    ("detailed", "warped", "synthetic pairs with the template's detail beat MGM's warps of the real pair"),
    ("detailed joint", "augmented", "learnt jointly, synthetic pairs with the template's detail beat the strong augmentation"),
    ("detailed joint", "warped joint", "they beat MGM's warps of the real pair, both learnt jointly"),
    ("detailed and warped joint", "warped joint", "beside MGM's warps and the augmentation, learnt jointly, they still help"),
    ("detailed and warped joint", "more warped joint", "beside the warps they help more than as many further warps"),
    ("detailed joint", "SynthSeg joint", "they beat the SynthSeg-style pairs, both learnt jointly"),
    ("detailed joint", "SynthSeg", "they beat the SynthSeg-style pairs learnt first"),
    ("synthetic joint", "augmented", "learnt jointly, synthetic pairs without that detail beat the strong augmentation"),
    ("synthetic joint", "warped joint", "synthetic pairs without that detail beat MGM's warps, both learnt jointly"),
)  # fmt: skip
"""Does the first arm beat the second? Those before fine-tuning were added after the first design had failed (ADR 9), the joint
ones after all others had been read (ADR 16)."""


@dataclass(frozen=True)
class Difference:
    """One arm minus another in one score of one structure."""

    arm: str
    against: str
    structure: str
    score: str
    interval: Crossed


@dataclass(frozen=True)
class Results:
    """Scores of all arms: arm -> structure -> score -> (subset, heart) -> value."""

    arms: tuple[Arm, ...]
    values: dict[str, dict[str, dict[str, dict[tuple[int, int], float]]]]

    @classmethod
    def of(cls, plan: HeartsPlan) -> Results:
        """All tests that are done."""
        values: dict[str, dict[str, dict[str, dict[tuple[int, int], float]]]] = {}
        for course in plan.courses() if plan.few else ():
            for heart in plan.test_hearts:
                place = plan.shop.root / course.test(heart)
                if (place / DONE).is_file():
                    _note(values.setdefault(course.arm.name, {}), read_scores(place), (course.subset, heart))
        return cls(tuple(arm for arm in plan.settings.chosen_arms if arm.name in values), values)

    def of_arm(self, arm: str, structure: str, score: str) -> Values:
        return self.values.get(arm, {}).get(structure, {}).get(score, {})

    def interval(self, arm: str, structure: str, score: str) -> Crossed:
        return crossed_interval(self.of_arm(arm, structure, score))

    def difference(self, arm: str, against: str, structure: str, score: str) -> Difference:
        pair = (self.of_arm(name, structure, score) for name in (arm, against))
        return Difference(arm, against, structure, score, paired_difference(*pair))

    def differences(self) -> list[Difference]:
        """The comparisons that were asked for beforehand, as far as both arms are there."""
        names = {arm.name for arm in self.arms}
        pairs = [pair for pair in (*RIVALS, *_of_doses(self.arms)) if names.issuperset(pair)]
        structures = [*STRUCTURES, CHAMBERS]
        made = [self.difference(a, b, structure, score) for a, b in pairs for structure in structures for score in SCORES]
        return [one for one in made if one.interval.hearts]


def _note(
    found: dict[str, dict[str, dict[tuple[int, int], float]]], scores: dict[str, dict[str, float]], key: tuple[int, int]
) -> None:
    """Add one scan's scores, the mean over the thick structures among them."""
    thick = [one for structure, one in scores.items() if structure != "coronaries"]
    mean = {score: float(np.mean([one[score] for one in thick])) for score in SCORES if score in thick[0]}
    for structure, one in {**scores, CHAMBERS: mean}.items():
        for score, value in one.items():
            found.setdefault(structure, {}).setdefault(score, {})[key] = value


def _of_doses(arms: Sequence[Arm]) -> list[tuple[str, str]]:
    """Every weighted arm against the unweighted one of its dose, and against its control."""
    controls = {"CAL": ("", "shuffled"), "truth": ("", "shuffled truth"), "strong doubt": ("", "CAL")}
    pairs = []
    for arm in arms:
        if arm.confidence and (arm.dose or not arm.tuned):
            against = controls.get(arm.confidence, ("",))
            pairs += [(arm.name, replace(arm, confidence=confidence).name) for confidence in against]
    return pairs


def verdicts(results: Results) -> list[str]:
    """The questions, answered as far as the numbers reach; coronary Dice decides."""
    told = []
    for arm, against, words in QUESTIONS:
        found = results.difference(arm, against, "coronaries", "Dice").interval
        if found.hearts:
            answer = "yes" if found.low > 0 else "no, it is the other way round" if found.high < 0 else "not shown"
            told.append(f"{words}: {answer} ({found}; {found.subsets} subsets, {found.hearts} hearts)")
    return told


def write_report(plan: HeartsPlan, out: Path) -> list[str]:
    """proof.json, proof.md and proof.png of what is known so far; returns the verdicts."""
    from .proof_figure import draw_proof

    results = Results.of(plan)
    told, differences = verdicts(results), results.differences()
    sights = [found for dose in plan.settings.doses if (found := sight(plan.synthetic_pairs(), dose)) is not None]
    scores = {
        arm: {s: {n: asdict(crossed_interval(v)) for n, v in of.items()} for s, of in one.items()}
        for arm, one in results.values.items()
    }
    content: dict[str, Any] = {
        "settings": plan.settings.as_dict(),
        "real cases": plan.few,
        "weights_sha256": generator(plan.settings.model).sha256,
        "pilot": [asdict(one) for one in plan.pilot()] if not plan.settings.few else [],
        "arms": scores,
        "coronary Dice by subset": {arm: subset_means(results.of_arm(arm, "coronaries", "Dice")) for arm in scores},
        "differences": [{**asdict(one), "interval": asdict(one.interval)} for one in differences],
        "verdicts": told,
        "map": [asdict(one) for one in sights],
    }
    write_text(out / "proof.json", json.dumps(content, indent=1) + "\n")
    write_text(
        out / "proof.md",
        "\n".join([*markdown(plan, results, differences), "", *(f"- {line}" for line in (*told, *sights))]) + "\n",
    )
    write_text(out / "structures.md", "\n".join(structure_tables(results)) + "\n")
    draw_proof(results, out / "proof.png")
    return told


def structure_tables(results: Results) -> list[str]:
    """Lines of three tables: Dice of every structure; all Betti errors (the thick structures' mean); coronary Dice by subset."""
    dice = [(structure, "Dice") for structure in STRUCTURES]
    betti = [(structure, f"b{n} error") for structure in ("coronaries", CHAMBERS) for n in range(3)]
    return [*_arms_table(results, dice), "", *_arms_table(results, betti), "", *_subsets_table(results)]


def _subsets_table(results: Results) -> list[str]:
    """A row per arm: its coronary Dice on each subset by itself."""
    found = {arm.words: subset_means(results.of_arm(arm.name, "coronaries", "Dice")) for arm in results.arms}
    subsets = sorted({subset for means in found.values() for subset in means})
    lines = [
        "| coronary Dice | " + " | ".join(f"subset {subset}" for subset in subsets) + " |",
        "|---" * (1 + len(subsets)) + "|",
    ]
    for words, means in found.items():
        lines.append(f"| {words} | " + " | ".join(f"{means[one]:.3f}" if one in means else "-" for one in subsets) + " |")
    return lines


def _arms_table(results: Results, columns: Sequence[tuple[str, str]]) -> list[str]:
    """A row per arm: its words, its extent, and the interval of each (structure, score)."""
    heads = [f"{structure}: {score}" for structure, score in columns]
    lines = ["| arm | subsets x hearts | " + " | ".join(heads) + " |", "|---" * (2 + len(heads)) + "|"]
    for arm in results.arms:
        cells = [results.interval(arm.name, *which) for which in columns]
        lines.append(f"| {arm.words} | {cells[0].subsets} x {cells[0].hearts} | " + " | ".join(map(str, cells)) + " |")
    return lines


def markdown(plan: HeartsPlan, results: Results, differences: Sequence[Difference]) -> list[str]:
    """Lines of the arms' table and of the paired differences in the headline scores."""
    lines = [f"Few-shot segmentation of held-out digital hearts, {plan.few} real cases per subset; mean [95 %]."]
    lines += ["Dose: share of the synthetic vessels' length that lost its image evidence and kept its label.", ""]
    if not plan.settings.few:
        lines += [f"Pilot, {one.cases} cases: coronary Dice {one.dice:.3f} ({one.tested} hearts)." for one in plan.pilot()] + [""]
    lines += _arms_table(results, HEADLINE)
    heads = [f"{structure}: {score}" for structure, score in HEADLINE]
    lines += ["", "| paired difference | " + " | ".join(heads) + " |", "|---" * (1 + len(heads)) + "|"]
    interval = {(one.arm, one.against, one.structure, one.score): one.interval for one in differences}
    for pair in dict.fromkeys((one.arm, one.against) for one in differences):
        row = [str(interval.get((*pair, *which), NOTHING)) for which in HEADLINE]
        lines.append(f"| {pair[0]} - {pair[1]} | " + " | ".join(row) + " |")
    return lines
