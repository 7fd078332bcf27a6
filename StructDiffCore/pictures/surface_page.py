"""A page of 3D views of a label map from several sides, with marks and a legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from StructDiffCore.domain import LabelMap, Triple

from .style import ACCENT, FAINT, INCH_PER_ROW, INK, bare, legend, legend_rows, new_figure, save
from .surface import ANTERIOR, LEFT_OBLIQUE, POSTERIOR, Camera, View, render_surface

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCALE_MM = 20.0


@dataclass(frozen=True)
class Mark:
    """A place to point at."""

    point_mm: Triple
    """RAS+ position."""
    words: str


def save_surface(
    path: Path,
    label_map: LabelMap,
    cameras: Sequence[Camera] = (ANTERIOR, LEFT_OBLIQUE, POSTERIOR),
    marks: Sequence[Mark] = (),
    title: str = "",
    pixels: int = 560,
) -> Path:
    """A PNG with one view per camera. Marks are drawn in the first two views only: behind the heart they would lie."""
    width = 4.4 * len(cameras)
    bottom = 0.35 + INCH_PER_ROW * legend_rows(width, len(label_map.present))
    height = 4.4 + 0.75 + bottom
    figure = new_figure(width, height)
    grid = figure.add_gridspec(1, len(cameras), left=0.01, right=0.99, top=1 - 0.75 / height, bottom=bottom / height, wspace=0.02)
    for number, camera in enumerate(cameras):
        axes = figure.add_subplot(grid[0, number])
        view = render_surface(label_map, camera, pixels)
        _show(axes, view)
        if camera.axes[2][1] > 0:
            _point_at(axes, view, marks)
    figure.text(0.5, 1 - 0.12 / height, title, color=INK, fontsize=13, ha="center", va="top")
    figure.text(0.5, 0.08 / height, "orthographic, labels of the mask", color=FAINT, fontsize=8.5, ha="center")
    legend(figure, label_map.scheme, label_map.present, 0.27)
    return save(figure, path, dpi=120)


def _show(axes: Axes, view: View) -> None:
    axes.imshow(view.rgb, interpolation="bilinear")
    bare(axes)
    axes.set_title(view.camera.name, color=INK, fontsize=10.5, pad=4)
    rows, columns = view.rgb.shape[:2]
    length = SCALE_MM / view.mm_per_pixel
    axes.plot([0.05 * columns, 0.05 * columns + length], [0.96 * rows] * 2, color=INK, linewidth=2, solid_capstyle="butt")
    axes.text(0.05 * columns + length / 2, 0.945 * rows, f"{SCALE_MM:.0f} mm", color=INK, fontsize=8, ha="center", va="bottom")
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)


def _point_at(axes: Axes, view: View, marks: Sequence[Mark]) -> None:
    for mark in marks:
        column, row = view.pixel_of(mark.point_mm)
        rows, columns = view.rgb.shape[:2]
        right = column > columns / 2
        axes.annotate(
            mark.words,
            (column, row),
            xytext=(0.98 * columns if right else 0.02 * columns, 0.05 * rows),
            color=ACCENT,
            fontsize=9.5,
            ha="right" if right else "left",
            va="center",
            arrowprops={"arrowstyle": "->", "color": ACCENT, "linewidth": 1.3, "shrinkB": 5},
        )
