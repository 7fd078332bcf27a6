"""Findings between labels: contacts that must be one patch, and labels that must stay apart."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from StructDiffCore.domain import Geometry, LabelScheme

from .contacts import contact, gap
from .findings import Finding
from .structures import Structures


def contact_findings(scheme: LabelScheme, structures: Structures, geometry: Geometry) -> tuple[dict[str, int], list[Finding]]:
    """Number of contact patches for each pair that must touch (a healthy ostium is one), and what is wrong with contacts."""
    counts: dict[str, int] = {}
    findings: list[Finding] = []
    present = structures.of_value
    for a, b in scheme.touching:
        if a in present and b in present:
            pair = f"{scheme[a].name} - {scheme[b].name}"
            found = contact(present[a].runs, present[b].runs)
            counts[pair] = found.patch_count
            if found.patches is None:
                findings.append(_missing(pair, a, b, structures, geometry))
            elif found.patch_count > 1:
                position = geometry.to_world(found.patches.centre[found.patches.by_size[1]])
                message = f"{pair}: touch in {found.patch_count} places, expected 1"
                findings.append(Finding("double contact", "error", b, message, position, found.patch_count, "places"))
    return counts, findings + list(_crossings(scheme, structures, geometry))


def _missing(pair: str, a: int, b: int, structures: Structures, geometry: Geometry) -> Finding:
    between = gap(structures.of_value[a].runs, structures.of_value[b].runs, geometry.spacing)
    position = geometry.to_world(0.5 * np.asarray(between.start + between.stop))
    message = f"{pair}: do not touch, {between.length_mm:.2f} mm apart"
    return Finding("missing contact", "error", b, message, position, between.length_mm)


def _crossings(scheme: LabelScheme, structures: Structures, geometry: Geometry) -> Iterator[Finding]:
    for a, b in scheme.apart:
        if a in structures.of_value and b in structures.of_value:
            found = contact(structures.of_value[a].runs, structures.of_value[b].runs)
            for number in range(min(found.patch_count, 20)):
                assert found.patches is not None
                position = geometry.to_world(found.patches.centre[number])
                message = f"{scheme[a].name} - {scheme[b].name}: touch, but must not"
                yield Finding(
                    "crossing trees",
                    "error",
                    b,
                    message,
                    position,
                    found.patches.voxels[number] * geometry.voxel_volume_mm3,
                    "mm3",
                )
