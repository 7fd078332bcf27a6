"""The page of ``structdiff masks``: pictures of the new masks beside their reference, and their distributions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import LabelMap
from StructDiffCore.io.atomic import write_text
from StructDiffCore.mgm.diversity import diversity
from StructDiffCore.mgm.portrait import Portrait
from StructDiffCore.pictures.style import INK, bare, new_figure, save
from StructDiffCore.pictures.surface import ANTERIOR, LEFT_OBLIQUE, POSTERIOR, render_surface

if TYPE_CHECKING:
    from StructDiffCore.mgm.generate import NewMask

SHOWN = 7
"""New masks in the picture; all are in the numbers."""
PIXELS = 300
VIEWS = (ANTERIOR, LEFT_OBLIQUE, POSTERIOR)
STYLE = "body{font:15px sans-serif;max-width:1100px;margin:2em auto}td,th{padding:.2em .8em;text-align:left}img{max-width:100%}"
COLUMNS = ("references", "digital hearts", "new")


class MasksPage:
    """Gathers masks one by one, keeping no more of them than their portraits and small pictures."""

    def __init__(self, references: Sequence[Portrait]) -> None:
        self.references = references
        self.portraits: list[Portrait] = []
        self.moved_mm: list[float] = []
        self.pictures: list[tuple[str, list[NDArray[np.float32]]]] = []

    def show(self, words: str, mask: LabelMap) -> None:
        """Take the mask's views into the picture, while there is room."""
        if len(self.pictures) <= SHOWN:
            self.pictures.append((words, [render_surface(mask, view, PIXELS, supersampling=2).rgb for view in VIEWS]))

    def add(self, made: NewMask) -> None:
        self.show(f"new {len(self.portraits)}", made.mask)
        self.portraits.append(Portrait.of(made.mask, made.trees))
        self.moved_mm.append(made.displacement_mm)

    def save(self, folder: Path) -> dict[str, Any]:
        """Write diversity.json, masks.png and masks.html; the diversity."""
        found = diversity(self.references, self.portraits, self.moved_mm)
        write_text(folder / "diversity.json", json.dumps(found, indent=2) + "\n")
        self._draw(folder / "masks.png")
        write_text(folder / "masks.html", _page(found))
        return found

    def _draw(self, path: Path) -> None:
        """Two hearts per row, three views each."""
        rows = -(-len(self.pictures) // 2)
        figure = new_figure(14.0, 2.6 * rows)
        grid = figure.add_gridspec(
            rows, 6, left=0.005, right=0.995, top=1 - 0.22 / (2.6 * rows), bottom=0.005, wspace=0.02, hspace=0.12
        )
        for number, (words, views) in enumerate(self.pictures):
            for place, (view, picture) in enumerate(zip(VIEWS, views)):
                axes = figure.add_subplot(grid[number // 2, 3 * (number % 2) + place])
                axes.imshow(picture, interpolation="bilinear")
                bare(axes)
                axes.set_title(f"{words}, {view.name}" if place == 0 else view.name, color=INK, fontsize=9, pad=3)
        save(figure, path, dpi=110)


def _page(found: Mapping[str, Any]) -> str:
    rows = "".join(_row(name, *[_of(found[column], name) for column in COLUMNS]) for name in _measures(found))
    moved = found["displacement_mm"]
    head = "".join(f"<th>{column} ({found[column]['count']})" for column in COLUMNS)
    return (
        f"<!doctype html><meta charset='utf-8'><title>New masks</title><style>{STYLE}</style><h1>New masks</h1>"
        f"<p>Every mask is proved; the proof is in its manifest. Mean displacement {moved['mean']:.1f} mm "
        f"({moved['low']:.1f} to {moved['high']:.1f}).</p><img src='masks.png' alt='new masks in 3D'>"
        f"<h2>Diversity</h2><p>median (25 % to 75 %)</p><table><tr><th>{head}</tr>{rows}</table>"
        "<p>Overlaps are taken between pairs: organs in place, vessels after the best rigid fit of their centrelines.</p>\n"
    )


def _measures(found: Mapping[str, Any]) -> list[str]:
    new = found["new"]
    return [*(f"volume_ml/{name}" for name in new["volume_ml"]), *(name for name in new if name not in ("count", "volume_ml"))]


def _of(column: Mapping[str, Any], name: str) -> Mapping[str, float] | None:
    room, _, inner = name.partition("/")
    found: Mapping[str, float] | None = column.get(room, {}).get(inner) if inner else column.get(room)
    return found


def _row(name: str, *cells: Mapping[str, float] | None) -> str:
    told = "".join(f"<td>{_spread(cell)}" for cell in cells)
    return f"<tr><td>{escape(name.replace('/', ', ').replace('_', ' '))}{told}</tr>"


def _spread(cell: Mapping[str, float] | None) -> str:
    return "" if cell is None else f"{cell['median']:.3g} ({cell['p25']:.3g} to {cell['p75']:.3g})"
