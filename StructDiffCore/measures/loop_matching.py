"""Loop matching: the Betti matching error in dimension 1, by matrix reduction; for crops."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import StructDiffError
from StructDiffCore.topology.betti import betti_numbers

Cell = tuple[int, int, int]
LARGEST_CELLS = 400_000


def unmatched_loops(prediction: NDArray[np.bool_], truth: NDArray[np.bool_]) -> int:
    """b1 of both masks (i, j, k) less twice the matched loops, dim(im P & im G) in H1 of the union.

    im P and im G by the persistence of P in the union (Z2), their sum by Mayer-Vietoris:
    dim(im P + im G) = b1(union) - [b0(P & G) - b0(P) - b0(G) + b0(union)], P & G being the closed cells that both have.
    """
    one, other, union = (betti_numbers(mask) for mask in (prediction, truth, prediction | truth))
    if one.b1 == 0 or other.b1 == 0:
        return one.b1 + other.b1
    cells_p, cells_g = _cells(prediction), _cells(truth)
    if len(cells_p | cells_g) > LARGEST_CELLS:
        raise StructDiffError("the crop is too large to match loops in", "give a crop of at most about 40^3 voxels")
    together = union.b1 - (_piece_count(cells_p & cells_g) - one.b0 - other.b0 + union.b0)
    matched = _lasting_loops(cells_p, cells_g) + _lasting_loops(cells_g, cells_p) - together
    return one.b1 + other.b1 - 2 * matched


def _cells(mask: NDArray[np.bool_]) -> set[Cell]:
    """All closed cells of the voxels; odd coordinates run along a cell."""
    voxels = 2 * np.argwhere(mask) + 1
    around = np.array(list(product((-1, 0, 1), repeat=3)))
    return set(map(tuple, (voxels[:, None] + around).reshape(-1, 3).tolist()))


def _faces(cell: Cell) -> list[Cell]:
    found = []
    for axis in range(3):
        if cell[axis] % 2:
            for step in (-1, 1):
                face = list(cell)
                face[axis] += step
                found.append((face[0], face[1], face[2]))
    return found


def _dimension(cell: Cell) -> int:
    return sum(c % 2 for c in cell)


def _lasting_loops(inner: set[Cell], outer: set[Cell]) -> int:
    """Rank of H1(inner) -> H1(inner | outer): 1-cells of the inner complex that make a loop which no 2-cell ever fills."""
    cells = sorted(inner | outer, key=lambda cell: (cell not in inner, _dimension(cell), cell))
    rank = {cell: n for n, cell in enumerate(cells)}
    loops = _loop_makers([cell for cell in cells if _dimension(cell) == 1])
    filled: dict[int, set[int]] = {}
    for cell in cells:
        if _dimension(cell) == 2:
            column = {rank[face] for face in _faces(cell)}
            while column and max(column) in filled:
                column ^= filled[max(column)]
            if column:
                filled[max(column)] = column
    return sum(cell in inner and rank[cell] not in filled for cell in loops)


def _loop_makers(edges: list[Cell]) -> list[Cell]:
    """The edges that close a loop when they are added in order."""
    parent: dict[Cell, Cell] = {}

    def root(cell: Cell) -> Cell:
        while parent.setdefault(cell, cell) != cell:
            parent[cell] = parent[parent[cell]]
            cell = parent[cell]
        return cell

    makers = []
    for edge in edges:
        a, b = (root(face) for face in _faces(edge))
        if a == b:
            makers.append(edge)
        parent[a] = b
    return makers


def _piece_count(cells: set[Cell]) -> int:
    """Connected pieces of a closed set of cells: its vertices less the edges that join something new."""
    edges = [cell for cell in cells if _dimension(cell) == 1]
    vertices = sum(_dimension(cell) == 0 for cell in cells)
    return vertices - (len(edges) - len(_loop_makers(edges)))
