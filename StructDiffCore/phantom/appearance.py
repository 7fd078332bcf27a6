"""Appearance: how one scanner, kernel and contrast bolus make a body look; drawn per pair, shared by template and target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Triple

from .domains import PHASES, ContrastPhase, Domain, Range, domain_named
from .noise import NOISE_SPECTRA, Noise
from .texture import Texture, draw_texture
from .tissues import Tissue


@dataclass(frozen=True)
class PointSpread:
    """Blur of the scanner and kernel, as a transfer function in mm."""

    shape: str = "gaussian"
    """"gaussian", "edge" (sharp kernel, overshoots at edges) or "tail" (part of the signal spreads far)."""
    sigma_mm: float = 0.45
    """In the axial plane."""
    axial_sigma_mm: float = 0.4
    """Along the patient, slice profile apart."""
    strength: float = 0.0
    """Overshoot gain ("edge") or share of the signal in the tail ("tail")."""
    reach_mm: float = 2.0
    """Width of the overshoot or of the tail."""


@dataclass(frozen=True)
class Motion:
    """Displacement of a ball of the heart during the acquisition window."""

    kind: str = "none"
    """"none", "double" (two positions: double edges) or "blur" (a uniform path)."""
    displacement_mm: Triple = (0.0, 0.0, 0.0)
    centre_mm: Triple = (0.0, 0.0, 0.0)
    """Centre of the moving ball, from the centre of the heart, RAS."""
    radius_mm: float = 30.0


@dataclass(frozen=True)
class Appearance:
    """Everything that turns tissues into HU, noise apart from its seed."""

    phase: str
    hu: Mapping[str, float]
    """Mean HU by tissue name, all tissues."""
    texture: Texture
    point_spread: PointSpread
    noise: Noise
    slice_thickness_mm: float
    motion: Motion
    hardening: float = 0.0
    """Darkening beside dense contrast and bone, as a share of the surrounding excess over 150 HU (beam hardening)."""
    domain: str = "training"

    def hu_table(self) -> NDArray[np.float32]:
        """Mean HU by tissue value, (number of tissues,)."""
        return np.array([self.hu[tissue.name] for tissue in Tissue], np.float32)

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Appearance:
        """Inverse of ``as_dict``, also after a pass through JSON."""
        parts = dict(content)
        motion: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in parts["motion"].items()}
        parts["texture"] = Texture(**parts["texture"])
        parts["point_spread"] = PointSpread(**parts["point_spread"])
        parts["noise"] = Noise(**parts["noise"])
        return cls(**{**parts, "motion": Motion(**motion)})


def draw_appearance(rng: np.random.Generator, domain: str = "training") -> Appearance:
    """A look from the domain's ranges ("training" never shows what is held out)."""
    ranges = domain_named(domain)
    phase = str(rng.choice(ranges.contrast_phases))
    mixing_hu = rng.uniform(*PHASES[phase].mixing_hu)
    thickness = _log_uniform(ranges.slice_thickness_mm, rng)
    point_spread = _draw_point_spread(ranges, rng)
    return Appearance(
        phase=phase,
        hu=_draw_hu(ranges, PHASES[phase], rng),
        texture=draw_texture(mixing_hu, rng),
        point_spread=point_spread,
        noise=_draw_noise(ranges, thickness, rng),
        slice_thickness_mm=float(thickness),
        motion=_draw_motion(ranges, rng),
        hardening=float(rng.uniform(0.0, 0.12)),
        domain=domain,
    )


def _log_uniform(span: Range, rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(*np.log(span))))


def _draw_hu(ranges: Domain, phase: ContrastPhase, rng: np.random.Generator) -> dict[str, float]:
    still = {name: float(rng.uniform(*span)) for name, span in ranges.tissue_hu.items()}
    return {**still, **_draw_blood(phase, rng), **_harder_cortex(still)}


def _harder_cortex(still: Mapping[str, float]) -> dict[str, float]:
    """Cortex is never softer than the marrow it holds."""
    return {"BONE_CORTEX": max(still["BONE_CORTEX"], still["MARROW"] + 250.0)}


