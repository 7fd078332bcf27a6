"""3D view of a label map without a graphics library: orthographic rays, first hit, shading by the smoothed map's gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from StructDiffCore.domain import LabelMap
from StructDiffCore.measures.distance import signed_distance

from .ray_march import march

SMOOTH_MM = 0.9
SMOOTH_VOXELS = 1.2
"""The Gaussian that rounds the voxel steps of thick labels is the wider of the two, per axis."""
EVEN_MM = 1.0
"""Shading of thick labels is evened out over this distance in the picture."""
THIN_SMOOTH_VOXELS = 0.5
THIN_REACH_VOXELS = 2.0
THIN_OUT_VOXELS = 0.4
"""Vessels are drawn so far outside their voxels, or a chain of single voxels that touch by corners would fall into beads."""
EYE = np.array([0.0, 0.0, 1.0])
KEY_LIGHT = np.array([-0.45, 0.55, 0.70])
"""Direction to the lamp in picture axes (right, up, towards the eye)."""


@dataclass(frozen=True)
class Camera:
    """An orthographic eye: it looks from a direction, with the patient's head up."""

    name: str
    azimuth_deg: float
    """0 looks at the patient from the front, +90 from the patient's left, 180 from behind."""
    elevation_deg: float = 0.0
    """Positive looks down from the head's side."""

    @property
    def axes(self) -> NDArray[np.float64]:
        """Rows: RAS+ unit vectors of the picture's right, its up, and towards the eye."""
        azimuth, elevation = np.deg2rad([self.azimuth_deg, self.elevation_deg])
        ahead = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])  # from the heart to an eye at elevation 0
        right = np.array([-np.cos(azimuth), -np.sin(azimuth), 0.0])  # seen from the front the patient's left is at the right
        eye = np.cos(elevation) * ahead + np.array([0.0, 0.0, np.sin(elevation)])
        return np.stack([right, np.cross(eye, right), eye])


ANTERIOR = Camera("from the front", 0.0, 5.0)
LEFT_OBLIQUE = Camera("left anterior oblique", 50.0, 12.0)
POSTERIOR = Camera("from behind", 180.0, 0.0)


@dataclass(frozen=True, eq=False)
class View:
    """A rendered picture and the mapping that puts world points onto it."""

    rgb: NDArray[np.float32]
    """(rows, columns, 3) in 0..1, first row on top, with the background already in it."""
    camera: Camera
    centre_mm: NDArray[np.float64]
    mm_per_pixel: float

    def pixel_of(self, world_mm: Sequence[float]) -> tuple[float, float]:
        """(column, row) of a RAS+ point."""
        across, up, _ = self.camera.axes @ (np.asarray(world_mm, float) - self.centre_mm)
        rows, columns = self.rgb.shape[:2]
        return columns / 2 + across / self.mm_per_pixel, rows / 2 - up / self.mm_per_pixel


def render_surface(
    label_map: LabelMap, camera: Camera, pixels: int = 560, values: Sequence[int] | None = None, supersampling: int = 2
) -> View:
    """Shade the labels' surfaces as seen by ``camera``; ``values`` limits the labels shown. RGB of ``pixels`` x ``pixels``."""
    shown = tuple(value for value in label_map.present if values is None or value in values)
    centre, extent_mm = _bounding_sphere(label_map, shown)
    fine = pixels * supersampling
    mm_per_pixel = extent_mm / fine
    depth = np.full((fine, fine), -np.inf, np.float32)
    normal = np.zeros((fine, fine, 3), np.float32)
    owner = np.zeros((fine, fine), np.int32)
    boxes = ndimage.find_objects(label_map.voxels)
    for value in shown:
        _draw_label(label_map, value, boxes[value - 1], camera, centre, mm_per_pixel, depth, normal, owner)
    for value in shown:
        if not label_map.scheme[value].thin:
            _even_out(normal, owner == value, EVEN_MM / mm_per_pixel)
    colours = _palette(label_map, shown)[owner]
    rgb = _shaded(colours, depth, normal, camera, mm_per_pixel)
    rgb = rgb.reshape(pixels, supersampling, pixels, supersampling, 3).mean(axis=(1, 3))
    return View(rgb.astype(np.float32), camera, centre, mm_per_pixel * supersampling)


def _bounding_sphere(label_map: LabelMap, shown: Sequence[int]) -> tuple[NDArray[np.float64], float]:
    """Centre in mm and the edge length in mm of a square that holds the labels from every side."""
    inside = np.isin(label_map.voxels, shown)
    if not inside.any():
        return label_map.geometry.to_world(np.array(label_map.geometry.shape) / 2), 100.0
    spans = [np.flatnonzero(inside.any(axis=tuple(o for o in range(3) if o != axis))) for axis in range(3)]
    corners = np.array(np.meshgrid(*[(span[0], span[-1]) for span in spans])).reshape(3, -1).T
    world = label_map.geometry.to_world(corners)
    low, high = world.min(axis=0), world.max(axis=0)
    return (low + high) / 2, float(1.04 * max(high[2] - low[2], np.hypot(high[0] - low[0], high[1] - low[1])))


