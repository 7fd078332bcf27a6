"""Realise: a warp and what the vessels wish for become voxels; organs first, vessels into the room that was kept for them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry
from StructDiffCore.topology.homotopy import Rules

from .contract import Roles
from .lumens import LumenWish, grow_lumens
from .organs import regrown
from .reference import Reference
from .rounding import settle
from .warp import Warp
from .warped_labels import warped_labels

Labels = NDArray[np.uint8]


def realised(
    reference: Reference, roles: Roles, warp: Warp, wishes: Mapping[int, LumenWish], geometry: Geometry, smoothing: int = 2
) -> Labels:
    """Labels (i, j, k) on the new grid."""
    target = warped_labels(reference.ground, reference.depth, reference.geometry, warp, geometry)
    voxels = regrown(target, _reserved(target.label, wishes, roles), reference.contract, roles, geometry.spacing, smoothing)
    grow_lumens(voxels, wishes, roles, geometry)
    settle(voxels, np.pad(target.label, 2), Rules.of(roles.groups, roles.apart), passes=1, barred=roles.vessels)
    return np.ascontiguousarray(voxels[2:-2, 2:-2, 2:-2])


def _reserved(label: Labels, wishes: Mapping[int, LumenWish], roles: Roles) -> NDArray[np.bool_]:
    """Voxels (i, j, k) that organs leave to vessels; a trunk keeps its own."""
    reserved = np.zeros(label.shape, bool)
    for value, wish in wishes.items():
        reserved[wish.box] |= wish.wanted() & (label[wish.box] != roles.trunk_of.get(value, 0))
    return reserved
