"""What ``real_page.py`` counts and prepares: drawn examples."""

from __future__ import annotations

import numpy as np
import pytest
from heart_around import Pins, similarity
from real_numbers import speck_shares, tables
from real_targets import left_named, threaded, without_twigs
from scipy import ndimage

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, Volume
from StructDiffCore.vessels.branch import Branch
from StructDiffCore.vessels.graph import VesselGraph


def branch(name: str, start: tuple[float, float, float], end: tuple[float, float, float], parent: int | None = None) -> Branch:
    return Branch(np.array([start, end]), np.array([1.0, 1.0]), name, parent, 0 if parent is None else 1)


def drawn_tree() -> VesselGraph:
    """A stem that forks into a long branch in front and one behind, with a twig whose own twig is shorter still."""
    stem, fork = branch("LM", (0, 0, 40), (0, 0, 35)), (0.0, 0.0, 35.0)
    front, back = branch("a", fork, (-20, 30, 5), 0), branch("b", fork, (-20, -25, 5), 0)
    twig = branch("c", (-10, 15, 20), (-10, 23, 20), 1)
    return VesselGraph((stem, front, back, twig, branch("d", (-10, 20, 20), (-10, 20, 24), 3)))


def test_twigs_go_with_the_twigs_they_carry() -> None:
    assert without_twigs(drawn_tree()).names == ("LM", "a", "b")


def test_of_the_two_longest_branches_the_one_in_front_is_the_lad() -> None:
    assert left_named(drawn_tree()).names[:3] == ("LM", "LAD", "LCx")


def test_a_vessel_thinner_than_the_grid_stays_in_one_piece() -> None:
    geometry = Geometry((50, 70, 50), (1.0, 1.0, 1.0), (-35.0, -35.0, 0.0))
    empty = np.zeros(geometry.shape, np.uint8)
    empty[34:37, 34:37, 38:42] = 6
    mask = threaded(LabelMap(empty, geometry, CARDIAC), {8: without_twigs(drawn_tree())}, 6)
    assert ndimage.label(mask.voxels == 8, np.ones((3, 3, 3)))[1] == 1
    assert (mask.voxels == 6).sum() == (empty == 6).sum()
    assert mask.voxels[tuple(np.rint(geometry.to_index([-20.0, 30.0, 5.0])).astype(int))] == 8


def test_a_speck_is_one_voxel_far_from_its_neighbours_and_an_edge_is_none() -> None:
    labels = np.ones((20, 20, 20), np.uint8)
    labels[10:] = 3
    image = np.where(labels == 3, 400.0, 100.0)
    image[15, 10, 10] = 700.0
    image[5, 5, 5] = 150.0
    geometry = Geometry(labels.shape)
    found = speck_shares(Volume(image, geometry), LabelMap(labels, geometry, CARDIAC))
    assert found == {"blood": pytest.approx(1 / 4000), "wall": 0.0}


def test_a_similarity_is_found_again() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(0, 30, (12, 3))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    matrix, offset, residual = similarity(points, 0.8 * points @ turn.T + [5.0, -7.0, 11.0])
    assert matrix == pytest.approx(0.8 * turn)
    assert offset == pytest.approx([5.0, -7.0, 11.0])
    assert residual == pytest.approx(0.0, abs=1e-9)


def test_a_tight_pin_is_reached_and_a_loose_one_hardly() -> None:
    rng = np.random.default_rng(1)
    rest = rng.uniform(-40, 40, (40, 3))
    pin = np.zeros((1, 3))
    for slack, reached in ((0.01, 0.8), (1e6, 0.0)):
        field = (Pins.of(rest, rest, 1.0) + Pins.of(pin, np.array([[4.0, 0.0, 0.0]]), slack)).field()
        assert field(pin)[0, 0] / 4.0 == pytest.approx(reached, abs=0.2)


def test_the_tables_name_every_row_with_its_gaps() -> None:
    way = {"judged mm": 20.0, "visible share": 0.9, "longest gap mm": 2.0}
    scores = {"visible share of centrelines": 0.9, "longest gap mm": 2.0, "unbroken branches": 0.0}
    trees = {"left": {"full lumen HU": 400.0, "from ostium to tip": {"LAD": way}}}
    continuity = {"continuity": scores, "by radius": [], "trees": trees}
    row = {"HU": {"aorta": {"median HU": 401.0, "IQR HU": 20.0}}, "specks": {"blood": 0.012}, **continuity}
    row["coronary HU percentiles 10 25 50 75 90"] = [100.0, 200.0, 300.0, 400.0, 500.0]
    text = tables({"hra-thorax": {"rows": {"structdiff": row}, "mask itself": continuity}})
    assert "| hra-thorax, structdiff | 0.900 | 2.0 | 0 of 1 | 400 |" in text
    assert "| hra-thorax, its mask | 0.900" in text
    assert "| hra-thorax, structdiff | 1.2 | - | - | 100 / 200 / 300 / 400 / 500 |" in text
    assert "| aorta | 401 (20) |" in text
