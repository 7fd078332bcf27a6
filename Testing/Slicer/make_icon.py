"""Draws StructDiffSlicer/Resources/Icons/StructDiff.png, 128 x 128: a vessel tree that comes out of noise.

.venv-slicer/bin/python Testing/Slicer/make_icon.py
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

ICON = Path(__file__).resolve().parents[2] / "StructDiffSlicer" / "Resources" / "Icons" / "StructDiff.png"
EDGE = 128
OVERSAMPLING = 4
BRANCHES = (
    (((58, 108), (60, 84), (56, 66), (46, 44), (38, 22)), (9.5, 8.5, 7.5, 5.5, 3.0)),
    (((58, 72), (74, 56), (88, 44), (98, 26)), (7.0, 5.5, 4.5, 2.5)),
    (((48, 50), (32, 46), (20, 36)), (5.0, 3.8, 2.2)),
    (((84, 48), (98, 52), (110, 48)), (4.2, 3.4, 2.0)),
    (((60, 86), (78, 84), (96, 76), (108, 74)), (5.5, 4.6, 3.4, 2.0)),
)
"""Polylines in icon pixels with their radii."""


def main() -> None:
    """Paint at four times the size, shrink, save."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6 import QtGui
    from PySide6.QtCore import QRectF, Qt

    application = QtGui.QGuiApplication(sys.argv)
    size = EDGE * OVERSAMPLING
    image = QtGui.QImage(size, size, QtGui.QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QtGui.QPainter(image)
    painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
    painter.scale(OVERSAMPLING, OVERSAMPLING)
    shape = QtGui.QPainterPath()
    shape.addRoundedRect(QRectF(3, 3, EDGE - 6, EDGE - 6), 24, 24)
    painter.setClipPath(shape)
    painter.fillPath(shape, QtGui.QColor(18, 34, 56))
    _paint_noise(painter, QtGui)
    _paint_tree(painter, QtGui)
    painter.end()
    smooth = image.scaled(EDGE, EDGE, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
    smooth.save(str(ICON))
    del application


def _paint_noise(painter, gui) -> None:
    """Grey grain, dense on the right, gone on the left: the image being made."""
    rng = np.random.default_rng(4)
    for x in range(0, EDGE, 4):
        for y in range(0, EDGE, 4):
            strength = 110 * max(0.0, (x - 30) / EDGE) * rng.random()
            painter.fillRect(x, y, 4, 4, gui.QColor(150, 180, 210, int(strength)))


def _paint_tree(painter, gui) -> None:
    """Every branch as discs along its polyline, a lit core on top."""
    from PySide6.QtCore import QPointF

    for colour, share in (((176, 30, 40), 1.0), ((228, 72, 66), 0.68), ((255, 170, 150), 0.25)):
        painter.setBrush(gui.QColor(*colour))
        painter.setPen(gui.QColor(0, 0, 0, 0))
        for points, radii in BRANCHES:
            knots = np.linspace(0, len(points) - 1, 300)
            x, y = (np.interp(knots, range(len(points)), [point[axis] for point in points]) for axis in (0, 1))
            for at, down, radius in zip(x, y, np.interp(knots, range(len(points)), radii)):
                painter.drawEllipse(QPointF(at, down), radius * share, radius * share)


if __name__ == "__main__":
    main()
