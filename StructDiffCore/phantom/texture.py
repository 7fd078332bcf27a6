"""Texture: what tissues look like inside, noise apart: marbling, strands, trabeculae, lung vessels, unmixed blood."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry

from .noise import Frequencies, Point, gaussian_field
from .tissues import BLOOD, Tissue

COMPONENTS = ("grain", "strands", "twigs", "clouds", "gravity", "shading")
"""grain: fine even mottle; strands: thin bright sheets; twigs: thin bright curves; clouds: slow waves inside a tissue;
gravity: mm towards the back; shading: very slow waves over everything."""

RIGHT_HEART = (Tissue.RA, Tissue.RV, Tissue.VENA_CAVA)
UNSHADED = (Tissue.AIR, Tissue.AIRWAY)
STRAND_WIDTH, TWIG_WIDTH = np.float32(0.25), np.float32(0.35)
"""Of sheets and curves, in units of the spread of the field they follow: about a quarter and a third of the mesh."""


@dataclass(frozen=True)
class Texture:
    """Amplitudes and lengths of the texture of all tissues."""

    amplitude_hu: Mapping[str, Mapping[str, float]]
    """HU (standard deviation; for gravity HU per mm) by tissue name and component; missing means none."""
    fine_mm: float = 1.0
    """Length of grain."""
    strand_mm: float = 2.5
    """Mesh of strands."""
    twig_mm: float = 2.5
    """Mesh of twigs."""
    cloud_mm: float = 9.0
    shading_hu: float = 4.0
    """Spread of the slow shading in tissue (0 HU material; scaled by density)."""
    shading_mm: float = 35.0

    def table(self) -> NDArray[np.float32]:
        """Amplitudes (tissues, components) in the order of ``Tissue`` and ``COMPONENTS``."""
        table = np.zeros((len(Tissue), len(COMPONENTS)), np.float32)
        for name, amplitudes in self.amplitude_hu.items():
            for component, value in amplitudes.items():
                table[Tissue[name], COMPONENTS.index(component)] = value
        table[:, -1] = self.shading_hu
        table[list(UNSHADED), -1] = 0.0
        table[Tissue.LUNG, -1] *= 0.3
        return table


RANGES_HU: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "LUNG": {"grain": (0.0, 10.0), "strands": (0.0, 16.0), "twigs": (0.0, 30.0), "clouds": (3.0, 25.0), "gravity": (0.0, 0.7)},
    "FAT": {"grain": (0.0, 3.0), "strands": (2.0, 18.0), "clouds": (0.0, 12.0)},
    "PERICARDIAL_FAT": {"grain": (0.0, 3.0), "strands": (3.0, 22.0), "clouds": (0.0, 14.0)},
    "MUSCLE": {"grain": (0.0, 4.0), "strands": (-14.0, -3.0), "clouds": (1.0, 8.0)},
    "BONE_CORTEX": {"grain": (20.0, 120.0), "clouds": (20.0, 150.0)},
    "MARROW": {"grain": (15.0, 70.0), "strands": (10.0, 70.0), "clouds": (10.0, 50.0)},
    "CARTILAGE": {"grain": (0.0, 6.0), "clouds": (3.0, 20.0)},
    "MYOCARDIUM": {"grain": (0.0, 4.0), "strands": (-5.0, 0.0), "clouds": (1.0, 9.0)},
    "HEART_WALL": {"grain": (0.0, 5.0), "clouds": (2.0, 12.0)},
    "CALCIFIED_PLAQUE": {"grain": (30.0, 200.0)},
    "SOFT_PLAQUE": {"grain": (3.0, 20.0)},
    "LIVER": {"grain": (0.0, 2.0), "strands": (0.0, 5.0), "clouds": (0.0, 5.0)},
    "STOMACH": {"strands": (0.0, 12.0), "clouds": (4.0, 25.0)},
    "SKIN": {"grain": (2.0, 20.0)},
}


def draw_texture(mixing_hu: float, rng: np.random.Generator) -> Texture:
    """Amplitudes from ``RANGES_HU``; unmixed blood of ``mixing_hu`` in the right heart, a fifth of it elsewhere at most."""
    amplitudes = {
        name: {component: float(rng.uniform(*span)) for component, span in components.items()}
        for name, components in RANGES_HU.items()
    }
    for tissue in BLOOD:
        share = 1.0 if tissue in RIGHT_HEART else float(rng.uniform(0.02, 0.2))
        settled = float(rng.uniform(0.0, 0.02)) * mixing_hu * share
        amplitudes[tissue.name] = {"clouds": float(mixing_hu) * share, "gravity": settled}
    return Texture(
        amplitudes,
        fine_mm=float(rng.uniform(0.5, 1.3)),
        strand_mm=float(rng.uniform(2.0, 6.0)),
        twig_mm=float(rng.uniform(1.5, 3.5)),
        cloud_mm=float(rng.uniform(4.0, 13.0)),
        shading_hu=float(rng.uniform(0.0, 9.0)),
        shading_mm=float(rng.uniform(25.0, 60.0)),
    )


def texture_fields(
    texture: Texture, geometry: Geometry, centre_mm: Point, rng: np.random.Generator
) -> Iterator[NDArray[np.float32]]:
    """The components in order, one (i, j, k) field at a time: zero mean, unit spread; gravity in mm behind ``centre_mm``."""
    fine = smooth_field(texture.fine_mm, geometry, rng)
    yield fine
    yield _standard(np.exp(-((smooth_field(texture.strand_mm, geometry, rng) / STRAND_WIDTH) ** 2)))
    yield _standard(_curves(smooth_field(texture.twig_mm, geometry, rng), smooth_field(texture.twig_mm, geometry, rng)))
    yield smooth_field(texture.cloud_mm, geometry, rng)
    yield _mm_behind(geometry, centre_mm)
    yield smooth_field(texture.shading_mm, geometry, rng)


def _curves(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bright thin curves where both fields vanish: twigs of vessels."""
    return np.exp(-(first**2 + second**2) / TWIG_WIDTH**2)


def smooth_field(length_mm: float, geometry: Geometry, rng: np.random.Generator) -> NDArray[np.float32]:
    """Gaussian field of unit spread whose correlation is a Gaussian of sigma ``length_mm``."""

    def amplitude(along: Frequencies) -> NDArray[np.float32]:
        parts = [np.exp(-((np.pi * length_mm * f) ** 2)) for f in along]
        return parts[0] * parts[1] * parts[2]

    return gaussian_field(geometry, amplitude, rng)


def _standard(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """The field with zero mean and unit spread (a skewed field keeps its skew)."""
    field -= field.mean()
    field /= max(float(field.std()), 1e-6)
    return field


def _mm_behind(geometry: Geometry, centre_mm: Point) -> NDArray[np.float32]:
    """How far each voxel lies behind (posterior of) the centre, in mm, clipped to 100."""
    row = geometry.affine[1]
    grids = np.ogrid[tuple(slice(n) for n in geometry.shape)]
    ahead = sum(row[a] * grids[a] for a in range(3)) + (row[3] - centre_mm[1])
    return np.clip(-ahead, -100.0, 100.0).astype(np.float32)
