"""Templates: image-mask pairs that are shipped, lie in the user's folders, or are in the scene; the best for a mask first."""

from pathlib import Path

import numpy as np

from StructDiffCore.domain import StructDiffError

from .translation import _

COARSE_MM = 1.5
CONTRAST_HU = 100.0
"""Vessels darker than this hold no contrast agent."""


def library(folders=(), cache=None):
    """Every template found: the shipped ones first, then those of the user's folders. ``cache``: folder for thumbnails."""
    from StructDiffCore.preprocess.template_library import template_library

    return template_library([Path(folder) for folder in folders], cache=None if cache is None else Path(cache))


def ranked(entries, labelMap):
    """The entries with their score and why, the best match for the mask first, unusable ones last."""
    from StructDiffCore.preprocess.template_ranking import rank

    return rank(entries, labelMap)


def thumbnail(entry):
    """PNG bytes of an entry's picture."""
    return entry.thumbnail_png


def warnings(volume, labelMap=None):
    """Plain words on what is odd about an image that should be a CT with contrast in the vessels; empty where nothing is."""
    from StructDiffCore.preprocess.sanity import check_hu

    told = []
    try:
        check_hu(volume, _("the image"))
    except StructDiffError as refusal:
        told.append(str(refusal))
    if max(volume.geometry.spacing) > COARSE_MM:
        told.append(_("voxels of {size:.1f} mm are too coarse for coronary arteries").format(size=max(volume.geometry.spacing)))
    if labelMap is not None:
        told += _paleVessels(volume, labelMap)
    return told


def _paleVessels(volume, labelMap):
    if not labelMap.geometry.same_as(volume.geometry, 0.01):
        return [_("image and mask lie on different grids")]
    told = []
    for value in set(labelMap.present) & set(labelMap.scheme.thin_values):
        median = float(np.median(volume.voxels[labelMap.voxels == value]))
        if median < CONTRAST_HU:
            name = labelMap.scheme[value].name
            told.append(_("{name} has {median:.0f} HU: is there contrast in it?").format(name=name, median=median))
    return told
