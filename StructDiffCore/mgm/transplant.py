"""Transplant: the vessels of one heart laid onto another, by a map that follows both hearts' surfaces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import StructDiffError
from StructDiffCore.vessels.graph import VesselGraph
from StructDiffCore.vessels.surface import project

from .reference import Reference

Floats = NDArray[np.float64]
SHARED_ORGANS = 3
"""So many centres fix a common frame."""
LANDING_MM = 10.0
"""Over this distance from its ostium a vessel comes from its sinus to its depth over the muscle."""


def transplanted(host: Reference, donor: Reference) -> Reference:
    """The host's organs with the donor's trees; its labels must mean the same."""
    if host.mask.scheme.name != donor.mask.scheme.name:
        raise StructDiffError(
            f"the references follow different schemes ('{host.mask.scheme.name}' and '{donor.mask.scheme.name}')",
            "give masks of one scheme",
        )
    if not host.heart or not donor.heart:
        raise StructDiffError("a transplant needs chambers in both references", "give masks with the chambers")
    missing = [trunk for trunk in donor.roles.trunk_of.values() if trunk not in host.roles.organs]
    if missing:
        raise StructDiffError(f"the host has no {host.mask.scheme[missing[0]].name} for the vessels", "choose another host")
    carry = shared_frame(donor, host)
    trees = {value: _laid(tree, carry, donor, host) for value, tree in donor.trees.items()}
    roles = replace(host.roles, vessels=donor.roles.vessels, trunk_of=donor.roles.trunk_of)
    return replace(host, trees=trees, roles=roles, lumens={})


def shared_frame(donor: Reference, host: Reference) -> tuple[Floats, Floats]:
    """Matrix and offset that take the donor's organ centres onto the host's (similarity, least squares; Umeyama 1991)."""
    shared = [value for value in donor.roles.organs if value in host.roles.organs]
    if len(shared) < SHARED_ORGANS:
        raise StructDiffError(f"the two references share {len(shared)} organs", "a transplant needs three to find its frame")
    source, aim = _centres(donor, shared), _centres(host, shared)
    a, b = source - source.mean(axis=0), aim - aim.mean(axis=0)
    u, s, vt = np.linalg.svd(b.T @ a / len(a))
    sign = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    matrix = u @ sign @ vt * float((s * np.diag(sign)).sum() / (a**2).sum() * len(a))
    return matrix, aim.mean(axis=0) - matrix @ source.mean(axis=0)


def _centres(reference: Reference, values: list[int]) -> Floats:
    return np.array([reference.geometry.to_world(np.argwhere(reference.ground == value).mean(axis=0)) for value in values])


def _laid(tree: VesselGraph, carry: tuple[Floats, Floats], donor: Reference, host: Reference) -> VesselGraph:
    """The tree in the host's frame, each point as deep over the host's heart as it was over the donor's, rooted on its trunk."""
    matrix, offset = carry
    root = _ostium(tree, carry, donor, host)
    shift = root - (matrix @ tree.branches[0].points_mm[0] + offset)

    def move(points: Floats) -> Floats:
        depth = donor.epicardium.signed_distance(points)
        carried = points @ matrix.T + offset
        away = np.linalg.norm(points - tree.branches[0].points_mm[0], axis=1)
        share = np.clip(away / LANDING_MM, 0, 1)[:, None]
        share = share * share * (3 - 2 * share)
        carried = carried + np.exp(-((away / 30.0) ** 2))[:, None] * shift
        laid = project(host.epicardium, carried, np.maximum(depth, 0.5), steps=6)[0]
        return np.asarray(carried + share * (laid - carried))

    return VesselGraph(tuple(replace(branch, points_mm=move(branch.points_mm)) for branch in tree.branches))


def _ostium(tree: VesselGraph, carry: tuple[Floats, Floats], donor: Reference, host: Reference) -> Floats:
    """The host's place of the root: on the trunk's wall nearest to where the frame puts it."""
    point = carry[0] @ tree.branches[0].points_mm[0] + carry[1]
    trunks = [trunk for value, trunk in donor.roles.trunk_of.items() if donor.trees[value] is tree]
    if not trunks:
        return np.asarray(point)
    where = host.geometry.to_world(np.argwhere(host.ground == trunks[0]))
    return np.asarray(where[((where - point) ** 2).sum(axis=1).argmin()])
