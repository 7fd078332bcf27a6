"""What ``swap_regions.py`` pastes and counts: drawn examples."""

from __future__ import annotations

import numpy as np
import pytest
from swap_regions import SCORES, errors, near_border, ratio, regions

from StructDiffCore.phantom.tissues import Tissue


def a_row_of_tissues() -> np.ndarray:
    """Along i: four voxels of left atrium, a wall, a vein, fat, lung to the end."""
    tissue = np.full((20, 16, 16), Tissue.LUNG, np.uint8)
    for i, kind in enumerate([Tissue.LA] * 4 + [Tissue.HEART_WALL, Tissue.PULMONARY_VEIN, Tissue.FAT]):
        tissue[i] = kind
    return tissue


def test_every_unlabelled_voxel_lies_in_one_kind_and_ghosts_go_with_the_vessels() -> None:
    painted = np.full((20, 16, 16), -850.0, np.float32)
    painted[:7], painted[8] = -90.0, 300.0
    found = regions(a_row_of_tissues(), painted, (1.0, 1.0, 1.0))
    along = {name: np.flatnonzero(part[:, 8, 8]).tolist() for name, part in found.items()}
    assert along["labelled"] == [0, 1, 2, 3]
    assert (along["walls"], along["vessels"], along["vessels, ghosts"], along["fat, muscle, bone"]) == ([4], [5], [5, 8], [6])
    assert along["shell of 2.5 mm"] == [4, 5]
    assert along["unlabelled"] == list(range(4, 20))


def test_errors_are_counted_by_place_and_by_confusion() -> None:
    tissue = a_row_of_tissues()
    read = np.zeros(tissue.shape, np.uint8)
    read[1:6], read[0] = 2, 3
    found = errors(read, tissue, 2)
    plane = 16 * 16
    assert (found["wrong"], found["wall"], found["vessel"], found["missed"]) == (3 * plane, plane, plane, plane)
    assert (found["other label"], found["as left ventricle"], found["near border"]) == (plane, plane, 2 * plane)


def test_two_voxels_on_either_side_of_a_border_are_near_it() -> None:
    labels = np.zeros((10, 6, 6), np.uint8)
    labels[5:] = 2
    assert np.flatnonzero(near_border(labels)[:, 3, 3]).tolist() == [3, 4, 5, 6]


@pytest.mark.parametrize(("mended", "star"), [(0.9, " *"), (0.6, "")])
def test_a_star_says_that_the_paired_difference_to_the_renderer_excludes_zero(mended: float, star: str) -> None:
    rows = {"truth": 1.0, "renderer": 0.6, "walls": mended}
    hearts = [{"scores": {"96": {name: {SCORES[0]: value} for name, value in rows.items()}}}] * 3
    assert ratio(hearts, "96", "walls", SCORES[0]) == f"{mended}{star}"
