"""Curved view: the volume straightened along a vessel, with cross-sections and the lumen radius beneath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from StructDiffCore.domain import LabelMap, Volume
from StructDiffCore.vessels.branch import Branch
from StructDiffCore.vessels.frame import curved_frame

from .style import ACCENT, FAINT, INK, VESSELS, Window, bare, new_figure, outlined, rgb, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STEP_MM = 0.25
HALF_WIDTH_MM = 12.0
SECTION_HALF_MM = 7.0
SMOOTH_STEPS = 6
"""The centreline's direction is taken after smoothing over this many steps, so that the frame does not shake."""


@dataclass(frozen=True, eq=False)
class Straightened:
    """Samples along a vessel: axis 0 runs across (mm -half..half), axis 1 along it."""

    first: NDArray[np.float32]
    """Plane of the frame's normal, (across, along)."""
    second: NDArray[np.float32]
    """Plane of the binormal, 90 degrees on."""
    along_mm: NDArray[np.float64]
    """Arc length (along,)."""
    radius_mm: NDArray[np.float64]
    """Lumen radius of the graph (along,)."""


@dataclass(frozen=True, eq=False)
class Course:
    """A centreline at equal small steps with its twist-free frame."""

    points_mm: NDArray[np.float64]
    normal: NDArray[np.float64]
    binormal: NDArray[np.float64]
    along_mm: NDArray[np.float64]
    radius_mm: NDArray[np.float64]

    @classmethod
    def of(cls, branch: Branch, step_mm: float = STEP_MM) -> Course:
        """The branch resampled to ``step_mm`` and framed by parallel transport."""
        along = np.arange(0.0, branch.length_mm + step_mm / 2, step_mm)
        points = ndimage.gaussian_filter1d(branch.point_at(along), SMOOTH_STEPS, axis=0, mode="nearest")
        frame = curved_frame(points)
        return cls(points, frame.normal, frame.binormal, along, branch.radius_at(along))


def straighten(volume: Volume, branch: Branch, half_width_mm: float = HALF_WIDTH_MM) -> Straightened:
    """Sample a volume on the two ribbons spanned by the vessel and its normals; outside the grid -1024 HU."""
    course = Course.of(branch)
    across = np.arange(-half_width_mm, half_width_mm + STEP_MM / 2, STEP_MM)
    ribbons = [
        _sampled(volume.voxels, volume, course.points_mm[None] + across[:, None, None] * axis[None], -1024.0, order=1)
        for axis in (course.normal, course.binormal)
    ]
    return Straightened(ribbons[0], ribbons[1], course.along_mm, course.radius_mm)


def cross_section(volume: Volume, course: Course, at_mm: float, half_mm: float = SECTION_HALF_MM) -> NDArray[np.float32]:
    """The plane across the vessel at arc length ``at_mm``: (normal, binormal) samples, STEP_MM apart."""
    here = int(np.abs(course.along_mm - at_mm).argmin())
    steps = np.arange(-half_mm, half_mm + STEP_MM / 2, STEP_MM)
    points = course.points_mm[here] + steps[:, None, None] * course.normal[here] + steps[None, :, None] * course.binormal[here]
    return _sampled(volume.voxels, volume, points, -1024.0, order=1)


def save_curved(
    path: Path,
    volume: Volume,
    branch: Branch,
    mask: LabelMap | None = None,
    marked_mm: float | None = None,
    window: Window = VESSELS,
    title: str = "",
) -> Path:
    """A PNG: two straightened planes, the radius along the vessel, three cross-sections; ``marked_mm`` points at a lesion."""
    straight = straighten(volume, branch)
    length = float(straight.along_mm[-1])
    width, height = float(np.clip(length / 9, 9, 16)), 8.2
    figure = new_figure(width, height)
    grid = figure.add_gridspec(3, 1, height_ratios=(1, 1, 0.55), left=0.07, right=0.98, top=0.9, bottom=0.36, hspace=0.12)
    labels = None if mask is None else _straight_labels(mask, branch)
    for row, (image, words) in enumerate(((straight.first, "0 degrees"), (straight.second, "90 degrees"))):
        axes = figure.add_subplot(grid[row])
        _draw_ribbon(axes, image, length, words, window)
        if labels is not None and mask is not None:
            _outline(axes, labels[row], length, mask)
        _mark(axes, marked_mm)
    _draw_radius(figure.add_subplot(grid[2]), straight, marked_mm)
    _draw_sections(figure, volume, branch, marked_mm, window)
    figure.text(0.5, 0.975, title, color=INK, fontsize=13, ha="center", va="top")
    figure.text(0.5, 0.012, f"{window}; straightened along the vessel's centreline", color=FAINT, fontsize=8.5, ha="center")
    return save(figure, path)


