"""One look for all pictures: dark like a viewer, millimetres, the window in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from StructDiffCore.domain import LabelScheme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patheffects import AbstractPathEffect

BACKGROUND = "#101317"
INK = "#e8eaed"
FAINT = "#9aa3ad"
ACCENT = "#ffb454"


@dataclass(frozen=True)
class Window:
    """Grey levels from ``low`` HU (black) to ``high`` HU (white)."""

    low: float
    high: float
    name: str

    def __str__(self) -> str:
        return f"{self.name} window {self.low:.0f} to {self.high:.0f} HU"


VESSELS = Window(-160, 640, "vessel")
SOFT_TISSUE = Window(-160, 240, "soft-tissue")
LUNG = Window(-1150, 350, "lung")


def new_figure(width_in: float, height_in: float) -> Figure:
    """An off-screen figure on the dark background; no global matplotlib state is touched."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path, dpi: int = 110) -> Path:
    """Write a PNG and return its path."""
    figure.savefig(path, dpi=dpi, facecolor=BACKGROUND)
    return path


def bare(axes: Axes) -> None:
    """No ticks, no frame: the image speaks."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_facecolor("black")
    for spine in axes.spines.values():
        spine.set_visible(False)


def rgb(colour: tuple[int, int, int]) -> tuple[float, float, float]:
    """0..255 -> 0..1, as matplotlib wants colours."""
    return colour[0] / 255, colour[1] / 255, colour[2] / 255


INCH_PER_NAME = 1.75
INCH_PER_ROW = 0.24
MAX_LEGEND = 24
"""More names than this would cover the picture."""


def legend_rows(width_in: float, names: int) -> int:
    """Rows that a legend of so many names needs in a figure of this width."""
    return -(-min(names, MAX_LEGEND) // _names_per_row(width_in))


def _names_per_row(width_in: float) -> int:
    return max(1, int(width_in / INCH_PER_NAME))


def legend(figure: Figure, scheme: LabelScheme, values: Sequence[int], bottom_in: float) -> None:
    """Names of the labels in their colours, in rows that begin ``bottom_in`` inches above the figure's lower edge."""
    from matplotlib.patches import Patch

    handles = [Patch(color=rgb(scheme[value].colour), label=scheme[value].name) for value in values][:MAX_LEGEND]
    if handles:
        figure.legend(
            handles=handles,
            loc="lower center",
            bbox_to_anchor=(0.5, bottom_in / figure.get_figheight()),
            ncols=min(len(handles), _names_per_row(figure.get_figwidth())),
            frameon=False,
            labelcolor=INK,
            fontsize=9,
            handlelength=1.0,
            handleheight=1.0,
            borderaxespad=0.0,
            borderpad=0.1,
            labelspacing=0.35,
        )


def outlined() -> list[AbstractPathEffect]:
    """A dark rim that keeps words readable on bright tissue."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.0, foreground="black", alpha=0.75)]


def scale_bar(axes: Axes, left_mm: float, bottom_mm: float, length_mm: float) -> None:
    """A bar with its length in words, in axes whose units are mm."""
    axes.plot([left_mm, left_mm + length_mm], [bottom_mm, bottom_mm], color=INK, linewidth=2.2, solid_capstyle="butt")
    words: dict[str, Any] = {"color": INK, "fontsize": 8, "ha": "center", "va": "bottom", "path_effects": outlined()}
    axes.text(left_mm + length_mm / 2, bottom_mm + 1.5, f"{length_mm:.0f} mm", **words)
