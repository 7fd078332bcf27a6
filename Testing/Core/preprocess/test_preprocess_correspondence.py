"""Which template label a target label looks like."""

from __future__ import annotations

import numpy as np
import pytest

from StructDiffCore.domain import CARDIAC, Geometry, Label, LabelMap, LabelScheme, StructDiffError
from StructDiffCore.preprocess.correspondence import correspondence_between


def holding(values, scheme=None) -> LabelMap:
    """A mask that holds the values, one voxel each."""
    voxels = np.zeros((4, 4, 4), int)
    voxels.ravel()[: len(values)] = values
    return LabelMap(voxels, Geometry((4, 4, 4)), scheme or LabelScheme.from_values(values))


CHEST = LabelScheme(
    "chest", (Label(1, "Heart"), Label(2, "trunk", snomed="81040000"), Label(3, "AORTA"), Label(4, "liver", snomed="10200004"))
)


def test_equal_schemes_match_by_value():
    assert correspondence_between(holding([1, 6, 8], CARDIAC), holding([6, 8, 9], CARDIAC)) == {6: 6, 8: 8}


def test_schemes_made_of_values_match_by_value():
    assert correspondence_between(holding([1, 2, 7]), holding([2, 7, 9])) == {2: 2, 7: 7}
    assert correspondence_between(holding([1, 2], CARDIAC), holding([2, 3])) == {2: 2}


def test_named_schemes_match_by_code_name_and_the_parts_of_a_heart():
    found = correspondence_between(holding([1, 2, 3, 6, 7, 8], CARDIAC), holding([1, 2, 3, 4], CHEST))
    assert found == {1: 1, 2: 1, 3: 1, 6: 3, 7: 2}


def test_what_is_given_decides():
    assert correspondence_between(holding([1, 2]), holding([3, 4]), {1: 3, 2: 3}) == {1: 3, 2: 3}


@pytest.mark.parametrize("given", [{9: 3}, {1: 9}])
def test_a_given_label_that_is_not_there_is_refused(given):
    with pytest.raises(StructDiffError, match="9"):
        correspondence_between(holding([1, 2]), holding([3, 4]), given)


def test_nothing_in_common_is_refused_with_both_sides_named():
    with pytest.raises(StructDiffError, match=r"label 1.*label 3"):
        correspondence_between(holding([1, 2]), holding([3, 4]))
