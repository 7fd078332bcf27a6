"""Template detail: what a template shows of unlabelled tissue beyond its painted prior: vessels of the lung, cortex of bone."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from StructDiffCore.measures.distance import distance_to

from .composite import Slots
from .painted_prior import soften

SMOOTHING_MM = 0.3
LEAST_HU = 60.0
USUAL_MULTIPLE = 2.0
"""Detail is this many times the usual misfit, and ``LEAST_HU`` at least: less is noise and texture, which the network draws."""
PLAQUE_MM = 2.0
"""Wall and calcium lie this near to a thin vessel's lumen, and go where it goes."""


def template_detail(misfit_hu: NDArray[np.float32], context: NDArray[np.bool_], spacing_mm: ArrayLike) -> NDArray[np.float32]:
    """HU (i, j, k) that the painted prior of unlabelled tissue lacks, 0 outside ``context``.

    ``misfit_hu`` is the aligned template minus its own painted prior, ``context`` where it may be carried over (both (i, j, k)).
    """
    smooth = soften(misfit_hu, spacing_mm, SMOOTHING_MM)
    if not context.any():
        return np.zeros_like(smooth)
    usual_hu = 1.4826 * float(np.median(np.abs(smooth[context])))
    stands_out = (np.abs(smooth) > max(LEAST_HU, USUAL_MULTIPLE * usual_hu)).astype(np.float32)
    faded = np.clip(1.5 * ndimage.gaussian_filter(stands_out, 0.5), 0, 1)
    return np.where(context, faded * smooth, 0).astype(np.float32)


def shared_context(slots: Slots, spacing_mm: ArrayLike) -> NDArray[np.bool_]:
    """Voxels (i, j, k) of the same unlabelled tissue in target and template, a voxel off everything else.

    What lies around a thin vessel of the template stays behind where the target has none.
    """
    alike = (slots.target == slots.template) & np.isin(slots.target, slots.tissue)
    inside = ~ndimage.binary_dilation(~alike, ndimage.generate_binary_structure(3, 1))
    around_template, around_target = (
        distance_to(np.isin(side, slots.thin), spacing_mm) <= PLAQUE_MM for side in (slots.template, slots.target)
    )
    return inside & ~(around_template & ~around_target)
