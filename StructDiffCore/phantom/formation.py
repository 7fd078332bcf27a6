"""CT formation: tissues and an appearance become a clean and a noisy volume in HU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from StructDiffCore.config.compiled import njit
from StructDiffCore.domain import Geometry, Volume

from .appearance import Appearance, Motion, PointSpread
from .noise import Frequencies, Point, along_axis, axial_axis, frequencies, lung_gain, sample_noise
from .texture import texture_fields

HU_FLOOR, HU_CEILING = -1024.0, 3071.0
PADDING_MM = 6.0
HARDENING_REACH_MM = 9.0
HARDENING_FROM_HU = 150.0


class Body(Protocol):
    """What can be rendered: a voxel is ``share / 255`` of ``tissue`` and the rest of ``second``, uint8 (i, j, k)."""

    @property
    def tissue(self) -> NDArray[np.uint8]: ...
    @property
    def second(self) -> NDArray[np.uint8]: ...
    @property
    def share(self) -> NDArray[np.uint8]: ...
    @property
    def geometry(self) -> Geometry: ...


@dataclass(frozen=True, eq=False)
class Rendering:
    """One scan of a body, with its noise-free truth."""

    clean: Volume
    """With anatomical texture, blur and motion, without noise."""
    noisy: Volume


def render(heart: Body, appearance: Appearance, rng: np.random.Generator) -> Rendering:
    """Scan a heart, a crop of one, or a dressed label map.

    Texture and noise come from ``rng`` alone, so a crop repeats from its own seed (it is not the crop of the whole's texture).
    """
    centre_mm = np.asarray(getattr(heart, "centre_mm", (0.0, 0.0, 0.0)), float)
    texture_rng, noise_rng = rng.spawn(2)
    sharp = paint(heart, appearance, centre_mm, texture_rng)
    clean = expose(sharp, appearance, heart.geometry, centre_mm)
    noise = sample_noise(appearance.noise, heart.geometry, centre_mm, noise_rng)
    noise *= lung_gain(appearance.noise, clean, heart.geometry)
    noise += clean
    return Rendering(_volume(clean, heart.geometry), _volume(noise, heart.geometry))


def _volume(voxels: NDArray[np.float32], geometry: Geometry) -> Volume:
    return Volume(np.clip(voxels, HU_FLOOR, HU_CEILING, out=voxels), geometry)


def paint(heart: Body, appearance: Appearance, centre_mm: Point, rng: np.random.Generator) -> NDArray[np.float32]:
    """HU (i, j, k) before the scanner: two-material partial volume and texture."""
    materials = (heart.tissue, heart.second, heart.share)
    painted = np.zeros(heart.geometry.shape, np.float32)
    _add(painted, *materials, appearance.hu_table(), np.ones((1, 1, 1), np.float32))
    table = appearance.texture.table()
    for component, field in enumerate(texture_fields(appearance.texture, heart.geometry, centre_mm, rng)):
        _add(painted, *materials, np.ascontiguousarray(table[:, component]), field)
    return painted


@njit(cache=True, fastmath=True)
def _add(painted: Any, tissue: Any, second: Any, share: Any, amplitude: Any, field: Any) -> None:
    """Add a field, weighted by the amplitudes of the two materials of each voxel; a field of one voxel is a constant."""
    constant = field.size == 1
    for i in range(tissue.shape[0]):
        for j in range(tissue.shape[1]):
            for k in range(tissue.shape[2]):
                part = np.float32(share[i, j, k]) / np.float32(255.0)
                weight = part * amplitude[tissue[i, j, k]] + (np.float32(1.0) - part) * amplitude[second[i, j, k]]
                painted[i, j, k] += weight * (field[0, 0, 0] if constant else field[i, j, k])


def expose(sharp: NDArray[np.float32], appearance: Appearance, geometry: Geometry, centre_mm: Point) -> NDArray[np.float32]:
    """The scanner without noise (i, j, k): point spread, slice profile, beam hardening, motion."""
    pad = [int(np.ceil(PADDING_MM / s)) for s in geometry.spacing]
    shape = tuple(scipy.fft.next_fast_len(n + 2 * p, real=True) for n, p in zip(sharp.shape, pad))
    padded = np.pad(sharp, [(p, size - n - p) for n, p, size in zip(sharp.shape, pad, shape)], mode="edge")
    along = frequencies(shape, geometry)
    spectrum = scipy.fft.rfftn(padded)
    if appearance.hardening > 0:
        spectrum -= np.float32(appearance.hardening) * _veil(padded, along)
    spectrum *= transfer(appearance.point_spread, appearance.slice_thickness_mm, along)
    inner = tuple(slice(p, p + n) for n, p in zip(sharp.shape, pad))
    still = scipy.fft.irfftn(spectrum, s=shape)[inner]
    if appearance.motion.kind == "none":
        return np.ascontiguousarray(still)
    spectrum *= _motion_transfer(appearance.motion, geometry, along)
    moved = scipy.fft.irfftn(spectrum, s=shape, overwrite_x=True)[inner]
    weight = _moving_ball(appearance.motion, geometry, centre_mm)
    return still + weight * (moved - still)


def _veil(padded: NDArray[np.float32], along: Frequencies) -> NDArray[np.complex64]:
    """Spectrum of the blurred excess over ``HARDENING_FROM_HU``."""
    excess = scipy.fft.rfftn(np.maximum(padded - np.float32(HARDENING_FROM_HU), np.float32(0.0)))
    for f in along:
        excess *= np.exp(-2.0 * (np.pi * HARDENING_REACH_MM * f) ** 2)
    return excess


def transfer(spread: PointSpread, slice_thickness_mm: float, along: Frequencies) -> NDArray[np.float32]:
    """Modulation transfer function at the given frequencies; 1 at zero."""
    first, second, axial = along
    squared = first**2 + second**2
    plane = np.exp(-2.0 * (np.pi * spread.sigma_mm) ** 2 * squared)
    if spread.shape == "edge":
        peak = (2.0 * np.pi * spread.reach_mm) ** 2 * squared
        plane = plane * (1.0 + np.float32(spread.strength) * peak * np.exp(1.0 - peak))
    elif spread.shape == "tail":
        far = np.exp(-2.0 * np.pi * spread.reach_mm * np.sqrt(squared))
        plane = (1.0 - np.float32(spread.strength)) * plane + np.float32(spread.strength) * far
    profile = np.exp(-2.0 * (np.pi * spread.axial_sigma_mm * axial) ** 2) * np.sinc(slice_thickness_mm * axial)
    return (plane * profile).astype(np.float32)


def _motion_transfer(motion: Motion, geometry: Geometry, along: Frequencies) -> NDArray[np.float32]:
    """Mean over the path of the shift's phase factors: cosine for two positions, sinc for a uniform path."""
    shift = np.asarray(geometry.direction).T @ np.asarray(motion.displacement_mm)
    axial = axial_axis(geometry)
    per_axis = [shift[a] for a in range(3) if a != axial] + [shift[axial]]
    cycles = sum(np.float32(d) * f for d, f in zip(per_axis, along))
    return np.cos(np.pi * cycles) if motion.kind == "double" else np.sinc(cycles).astype(np.float32)


def _moving_ball(motion: Motion, geometry: Geometry, centre_mm: Point) -> NDArray[np.float32]:
    """Weight of the moved image (i, j, k): a soft ball."""
    place = geometry.to_index(centre_mm + np.asarray(motion.centre_mm))
    weight = np.ones((1, 1, 1), np.float32)
    for a, n in enumerate(geometry.shape):
        distance = (np.arange(n) - place[a]) * geometry.spacing[a] / motion.radius_mm
        weight = weight * along_axis(np.exp(-(distance**4)).astype(np.float32), a)
    return weight
