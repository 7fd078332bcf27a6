"""Arms: what a segmenter learns from before it is tuned on the few real pairs."""

from __future__ import annotations

from dataclasses import dataclass

from StructDiffCore.domain import StructDiffError

SOURCES = {
    "real": "real only",
    "augmented": "real + strong augmentation",
    "warped": "+ MGM-warped real pairs",
    "more warped": "+ twice as many MGM-warped real pairs",
    "SynthSeg": "+ SynthSeg-style Gaussians on MGM masks",
    "renderer": "+ renderer",
    "synthetic": "+ synthetic, unweighted",
    "detailed": "+ synthetic with the template's detail, unweighted",
    "detailed and warped": "+ synthetic with the template's detail and MGM warps",
    "both": "+ synthetic and the augmentation together",
    "more real": "+ as many more real cases (ceiling of made pairs)",
}
"""Pairs of the first stage, by name."""
MAPS = {
    "CAL": "+ synthetic, CAL with our map",
    "strong doubt": "+ synthetic, CAL with our map, strong doubt alone",
    "truth": "+ synthetic, CAL with the known truth (ceiling)",
    "shuffled": "+ synthetic, CAL with our map shuffled (control)",
    "shuffled truth": "+ synthetic, CAL with the truth shuffled (control)",
}
"""Confidence maps of synthetic pairs, by name."""
FULL_TRUST_AT = {"strong doubt": 0.25}
"""Confidence that already is full trust, where it is not 1 (ADR 12)."""
UNTUNED, JOINT = " untuned", " joint"
ALONE = ("real", "augmented", "both", "more real")
"""Sources that have no pairs of their own to keep, or that are mixed already."""


@dataclass(frozen=True)
class Arm:
    """One row of the table."""

    source: str
    """Key of ``SOURCES``."""
    confidence: str = ""
    """Key of ``MAPS``; empty: every voxel has weight 1."""
    dose: int = 0
    """Per cent of the synthetic vessels' length that lost its image evidence."""
    tuned: bool = True
    """Tested after fine-tuning on the few real pairs; else the same training is tested as pre-training left it."""
    joint: bool = False
    """Both stages draw from the arm's pairs, the few real ones and their augmented copies together (ADR 16)."""

    @property
    def name(self) -> str:
        """As ``arm_named`` reads it."""
        when = JOINT if self.joint else "" if self.tuned else UNTUNED
        return (self.confidence or self.source) + (f" @{self.dose}" if self.dose else "") + when

    @property
    def map_file(self) -> str:
        """Of a pair's files; empty where every voxel has weight 1."""
        kind = "CAL" if self.confidence in FULL_TRUST_AT else self.confidence.replace(" ", "-")
        return f"{kind}-{self.dose}.nii.gz" if kind else ""

    @property
    def folder(self) -> str:
        return self.name.replace(" ", "-").replace("@", "")

    @property
    def words(self) -> str:
        what = MAPS.get(self.confidence) or SOURCES[self.source]
        when = ", learnt jointly" if self.joint else "" if self.tuned else ", before fine-tuning"
        return what + (f", dose {self.dose} %" if self.dose else "") + when


def arm_named(text: str) -> Arm:
    """'augmented', 'synthetic @30', 'CAL', 'truth @10 untuned', 'detailed joint' ...: StructDiffError for anything else."""
    joint, tuned = text.endswith(JOINT), not text.endswith(UNTUNED)
    name, _, dose = text.removesuffix(JOINT if joint else UNTUNED).partition("@")
    name, dose = name.strip(), dose.strip()
    if (dose and not (dose.isdigit() and 0 < int(dose) <= 100)) or name not in (*SOURCES, *MAPS):
        raise StructDiffError(
            f"unknown arm '{text}'",
            f"choose from {', '.join((*SOURCES, *MAPS))}, with @10 or @30 for a dose, 'untuned' or 'joint' behind it",
        )
    if dose and name in SOURCES and name != "synthetic":
        raise StructDiffError(f"the arm '{text}' gives a dose to pairs that are not synthetic", "leave the dose away")
    if joint and (name in ALONE or name in MAPS):
        raise StructDiffError(
            f"the arm '{text}' cannot be joint: it has no made pairs, mixes them already, or weighs them in the first stage",
            f"choose from {', '.join(source for source in SOURCES if source not in ALONE)}",
        )
    source = name if name in SOURCES else "synthetic"
    return Arm(source, name if name in MAPS else "", int(dose or 0), tuned, joint)