def _sampled(voxels: NDArray, on: Volume | LabelMap, points_mm: NDArray, outside: float, order: int) -> NDArray:
    index = on.geometry.to_index(points_mm)
    return ndimage.map_coordinates(voxels, np.moveaxis(index, -1, 0), order=order, cval=outside)


def _straight_labels(mask: LabelMap, branch: Branch) -> list[NDArray]:
    course = Course.of(branch)
    across = np.arange(-HALF_WIDTH_MM, HALF_WIDTH_MM + STEP_MM / 2, STEP_MM)
    return [
        _sampled(mask.voxels, mask, course.points_mm[None] + across[:, None, None] * axis[None], 0, order=0)
        for axis in (course.normal, course.binormal)
    ]


def _draw_ribbon(axes: Axes, image: NDArray, length: float, words: str, window: Window) -> None:
    extent = (0.0, length, -HALF_WIDTH_MM, HALF_WIDTH_MM)
    axes.imshow(image, cmap="gray", vmin=window.low, vmax=window.high, extent=extent, origin="lower", aspect="auto")
    bare(axes)
    axes.set_yticks([-10, 0, 10])
    axes.tick_params(colors=FAINT, labelsize=8, length=2)
    axes.set_ylabel(f"{words}\nmm", color=INK, fontsize=9)
    axes.set_xlim(0, length)


def _outline(axes: Axes, labels: NDArray, length: float, mask: LabelMap) -> None:
    along = np.linspace(0, length, labels.shape[1])
    across = np.linspace(-HALF_WIDTH_MM, HALF_WIDTH_MM, labels.shape[0])
    for value in np.unique(labels[labels > 0]):
        inside = ndimage.gaussian_filter((labels == value).astype(float), 1.0)
        axes.contour(along, across, inside, levels=[0.5], colors=[rgb(mask.scheme[int(value)].colour)], linewidths=0.9)


def _mark(axes: Axes, at_mm: float | None) -> None:
    if at_mm is not None:
        axes.annotate(
            "",
            (at_mm, 2.5),
            xytext=(at_mm, 9.5),
            arrowprops={"arrowstyle": "-|>", "color": ACCENT, "linewidth": 1.6},
        )


def _draw_radius(axes: Axes, straight: Straightened, marked_mm: float | None) -> None:
    axes.set_facecolor("black")
    axes.fill_between(straight.along_mm, -straight.radius_mm, straight.radius_mm, color="#c9503f", alpha=0.85, linewidth=0)
    if marked_mm is not None:
        axes.axvline(marked_mm, color=ACCENT, linewidth=1.2)
    axes.set_xlim(0, float(straight.along_mm[-1]))
    axes.set_ylabel("lumen asked\nmm", color=INK, fontsize=9)
    axes.set_xlabel("mm along the vessel", color=INK, fontsize=9, labelpad=2)
    axes.tick_params(colors=FAINT, labelsize=8, length=2)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_sections(figure: Figure, volume: Volume, branch: Branch, marked_mm: float | None, window: Window) -> None:
    """Cross-sections before, at and behind the mark (else at a quarter, half and three quarters)."""
    course = Course.of(branch)
    places = _section_places(branch.length_mm, marked_mm)
    side = 0.235
    side_x = side * figure.get_figheight() / figure.get_figwidth()
    left = 0.5 - (len(places) * side_x + (len(places) - 1) * 0.02) / 2
    for number, (at_mm, words) in enumerate(places):
        axes = figure.add_axes((left + number * (side_x + 0.02), 0.035, side_x, side))
        image = cross_section(volume, course, at_mm)
        extent = (-SECTION_HALF_MM, SECTION_HALF_MM) * 2
        axes.imshow(
            image, cmap="gray", vmin=window.low, vmax=window.high, extent=extent, origin="lower", interpolation="bilinear"
        )
        bare(axes)
        rim: dict[str, Any] = {"color": INK, "ha": "center", "path_effects": outlined()}
        axes.text(0.5, 0.97, words, transform=axes.transAxes, fontsize=8.5, va="top", **rim)
        axes.plot([-6, -1], [-6, -6], color=INK, linewidth=2, solid_capstyle="butt")
        axes.text(-3.5, -5.7, "5 mm", fontsize=8, va="bottom", **rim)


def _section_places(length: float, marked_mm: float | None) -> Sequence[tuple[float, str]]:
    if marked_mm is None:
        return [(share * length, f"across at {share * length:.0f} mm") for share in (0.25, 0.5, 0.75)]
    before, behind = max(0.0, marked_mm - 10), min(length, marked_mm + 10)
    return [(before, "10 mm before"), (marked_mm, "across the stenosis"), (behind, "10 mm behind")]