def _draw_blood(phase: ContrastPhase, rng: np.random.Generator) -> dict[str, float]:
    """Blood pools along the path of the bolus, and the walls they perfuse."""
    left = rng.uniform(*phase.left_hu)
    right = 45.0 + (left - 45.0) * rng.uniform(*phase.right_share)
    jitter = rng.uniform(0.95, 1.05, 6)
    lung_mix, vein_mix = rng.uniform(0.0, 0.3), rng.uniform(0.75, 1.0)
    artery, vein = right + lung_mix * (left - right), right + vein_mix * (left - right)
    aorta = left * jitter[0]
    muscle = 50.0 + left * rng.uniform(0.05, 0.20)
    coronary = aorta * rng.uniform(0.86, 1.02)
    levels = {
        "LV": left,
        "RV": right,
        "RA": right * rng.uniform(0.9, 1.15),
        "VENA_CAVA": right * rng.uniform(0.8, 1.6),
        "PULMONARY_ARTERY": artery * jitter[1],
        "PULMONARY_VEIN": vein * jitter[2],
        "LUNG_VESSEL": 0.5 * (artery + vein) * jitter[3],
        "LA": left * jitter[4],
        "AORTA": aorta,
        "DESCENDING_AORTA": aorta * jitter[5],
        "LEFT_CORONARY": coronary,
        "RIGHT_CORONARY": coronary * rng.uniform(0.95, 1.03),
        "MYOCARDIUM": muscle,
        "HEART_WALL": muscle * rng.uniform(0.8, 1.05),
    }
    return {name: float(value) for name, value in levels.items()}


def _draw_point_spread(ranges: Domain, rng: np.random.Generator) -> PointSpread:
    shape = str(rng.choice(["gaussian", "edge", "tail"], p=[0.4, 0.35, 0.25]))
    sigma = rng.uniform(*ranges.point_spread_mm)
    strength, reach = {
        "gaussian": (0.0, 0.0),
        "edge": (rng.uniform(0.05, 0.6), sigma * rng.uniform(1.0, 1.6)),
        "tail": (rng.uniform(0.05, 0.25), rng.uniform(1.0, 4.0)),
    }[shape]
    return PointSpread(shape, float(sigma), float(rng.uniform(0.2, 0.8)), float(strength), float(reach))


def _draw_noise(ranges: Domain, thickness_mm: float, rng: np.random.Generator) -> Noise:
    texture = str(rng.choice(ranges.noise_textures))
    spectrum = NOISE_SPECTRA[texture]
    return Noise(
        texture=texture,
        sigma_hu=_log_uniform(ranges.noise_sigma_hu, rng),
        cutoff_per_mm=float(rng.uniform(*spectrum.cutoff_per_mm)),
        decay=float(rng.uniform(*spectrum.decay)),
        axial_sigma_mm=float(rng.uniform(0.08, 0.5) * (1.0 + thickness_mm)),
        radial_gain=float(rng.uniform(0.0, 0.6)),
        patchiness=float(rng.uniform(0.0, 0.15)),
        lung_gain=float(rng.uniform(0.35, 1.0)),
        stretch=float(rng.uniform(0.8, 1.6)),
        angle_rad=float(rng.uniform(-0.3, 0.3)),
    )


def _draw_motion(ranges: Domain, rng: np.random.Generator) -> Motion:
    present = rng.random() < ranges.motion_share
    direction = rng.standard_normal(3)
    length_mm = rng.uniform(0.5, 3.0)
    centre, radius = rng.uniform(-35.0, 35.0, 3), rng.uniform(15.0, 45.0)
    kind = str(rng.choice(["double", "blur"]))
    if not present:
        return Motion()
    shift = direction / np.linalg.norm(direction) * length_mm
    return Motion(kind, tuple(map(float, shift)), tuple(map(float, centre)), float(radius))  # type: ignore[arg-type]
