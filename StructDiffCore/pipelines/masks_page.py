"""A page of 3D pictures: a reference mask beside the new ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from StructDiffCore.domain import LabelMap
from StructDiffCore.pictures.style import INK, bare, new_figure, save
from StructDiffCore.pictures.surface import LEFT_OBLIQUE, render_surface

SHOWN = 8


def save_masks_page(path: Path, reference: LabelMap, made: Sequence[LabelMap]) -> Path:
    """PNG with the reference and up to eight new masks."""
    shown = [("reference", reference), *[(f"new {number}", mask) for number, mask in enumerate(made[:SHOWN])]]
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure = new_figure(3.2 * columns, 3.4 * rows)
    for number, (words, mask) in enumerate(shown):
        axes = figure.add_subplot(rows, columns, number + 1)
        axes.imshow(render_surface(mask, LEFT_OBLIQUE, 300, supersampling=1).rgb, interpolation="bilinear")
        bare(axes)
        axes.set_title(words, color=INK, fontsize=10)
    return save(figure, path, dpi=110)
