"""Proportions: every number in which one digital heart differs from the next, drawn first, applied later.

Ranges: LV volume 75-150 ml and wall 6-12 mm in diastole (Maceira 2006, Kawut 2014), aortic root 28-40 mm and ascending
aorta 26-38 mm (Wolak 2008), pulmonary trunk 22-30 mm (Truong 2012), left atrium 60-110 ml and right
ventricle by eye from cardiac CT.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Dominance = Literal["right", "left", "balanced"]


@dataclass(frozen=True)
class Proportions:
    """Sizes in mm, angles in radians, factors without unit."""

    scale: float
    """Overall size of the heart; 1 is a mid-sized adult."""
    tilt: tuple[float, float, float]
    """Rotation vector (radians, body axes) added to the mean heart orientation."""
    lv_radius: float
    lv_length: float
    """Base to apex of the cavity."""
    wall: float
    """Mean thickness of the left-ventricular wall."""
    apex_wall: float
    septum_gain: float
    """Septal wall over mean wall."""
    la_factor: float
    ra_factor: float
    rv_depth: float
    """How far the right ventricle bulges beyond the septum."""
    aorta_radius: float
    """Ascending aorta."""
    root_gain: float
    """Sinus diameter over ascending diameter."""
    pulmonary_radius: float
    fat: float
    """Thickness of the epicardial fat over the free walls."""
    subcutaneous: float
    """Thickness of the fat under the skin."""
    muscle: float
    """Thickness of the chest muscles over the ribs."""
    thorax_factor: tuple[float, float]
    """Width and depth of the rib cage over the mean cage."""
    diaphragm: float
    """Height of the diaphragm over its mean."""
    rib_phase: float
    warp: float
    """Standard deviation of the smooth bending in mm."""
    jitter: tuple[tuple[float, float, float], ...]
    """Small shifts (mm) of twelve landmarks."""


def draw_proportions(rng: np.random.Generator, variation: float = 1.0) -> Proportions:
    """Proportions of one heart; ``variation`` scales every spread (0 gives the mean heart)."""

    def around(mean: float, spread: float) -> float:
        return float(mean + variation * spread * rng.uniform(-1.0, 1.0))

    return Proportions(
        scale=around(0.91, 0.045),
        tilt=(around(0, 0.13), around(0, 0.13), around(0, 0.15)),
        lv_radius=around(23.5, 2.5),
        lv_length=around(74.0, 5.0),
        wall=around(9.0, 2.3),
        apex_wall=around(5.5, 1.0),
        septum_gain=around(1.05, 0.12),
        la_factor=around(1.0, 0.1),
        ra_factor=around(1.0, 0.09),
        rv_depth=around(29.0, 3.5),
        aorta_radius=around(15.2, 2.0),
        root_gain=around(1.13, 0.06),
        pulmonary_radius=around(12.8, 1.3),
        fat=around(4.5, 2.5),
        subcutaneous=around(15.0, 9.0),
        muscle=around(10.0, 4.0),
        thorax_factor=(around(1.0, 0.07), around(1.0, 0.07)),
        diaphragm=around(0.0, 8.0),
        rib_phase=around(0.0, 14.0),
        warp=around(1.7, 0.6),
        jitter=tuple((around(0, 2.0), around(0, 2.0), around(0, 2.0)) for _ in range(12)),
    )