def _draw_label(
    label_map: LabelMap,
    value: int,
    box: tuple[slice, ...],
    camera: Camera,
    centre: NDArray[np.float64],
    mm_per_pixel: float,
    depth: NDArray[np.float32],
    normal: NDArray[np.float32],
    owner: NDArray[np.int32],
) -> None:
    """March every ray through the smoothed indicator of one label; nearer hits overwrite ``depth``, ``normal``, ``owner``."""
    geometry = label_map.geometry
    start = np.array([side.start - PADDING for side in box])
    inside = np.pad(label_map.voxels[box] == value, PADDING)
    field, level = _thin_field(inside) if label_map.scheme[value].thin else _thick_field(inside, geometry.spacing)
    to_index = np.linalg.inv(geometry.affine[:3, :3])
    axes = to_index @ camera.axes.T  # columns: index steps per mm along right, up, eye
    origin = to_index @ (centre - geometry.affine[:3, 3]) - start
    march(field, level, origin, np.ascontiguousarray(axes.T), mm_per_pixel, min(geometry.spacing), value, depth, normal, owner)


PADDING = 3


def _even_out(normal: NDArray[np.float32], shown: NDArray[np.bool_], sigma_pixels: float) -> None:
    """Blend the normals of one label's pixels with their neighbours' (in place): a plane askew to the grid shows no terraces."""
    if not shown.any():
        return
    rows, columns = (slice(int(hit.min()), int(hit.max()) + 1) for hit in np.nonzero(shown))
    inside = shown[rows, columns]
    part = np.where(inside[..., None], normal[rows, columns], np.float32(0))
    mean = ndimage.gaussian_filter(part, (sigma_pixels, sigma_pixels, 0), truncate=2.5)
    mean /= np.maximum(np.linalg.norm(mean, axis=2, keepdims=True), 1e-6)
    normal[rows, columns][inside] = mean[inside]


def _thick_field(inside: NDArray[np.bool_], spacing: Sequence[float]) -> tuple[NDArray[np.float32], np.float32]:
    """The smoothed indicator and its level at the surface."""
    sigma = [max(SMOOTH_MM / s, SMOOTH_VOXELS) for s in spacing]
    return ndimage.gaussian_filter(inside.astype(np.float32), sigma), np.float32(0.5)


def _thin_field(inside: NDArray[np.bool_]) -> tuple[NDArray[np.float32], np.float32]:
    """The smoothed depth in voxels, 0 far outside, and its level a little outside the surface."""
    depth = np.clip(THIN_REACH_VOXELS - signed_distance(inside, (1.0, 1.0, 1.0)), 0, None)
    return ndimage.gaussian_filter(depth, THIN_SMOOTH_VOXELS), np.float32(THIN_REACH_VOXELS - THIN_OUT_VOXELS)


def _palette(label_map: LabelMap, shown: Sequence[int]) -> NDArray[np.float32]:
    palette = np.zeros((max(shown, default=0) + 1, 3), np.float32)
    for value in shown:
        palette[value] = np.array(label_map.scheme[value].colour, np.float32) / 255
    return palette


def _shaded(
    colours: NDArray[np.float32], depth: NDArray[np.float32], normal: NDArray[np.float32], camera: Camera, mm_per_pixel: float
) -> NDArray[np.float32]:
    """Lamp, headlight, highlight, darkened crevices and fading with depth, over the dark background."""
    hit = np.isfinite(depth)
    lamp = KEY_LIGHT / np.linalg.norm(KEY_LIGHT)
    half = (lamp + EYE) / np.linalg.norm(lamp + EYE)
    towards_lamp = np.clip(normal @ lamp.astype(np.float32), 0, 1)
    towards_eye = np.clip(normal[..., 2], 0, 1)
    highlight = np.clip(normal @ half.astype(np.float32), 0, 1) ** 40
    light = 0.20 + 0.50 * towards_lamp + 0.34 * towards_eye
    light *= _crevices(depth, hit, mm_per_pixel)
    rgb = colours * light[..., None] + 0.22 * highlight[..., None]
    return np.where(hit[..., None], np.clip(rgb, 0, 1), _backdrop(depth.shape)).astype(np.float32)


def _crevices(depth: NDArray[np.float32], hit: NDArray[np.bool_], mm_per_pixel: float) -> NDArray[np.float32]:
    """Factor 0.3..1 per pixel: darker where the surroundings lie nearer to the eye (a cheap ambient occlusion), and far away."""
    if not hit.any():
        return np.ones(depth.shape, np.float32)
    far = depth[hit].min()
    filled = np.where(hit, depth, far)
    shade = np.ones(depth.shape, np.float32)
    for reach_mm, strength in ((2.0, 0.05), (8.0, 0.02)):
        above = _blurred(filled, reach_mm / mm_per_pixel) - filled
        shade *= np.clip(1 - np.float32(strength) * np.maximum(above, 0), 0.62, 1)
    span = max(float(depth[hit].max() - far), 1.0)
    return shade * (0.78 + np.float32(0.22 / span) * (filled - far))


def _blurred(image: NDArray[np.float32], sigma_pixels: float) -> NDArray[np.float32]:
    """A wide Gaussian, computed on a coarser grid whose cells stay well below its width."""
    step = max(1, int(sigma_pixels / 3))
    rows, columns = (n // step * step for n in image.shape)
    coarse = image[:rows, :columns].reshape(rows // step, step, columns // step, step).mean(axis=(1, 3))
    blurred = ndimage.gaussian_filter(coarse, sigma_pixels / step, truncate=2.0)
    if step == 1:
        return blurred
    places = [(np.arange(n) + 0.5) / step - 0.5 for n in image.shape]
    return ndimage.map_coordinates(blurred, np.meshgrid(*places, indexing="ij"), order=1, mode="nearest")


def _backdrop(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The pictures' background, a little lighter in the middle."""
    rows, columns = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    glow = 0.05 * np.clip(1 - rows**2 - columns**2, 0, 1) ** 2
    return (np.array([16, 19, 23]) / 255 + glow[..., None]).astype(np.float32)
