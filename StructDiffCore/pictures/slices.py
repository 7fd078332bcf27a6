"""Three planes of a volume, with and without the outlines of a mask, in columns beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry, LabelMap, Triple, Volume

from .orientation import Turn
from .overlay import BAR_INCH, Overlay, colour_bar, draw_overlay
from .style import (
    FAINT,
    INCH_PER_ROW,
    INK,
    VESSELS,
    Window,
    bare,
    legend,
    legend_rows,
    new_figure,
    outlined,
    rgb,
    save,
    scale_bar,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGIN_MM = 20.0
"""Surroundings shown about the labels."""


@dataclass(frozen=True)
class Plane:
    """One of the three planes: which turned axes run right and up, and what the edges are called."""

    name: str
    across: int
    up: int
    normal: int
    mirrored: bool
    """Radiological view: the patient's right is on the left of the picture."""
    edges: tuple[str, str, str, str]
    """Letters at left, right, bottom, top."""


AXIAL = Plane("axial", 0, 1, 2, True, ("R", "L", "P", "A"))
CORONAL = Plane("coronal", 0, 2, 1, True, ("R", "L", "I", "S"))
SAGITTAL = Plane("sagittal", 1, 2, 0, True, ("A", "P", "I", "S"))
PLANES = (AXIAL, CORONAL, SAGITTAL)


@dataclass(frozen=True, eq=False)
class Column:
    """One column of the picture: a volume, the mask whose outlines are drawn on it, and what is laid over it in colour."""

    title: str
    image: Volume
    outlines: LabelMap | None = None
    overlay: Overlay | None = None


def save_planes(
    path: Path,
    columns: Sequence[Column],
    focus_mm: Triple | None = None,
    shown: LabelMap | None = None,
    window: Window = VESSELS,
    title: str = "",
) -> Path:
    """A PNG with one row per plane and one column per volume, all on one grid and through one point.

    ``focus_mm`` (RAS+) is the common point, by default the middle of ``shown``; ``shown`` is the mask whose surroundings
    are kept in view (the whole volume without one).
    """
    geometry = columns[0].image.geometry
    turn = Turn.of(geometry)
    low, high = _field_of_view(shown, geometry, turn)
    focus = _focus(focus_mm, geometry, turn, low, high)
    spacing = np.asarray(turn.spacing(geometry))
    values = _outlined_values(columns)
    overlay = next((column.overlay for column in columns if column.overlay is not None), None)
    figure, grid = _laid_out(len(columns), (high - low) * spacing, len(values), BAR_INCH if overlay else 0.0)
    for row, plane in enumerate(PLANES):
        for number, column in enumerate(columns):
            _draw(grid[row][number], plane, column, turn, low, high, focus, spacing, window)
        _name_plane(grid[row][0], plane, geometry, turn, focus)
    for number, column in enumerate(columns):
        grid[0][number].set_title(column.title, color=INK, fontsize=11, pad=8)
    if overlay is not None:
        colour_bar(figure, overlay)
    _write_notes(figure, columns, values, window, title)
    return save(figure, path)


def _outlined_values(columns: Sequence[Column]) -> list[int]:
    """The labels that some column outlines."""
    masks = [column.outlines for column in columns if column.outlines is not None]
    return sorted({value for mask in masks for value in mask.present if value in masks[0].scheme.values})


def _field_of_view(shown: LabelMap | None, geometry: Geometry, turn: Turn) -> tuple[NDArray, NDArray]:
    """First index and one past the last, in turned axes: the labels and a margin about them."""
    shape = np.array([geometry.shape[axis] for axis in turn.order])
    if shown is None or not shown.present:
        return np.zeros(3, int), shape
    labelled = turn.voxels(shown.voxels) > 0
    spans = [np.flatnonzero(labelled.any(axis=tuple(other for other in range(3) if other != axis))) for axis in range(3)]
    margin = np.ceil(MARGIN_MM / np.asarray(turn.spacing(geometry))).astype(int)
    low = np.maximum([span[0] for span in spans] - margin, 0)
    return low, np.minimum([span[-1] + 1 for span in spans] + margin, shape)


def _focus(focus_mm: Triple | None, geometry: Geometry, turn: Turn, low: NDArray, high: NDArray) -> NDArray:
    if focus_mm is None:
        return (low + high) // 2
    index = turn.index(tuple(geometry.to_index(focus_mm)), geometry)
    return np.clip(np.rint(index).astype(int), low, high - 1)


