"""Domain: the ranges digital hearts and their looks are drawn from, and what is kept from all training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from StructDiffCore.domain import StructDiffError

Range = tuple[float, float]
DomainName = Literal["training", "held_out"]


@dataclass(frozen=True)
class HeldOut:
    """What no training example may show: the later "real" domain."""

    noise_texture: str = "streaky"
    """Directional noise of photon starvation."""
    contrast_phase: str = "saline_flush"
    """Left heart bright, right heart flushed to nearly unenhanced blood."""
    dominance: str = "left"
    calcium_mm3: float = 150.0
    """Volume of calcified plaque from which a heart counts as heavily calcified."""
    left_minus_right_hu: float = 250.0
    """Blood of the left minus the right ventricle from which a scan counts as flushed."""


HELD_OUT = HeldOut()


@dataclass(frozen=True)
class ContrastPhase:
    """Blood levels of one timing of the contrast bolus, HU at 70 to 120 kVp."""

    left_hu: Range
    """Left ventricle."""
    right_share: Range
    """Right ventricle's enhancement as a share of the left one's."""
    mixing_hu: Range
    """Spread of unmixed blood (streaming) in the right heart and the caval veins."""


PHASES: Mapping[str, ContrastPhase] = {
    "arterial": ContrastPhase((280.0, 520.0), (0.60, 0.95), (5.0, 45.0)),
    "early_arterial": ContrastPhase((160.0, 380.0), (1.4, 2.4), (30.0, 130.0)),
    "triple_rule_out": ContrastPhase((300.0, 620.0), (0.85, 1.35), (10.0, 60.0)),
    "late": ContrastPhase((90.0, 240.0), (0.85, 1.05), (2.0, 12.0)),
    "saline_flush": ContrastPhase((430.0, 640.0), (0.08, 0.30), (20.0, 60.0)),
}
"""Aortic enhancement of coronary CT: 300 to 500 HU (Abbara 2016, SCCT guideline); wider here on purpose."""

TISSUE_HU: Mapping[str, Range] = {
    "AIR": (-1005.0, -985.0),
    "LUNG": (-905.0, -730.0),
    "AIRWAY": (-1000.0, -965.0),
    "FAT": (-120.0, -85.0),
    "PERICARDIAL_FAT": (-115.0, -65.0),
    "MUSCLE": (40.0, 75.0),
    "SKIN": (-10.0, 60.0),
    "BONE_CORTEX": (550.0, 1300.0),
    "MARROW": (80.0, 330.0),
    "CARTILAGE": (70.0, 170.0),
    "VESSEL_WALL": (30.0, 80.0),
    "CALCIFIED_PLAQUE": (450.0, 1500.0),
    "SOFT_PLAQUE": (10.0, 110.0),
    "LIVER": (50.0, 110.0),
    "STOMACH": (15.0, 70.0),
    "SPINAL_CORD": (25.0, 55.0),
}
"""Tissues that do not follow the bolus: Kalender, Computed Tomography (2011), ch. 1; plaque: Achenbach 2004, Pohle 2007;
pericoronary fat: Antonopoulos 2017. Wider than published."""


@dataclass(frozen=True)
class Domain:
    """What may be drawn in one domain, of anatomy and of look."""

    name: DomainName
    dominances: tuple[str, ...]
    """Coronary dominance of the hearts."""
    calcium_range: Range
    """Calcified plaque of the hearts in mm^3."""
    heavy_calcium: bool
    """The setting hearts of this domain are drawn with."""
    noise_textures: tuple[str, ...]
    contrast_phases: tuple[str, ...]
    tissue_hu: Mapping[str, Range] = field(default_factory=lambda: TISSUE_HU)
    noise_sigma_hu: Range = (5.0, 45.0)
    point_spread_mm: Range = (0.22, 0.85)
    """Sigma in the axial plane."""
    slice_thickness_mm: Range = (0.4, 3.0)
    """Log-uniform: most are thin."""
    motion_share: float = 0.3
    """How many scans show motion."""


DOMAINS: Mapping[str, Domain] = {
    "training": Domain(
        "training",
        dominances=("right", "balanced"),
        calcium_range=(0.0, HELD_OUT.calcium_mm3),
        heavy_calcium=False,
        noise_textures=("soft", "bone", "white", "blotchy"),
        contrast_phases=("arterial", "early_arterial", "triple_rule_out", "late"),
    ),
    "held_out": Domain(
        "held_out",
        dominances=(HELD_OUT.dominance,),
        calcium_range=(HELD_OUT.calcium_mm3, float("inf")),
        heavy_calcium=True,
        noise_textures=(HELD_OUT.noise_texture,),
        contrast_phases=(HELD_OUT.contrast_phase,),
    ),
}


def domain_named(name: str) -> Domain:
    """The domain called ``name``; StructDiffError where there is none."""
    if name not in DOMAINS:
        raise StructDiffError(f"no phantom domain named '{name}'", f"choose one of {sorted(DOMAINS)}")
    return DOMAINS[name]


def refuse_held_out(dominance: str, calcium_mm3: float, phase: str, noise_texture: str) -> None:
    """Raise StructDiffError where a training example shows what is kept from all training."""
    shown = {
        f"dominance '{dominance}'": dominance == HELD_OUT.dominance,
        f"{calcium_mm3:.0f} mm^3 of calcified plaque": calcium_mm3 >= HELD_OUT.calcium_mm3,
        f"contrast phase '{phase}'": phase == HELD_OUT.contrast_phase,
        f"noise texture '{noise_texture}'": noise_texture == HELD_OUT.noise_texture,
    }
    found = [what for what, seen in shown.items() if seen]
    if found:
        fact = f"a training example shows {', '.join(found)}, which is held out"
        raise StructDiffError(fact, "draw it from the training domain", "internal")
