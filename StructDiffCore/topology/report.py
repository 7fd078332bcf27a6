"""The topology of a mask in words and numbers, and whether it is what the label scheme expects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from StructDiffCore.domain import Label, LabelMap

from .betti import Betti, betti_numbers


@dataclass(frozen=True)
class LabelTopology:
    """What was found for one label, and which expectations it breaks."""

    label: Label
    betti: Betti
    volume_mm3: float
    broken: tuple[str, ...]

    def line(self) -> str:
        """For people: "left coronary tree: 1 piece, 0 loops, 0 cavities"."""
        counts = zip((self.betti.b0, self.betti.b1, self.betti.b2), ("piece", "loop", "cavity"))
        return f"{self.label.name}: " + ", ".join(_counted(number, noun) for number, noun in counts)


@dataclass(frozen=True)
class TopologyReport:
    """Per-label topology, contacts that must exist, and the verdict."""

    labels: tuple[LabelTopology, ...]
    contacts: dict[str, int]
    """Number of separate contact patches for each pair that must touch; a healthy ostium is one patch."""
    broken_contacts: tuple[str, ...]

    @property
    def verdict(self) -> str:
        return "fail" if self.broken_contacts or any(found.broken for found in self.labels) else "pass"

    def lines(self) -> list[str]:
        """One line per thin label (all labels where none is thin), then what is broken."""
        thin = [found for found in self.labels if found.label.thin] or list(self.labels)
        broken = [fact for found in self.labels for fact in found.broken] + list(self.broken_contacts)
        return [found.line() for found in thin] + broken

    def as_dict(self) -> dict[str, object]:
        return {
            "labels": {
                str(found.label.value): {
                    "name": found.label.name,
                    "betti": [found.betti.b0, found.betti.b1, found.betti.b2],
                    "volume_mm3": round(found.volume_mm3, 3),
                    "broken": list(found.broken),
                }
                for found in self.labels
            },
            "contacts": self.contacts,
            "broken_contacts": list(self.broken_contacts),
            "verdict": self.verdict,
        }


def topology_report(mask: LabelMap) -> TopologyReport:
    """Betti numbers of every label present, held against the scheme's expectations."""
    labels = tuple(_label_topology(mask, value) for value in mask.present)
    contacts = {
        f"{mask.scheme[a].name} - {mask.scheme[b].name}": contact_patches(mask.voxels == a, mask.voxels == b)
        for a, b in mask.scheme.touching
        if a in mask.present and b in mask.present
    }
    broken = tuple(f"{pair}: touch in {_counted(n, 'place')}, expected 1" for pair, n in contacts.items() if n != 1)
    return TopologyReport(labels, contacts, broken)


def contact_patches(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> int:
    """Number of separate (26-connected) patches where ``one`` has a 26-neighbour in ``other``."""
    grown = sitk.BinaryDilate(sitk.GetImageFromArray(one.astype(np.uint8)), [1, 1, 1], sitk.sitkBox)
    patch = sitk.GetArrayFromImage(grown).astype(bool) & other
    return betti_numbers(patch).b0


def _label_topology(mask: LabelMap, value: int) -> LabelTopology:
    label = mask.scheme[value]
    structure = mask.voxels == value
    betti = betti_numbers(structure)
    expected = (label.expected.components, label.expected.loops, label.expected.cavities)
    broken = tuple(
        f"{label.name}: {_counted(found, noun)}, expected {wanted}"
        for found, wanted, noun in zip((betti.b0, betti.b1, betti.b2), expected, ("piece", "loop", "cavity"))
        if wanted is not None and found != wanted
    )
    return LabelTopology(label, betti, int(structure.sum()) * mask.geometry.voxel_volume_mm3, broken)


def _counted(number: int, noun: str) -> str:
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number} {noun if number == 1 else plural}"
