"""The quality verdict of a sample: does every structure look as bright as the template says?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from StructDiffCore.domain import LabelMap, Volume
from StructDiffCore.measures.intensity import intensities

if TYPE_CHECKING:
    from StructDiffCore.models.conditioning import ConditionSource

TOLERANCE_HU = 60.0
"""A thick structure whose median is further off than this is called out."""


def intensity_verdict(clean: Volume, target: LabelMap, source: ConditionSource) -> dict[str, Any]:
    """Median HU of every label in the noise-free volume beside what the template asks for; thin labels are told, not judged."""
    wanted = dict(zip(source.origins, source.slots.medians))
    found = intensities(clean.voxels, target.voxels)
    rows = {target.scheme[value].name: _row(target, value, found[value].median_hu, wanted[value]) for value in found}
    off = [name for name, row in rows.items() if row["judged"] and abs(row["median_hu"] - row["wanted_hu"]) > TOLERANCE_HU]
    return {
        "verdict": "look" if off else "pass",
        "rule": f"median of every thick label within {TOLERANCE_HU:.0f} HU of the template's",
        "off": off,
        "labels": rows,
    }


def _row(target: LabelMap, value: int, median_hu: float, wanted_hu: float) -> dict[str, Any]:
    judged = not target.scheme[value].thin
    return {"median_hu": round(median_hu, 1), "wanted_hu": round(float(wanted_hu), 1), "judged": judged}
