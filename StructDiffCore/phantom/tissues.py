"""Tissue: the materials of the digital heart, and the cardiac label each one carries."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import CARDIAC


class Tissue(IntEnum):
    """One material of the digital body; the value is what ``Heart.tissue`` stores (uint8)."""

    AIR = 0
    """Outside the body."""
    LUNG = 1
    """Lung parenchyma."""
    LUNG_VESSEL = 2
    """Pulmonary vessels inside the lung."""
    AIRWAY = 3
    """Air of trachea and bronchi."""
    FAT = 4
    """Subcutaneous and mediastinal fat."""
    PERICARDIAL_FAT = 5
    """Epicardial and pericardial fat: fills the grooves, carries the coronaries."""
    MUSCLE = 6
    """Skeletal muscle, oesophagus, diaphragm."""
    SKIN = 7
    BONE_CORTEX = 8
    MARROW = 9
    """Spongy bone of ribs, sternum and vertebrae."""
    CARTILAGE = 10
    """Costal cartilage and discs."""
    MYOCARDIUM = 11
    """Left-ventricular wall with septum and papillary muscles."""
    HEART_WALL = 12
    """Thin walls: right ventricle, atria, valve planes; enhances like muscle with blood in it."""
    VESSEL_WALL = 13
    """Wall of the aorta, the pulmonary artery and the coronaries."""
    LA = 14
    """Blood of the left atrium with appendage and vein stubs."""
    LV = 15
    RA = 16
    RV = 17
    AORTA = 18
    """Blood of the root, the ascending aorta and the arch."""
    DESCENDING_AORTA = 19
    """Blood of the descending aorta: same contrast, no cardiac label (in a heart-sized field it is a second piece)."""
    PULMONARY_ARTERY = 20
    PULMONARY_VEIN = 21
    """Blood of the pulmonary veins beyond their stubs on the left atrium."""
    VENA_CAVA = 22
    LEFT_CORONARY = 23
    RIGHT_CORONARY = 24
    CALCIFIED_PLAQUE = 25
    """Lies between the lumen and the outer wall, outside the lumen label."""
    SOFT_PLAQUE = 26
    LIVER = 27
    STOMACH = 28
    """Stomach, spleen and other soft organs under the left dome of the diaphragm."""
    SPINAL_CORD = 29


BLOOD = (
    Tissue.LA,
    Tissue.LV,
    Tissue.RA,
    Tissue.RV,
    Tissue.AORTA,
    Tissue.DESCENDING_AORTA,
    Tissue.PULMONARY_ARTERY,
    Tissue.PULMONARY_VEIN,
    Tissue.VENA_CAVA,
    Tissue.LEFT_CORONARY,
    Tissue.RIGHT_CORONARY,
    Tissue.LUNG_VESSEL,
)
"""Materials that fill with contrast."""

LABEL_NAMES: dict[Tissue, str] = {
    Tissue.MYOCARDIUM: "myocardium",
    Tissue.LA: "left atrium",
    Tissue.LV: "left ventricle",
    Tissue.RA: "right atrium",
    Tissue.RV: "right ventricle",
    Tissue.AORTA: "aorta",
    Tissue.PULMONARY_ARTERY: "pulmonary artery",
    Tissue.LEFT_CORONARY: "left coronary tree",
    Tissue.RIGHT_CORONARY: "right coronary tree",
}
"""Which tissue is which structure of the cardiac scheme; all others are background."""

LABEL_OF_TISSUE: NDArray[np.uint8] = np.zeros(len(Tissue), np.uint8)
"""Cardiac label value by tissue value: ``LABEL_OF_TISSUE[heart.tissue]`` is the mask."""
for _tissue, _name in LABEL_NAMES.items():
    LABEL_OF_TISSUE[_tissue] = CARDIAC.named(_name).value
LABEL_OF_TISSUE.flags.writeable = False


def cardiac_labels(tissue: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cardiac label map (i, j, k) of a tissue map (i, j, k)."""
    return LABEL_OF_TISSUE[tissue]
