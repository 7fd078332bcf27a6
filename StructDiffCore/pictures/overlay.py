"""Overlay: a second volume laid over a CT in colour, in a fixed window, with its colour bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Volume

from .style import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

BAR_INCH = 1.0
"""Room for the colour bar at the right."""
COLOURS = "inferno"
OPAQUE = 0.85
"""Cover of the window's top; its bottom is clear glass."""


@dataclass(frozen=True, eq=False)
class Overlay:
    """What is shown, on the grid of the image below, and the window that is never fitted to the data."""

    volume: Volume
    low: float
    high: float
    name: str
    """Quantity and unit, for the colour bar."""


def colours() -> Colormap:
    """The colour map with its cover: clear at the bottom of the window, nearly opaque from its middle on."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    table = colormaps[COLOURS](np.linspace(0.15, 1.0, 256))
    table[:, 3] = OPAQUE * np.minimum(1.0, np.linspace(0.0, 2.0, 256))
    return ListedColormap(table, name="structdiff-overlay")


def draw_overlay(axes: Axes, image: NDArray, overlay: Overlay, extent: tuple[float, float, float, float]) -> None:
    """One slice (up, across) of the overlay over what the axes show already."""
    axes.imshow(
        image, cmap=colours(), vmin=overlay.low, vmax=overlay.high, extent=extent, origin="lower", interpolation="nearest"
    )


def colour_bar(figure: Figure, overlay: Overlay) -> None:
    """The legend of the colours in the figure's right margin."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    width = figure.get_figwidth()
    axes = figure.add_axes((1 - (BAR_INCH - 0.12) / width, 0.3, 0.2 / width, 0.4))
    axes.set_facecolor("black")
    bar = figure.colorbar(ScalarMappable(Normalize(overlay.low, overlay.high), colours()), cax=axes, extend="max")
    bar.set_label(overlay.name, color=INK, fontsize=9)
    bar.ax.tick_params(colors=INK, labelsize=8)
