"""Is the answer a copy of its template? Correlation of what is finer than about a millimetre."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from StructDiffCore.measures.distance import distance_to

DETAIL_MM = 1.2
FROM_EDGE_MM = 4.0
"""Edges are left out, of the target's mask and of the template's: 3 standard deviations of the high pass. Nearer than that the
tail of an edge remains (about 1 HU at 2 mm), and where it is all the detail an image has, as in a painted mask, two images of
the same borders correlate without any copying (a painted heart 0.11 at 2 mm).
"""
CLIP_HU = 100.0


def detail_correlation(
    image: NDArray[np.float32],
    template: NDArray[np.float32],
    labels: NDArray[np.integer],
    template_labels: NDArray[np.integer],
    spacing_mm: NDArray[np.float64],
) -> float:
    """Correlation of the high-pass images (i, j, k; HU) inside the labels, 4 mm and more from the borders of both masks."""
    borders = _borders(labels) | _borders(template_labels)
    inside = (labels > 0) & (distance_to(borders, spacing_mm) >= FROM_EDGE_MM)
    if inside.sum() < 100:
        return float("nan")
    one, other = (np.clip(_detail(x, spacing_mm), -CLIP_HU, CLIP_HU)[inside] for x in (image, template))
    return float(np.corrcoef(one, other)[0, 1])


def _detail(image: NDArray[np.float32], spacing_mm: NDArray[np.float64]) -> NDArray[np.float32]:
    return image - ndimage.gaussian_filter(image, DETAIL_MM / np.asarray(spacing_mm))


def _borders(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    return ndimage.maximum_filter(labels, 3) != ndimage.minimum_filter(labels, 3)