def _laid_out(columns: int, size_mm: NDArray, names: int, right_in: float = 0.0) -> tuple[Figure, list[list[Axes]]]:
    """A figure whose rows have the planes' heights and whose columns the width of the widest plane; ``right_in`` stays free."""
    width_mm = max(size_mm[plane.across] for plane in PLANES)
    heights = [size_mm[plane.up] for plane in PLANES]
    inch_per_mm = 3.1 / width_mm
    width_in = 0.75 + columns * 3.2 + right_in
    body_in = sum(heights) * inch_per_mm + 0.3
    bottom_in = 0.4 + INCH_PER_ROW * legend_rows(width_in, names)
    total = body_in + bottom_in + 0.7
    figure = new_figure(width_in, total)
    grid = figure.add_gridspec(
        3,
        columns,
        height_ratios=heights,
        left=0.6 / width_in,
        right=1 - (0.15 + right_in) / width_in,
        top=1 - 0.7 / total,
        bottom=bottom_in / total,
        wspace=0.04,
        hspace=0.06,
    )
    return figure, [[figure.add_subplot(grid[row, column]) for column in range(columns)] for row in range(3)]


def _draw(
    axes: Axes,
    plane: Plane,
    column: Column,
    turn: Turn,
    low: NDArray,
    high: NDArray,
    focus: NDArray,
    spacing: NDArray,
    window: Window,
) -> None:
    """One slice in mm, with its outlines, edge letters and a scale bar."""
    image = _slice(turn.voxels(column.image.voxels), plane, low, high, focus)
    height_mm, width_mm = np.array(image.shape) * spacing[[plane.up, plane.across]]
    extent = (0.0, width_mm, 0.0, height_mm)
    axes.imshow(image, cmap="gray", vmin=window.low, vmax=window.high, extent=extent, origin="lower", interpolation="bilinear")
    if column.overlay is not None:
        draw_overlay(axes, _slice(turn.voxels(column.overlay.volume.voxels), plane, low, high, focus), column.overlay, extent)
    if column.outlines is not None:
        labels = _slice(turn.voxels(column.outlines.voxels), plane, low, high, focus)
        _draw_outlines(axes, labels, column.outlines, width_mm, height_mm)
    bare(axes)
    axes.set_xlim(0, width_mm)
    axes.set_ylim(0, height_mm)
    _letter_edges(axes, plane)
    scale_bar(axes, 0.04 * width_mm, 0.04 * height_mm, 20.0 if width_mm < 150 else 50.0)


def _slice(turned: NDArray, plane: Plane, low: NDArray, high: NDArray, focus: NDArray) -> NDArray:
    """(up, across) array of one plane, mirrored into the radiological view."""
    cut: list[slice | int] = [slice(low[axis], high[axis]) for axis in range(3)]
    cut[plane.normal] = int(focus[plane.normal])
    image = turned[tuple(cut)].T
    return image[:, ::-1] if plane.mirrored else image


def _draw_outlines(axes: Axes, labels: NDArray, label_map: LabelMap, width_mm: float, height_mm: float) -> None:
    rows, columns = labels.shape
    across = (np.arange(columns) + 0.5) * width_mm / columns
    up = (np.arange(rows) + 0.5) * height_mm / rows
    for value in np.unique(labels[labels > 0]):
        inside = (labels == value).astype(float)
        if min(inside.shape) >= 2:
            colour = rgb(label_map.scheme[int(value)].colour)
            axes.contour(across, up, inside, levels=[0.5], colors=[colour], linewidths=1.1)


def _letter_edges(axes: Axes, plane: Plane) -> None:
    places = ((0.015, 0.5, "left", "center"), (0.985, 0.5, "right", "center"), (0.5, 0.02, "center", "bottom"))
    for letter, (x, y, ha, va) in zip(plane.edges, (*places, (0.5, 0.98, "center", "top"))):
        axes.text(x, y, letter, transform=axes.transAxes, color=INK, fontsize=9, ha=ha, va=va, path_effects=outlined())


def _name_plane(axes: Axes, plane: Plane, geometry: Geometry, turn: Turn, focus: NDArray) -> None:
    """The plane's name and where it cuts, in mm of the patient's axis."""
    index = np.zeros(3)
    index[list(turn.order)] = [
        geometry.shape[axis] - 1 - at if flip else at for axis, at, flip in zip(turn.order, focus, turn.flipped)
    ]
    at_mm = geometry.to_world(index)[plane.normal]
    axis_name = ("R", "A", "S")[plane.normal]
    axes.set_ylabel(f"{plane.name}\n{axis_name} = {at_mm:.0f} mm", color=INK, fontsize=10, labelpad=8)


def _write_notes(figure: Figure, columns: Sequence[Column], values: list[int], window: Window, title: str) -> None:
    height = figure.get_figheight()
    figure.text(0.5, 1 - 0.12 / height, title, color=INK, fontsize=13, ha="center", va="top")
    figure.text(0.5, 0.08 / height, f"{window}; the patient's right is on the left", color=FAINT, fontsize=8.5, ha="center")
    scheme = next((column.outlines.scheme for column in columns if column.outlines is not None), None)
    if scheme is not None:
        legend(figure, scheme, values, 0.27)
