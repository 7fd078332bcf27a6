"""What the label values and structure names of public data sets mean in the cardiac scheme."""

from __future__ import annotations

from collections.abc import Mapping

from StructDiffCore.domain import CARDIAC

BOTH_CORONARIES = -1
"""Stands for a label that holds both coronary trees; they are told apart by side."""

MYOCARDIUM, LEFT_ATRIUM, LEFT_VENTRICLE, RIGHT_ATRIUM, RIGHT_VENTRICLE = 1, 2, 3, 4, 5
AORTA, PULMONARY_ARTERY, LEFT_CORONARY, RIGHT_CORONARY = 6, 7, 8, 9

CORONARY_ONLY: Mapping[int, int] = {1: BOTH_CORONARIES}
"""ImageCAS (Zeng et al. 2023) and ASOCA (Gharleghi et al. 2022): one label for all coronary arteries."""

MM_WHS: Mapping[int, int] = {
    205: MYOCARDIUM,
    420: LEFT_ATRIUM,
    500: LEFT_VENTRICLE,
    550: RIGHT_ATRIUM,
    600: RIGHT_VENTRICLE,
    820: AORTA,
    850: PULMONARY_ARTERY,
}
"""Multi-Modality Whole Heart Segmentation challenge 2017 (Zhuang and Shen 2016)."""

TOTALSEGMENTATOR_HEART: Mapping[int, int] = {value: value for value in range(1, 8)}
"""TotalSegmentator v2, task heartchambers_highres: the cardiac scheme's own order."""

TOTALSEGMENTATOR_V1: Mapping[int, int] = {
    7: AORTA,
    44: MYOCARDIUM,
    45: LEFT_ATRIUM,
    46: LEFT_VENTRICLE,
    47: RIGHT_ATRIUM,
    48: RIGHT_VENTRICLE,
    49: PULMONARY_ARTERY,
}
"""TotalSegmentator v1, all 104 structures in one file."""

TOTALSEGMENTATOR_TOTAL: Mapping[int, int] = {52: AORTA}
"""TotalSegmentator v2, task total: its "heart" has no chambers, so only the aorta has a cardiac label."""

HUBMAP_HRA: Mapping[int, int] = {
    1: MYOCARDIUM,
    3: LEFT_VENTRICLE,
    4: RIGHT_VENTRICLE,
    5: LEFT_ATRIUM,
    6: RIGHT_ATRIUM,
    9: AORTA,
    10: PULMONARY_ARTERY,
    16: LEFT_CORONARY,
    17: RIGHT_CORONARY,
}
"""Heart of the HuBMAP Human Reference Atlas (Browne et al. 2021); walls of the other chambers and veins are left out."""

AORTA_AND_TREES: Mapping[int, int] = {1: AORTA, 2: LEFT_CORONARY, 3: RIGHT_CORONARY}
"""Coronary masks with the ascending aorta, as multimodars writes them."""

TABLES: Mapping[str, Mapping[int, int]] = {
    "mm-whs": MM_WHS,
    "totalsegmentator-heart": TOTALSEGMENTATOR_HEART,
    "totalsegmentator-v1": TOTALSEGMENTATOR_V1,
    "hubmap-hra": HUBMAP_HRA,
    "aorta-coronaries": AORTA_AND_TREES,
}
"""By the name that a user gives for a scheme; what they list is read into the cardiac scheme."""

_SYNONYMS: Mapping[int, tuple[str, ...]] = {
    MYOCARDIUM: ("heart myocardium", "lv myocardium", "left ventricular myocardium", "myo"),
    LEFT_ATRIUM: ("heart atrium left", "left heart atrium", "la"),
    LEFT_VENTRICLE: ("heart ventricle left", "left heart ventricle", "lv"),
    RIGHT_ATRIUM: ("heart atrium right", "right heart atrium", "ra"),
    RIGHT_VENTRICLE: ("heart ventricle right", "right heart ventricle", "rv"),
    AORTA: ("ascending aorta", "ao"),
    PULMONARY_ARTERY: ("pulmonary trunk", "pa"),
    LEFT_CORONARY: ("left coronary", "left coronary artery", "lca"),
    RIGHT_CORONARY: ("right coronary", "right coronary artery", "rca"),
    BOTH_CORONARIES: ("coronary", "coronaries", "coronary artery", "coronary arteries", "ca"),
}


def cardiac_value(name: str) -> int | None:
    """The cardiac label a structure's name means (BOTH_CORONARIES for one that holds both trees), None for another structure."""
    words = " ".join(name.lower().replace("_", " ").replace("-", " ").split())
    for label in CARDIAC.labels:
        if words == label.name or words in _SYNONYMS[label.value]:
            return label.value
    return BOTH_CORONARIES if words in _SYNONYMS[BOTH_CORONARIES] else None


def table_by_names(names: Mapping[int, str]) -> dict[int, int]:
    """Value -> cardiac value for the structures whose name is known."""
    found = {value: cardiac_value(name) for value, name in names.items() if value > 0}
    return {value: cardiac for value, cardiac in found.items() if cardiac is not None}
