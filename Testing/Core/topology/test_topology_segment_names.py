"""Segment names against the digital heart's own: which millimetre of centreline got which name."""

from collections import Counter

import numpy as np
import pytest
from scipy.spatial import cKDTree

from StructDiffCore.phantom.heart import digital_heart
from StructDiffCore.topology.report import topology_report

SIDES = (("left", 8), ("right", 9))
LETTERS = str.maketrans("", "", "abc0123456789")


def millimetres_by_true_and_given_name(seeds):
    told = Counter()
    for seed in seeds:
        heart = digital_heart(seed)
        report = topology_report(heart.mask)
        for side, value in SIDES:
            branches = heart.trees[side].branches
            true_names = [branch.name.translate(LETTERS) for branch in branches for _ in branch.points_mm]
            tree = cKDTree(np.concatenate([branch.points_mm for branch in branches]))
            for segment in report.of_label(value).graph.segments:
                nearest = Counter(true_names[i] for i in tree.query(segment.points_mm)[1]).most_common(1)[0][0]
                told[nearest, segment.name.translate(LETTERS) if segment.name != "unnamed" else ""] += segment.length_mm
    return told


def shares(told):
    length = sum(told.values())
    right = sum(mm for (true, given), mm in told.items() if given == true)
    silent = sum(mm for (_, given), mm in told.items() if not given)
    return right / length, (length - right - silent) / length


@pytest.mark.slow
def test_names_are_mostly_right_and_seldom_wrong_on_digital_hearts():
    told = millimetres_by_true_and_given_name(range(20, 28))
    right, wrong = shares(told)
    assert right >= 0.7
    assert wrong <= 0.1
    for name in ("LAD", "LCx", "RCA", "PDA", "PL", "AM", "CB"):
        of_this = {given: mm for (true, given), mm in told.items() if true == name and given}
        assert max(of_this, key=of_this.get) == name, (name, of_this)
