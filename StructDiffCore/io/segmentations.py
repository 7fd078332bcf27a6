"""Slicer segmentations (.seg.nrrd): what the header says of each segment, read and written.

Format: Slicer developer guide, "Segmentation labelmap file format".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from StructDiffCore.domain import CARDIAC, Label, LabelMap, LabelScheme, StructDiffError

TISSUE = "85756007"
"""SNOMED CT code that Slicer gives segments nobody named: says nothing."""
_CATEGORY = "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical Structure"
_REGION = "~^^~Anatomic codes - DICOM master list~^^~^^"


@dataclass(frozen=True)
class Segment:
    """One segment: where its voxels are and what it means."""

    name: str
    layer: int
    value: int
    """Value of its voxels in its layer."""
    colour: tuple[int, int, int]
    snomed: str


def segments_of(header: Mapping[str, str]) -> tuple[Segment, ...]:
    """The segments a .seg.nrrd header describes, in file order; empty for a plain NRRD."""
    numbers = sorted({int(m[1]) for key in header if (m := re.match(r"Segment(\d+)_", key))})
    return tuple(_segment(header, n) for n in numbers)


def _segment(header: Mapping[str, str], n: int) -> Segment:
    """Files of Slicer before 4.11 name neither layer nor value: one layer of ones per segment."""

    def field(what: str, default: str) -> str:
        return header.get(f"Segment{n}_{what}", default)

    try:
        red, green, blue = (round(255 * float(c)) for c in field("Color", "0.8 0.8 0.8").split())
        return Segment(
            field("Name", f"segment {n}"),
            int(field("Layer", str(n))),
            int(field("LabelValue", "1")),
            (red, green, blue),
            _snomed(field("Tags", "")),
        )
    except ValueError:
        raise StructDiffError(f"segment {n} has an unreadable colour, layer or value", "save it again in Slicer") from None


def _snomed(tags: str) -> str:
    found = re.search(r"TerminologyEntry:[^~]*~[^~]*~SCT\^(\d+)\^", tags)
    return found[1] if found and found[1] != TISSUE else ""


def flattened(layers: NDArray, segments: tuple[Segment, ...]) -> tuple[NDArray, LabelScheme]:
    """One label map (i, j, k) and its scheme from layers (i, j, k) or (i, j, k, layer).

    Segments keep their values if these differ, else they are numbered in file order. Overlapping segments are refused.
    """
    if layers.ndim == 3 and len({s.value for s in segments}) == len(segments):
        return layers, _scheme(segments, [s.value for s in segments])
    stack = layers[..., None] if layers.ndim == 3 else layers
    given = [s.value for s in segments]
    values = given if len(set(given)) == len(given) and min(given) > 0 else list(range(1, len(segments) + 1))
    flat = np.zeros(stack.shape[:3], np.uint16)
    for segment, value in zip(segments, values):
        inside = stack[..., min(segment.layer, stack.shape[3] - 1)] == segment.value
        _refuse_overlap(inside, flat, segment, dict(zip(values, segments)))
        flat[inside] = value
    return flat, _scheme(segments, values)


def _refuse_overlap(inside: NDArray, flat: NDArray, segment: Segment, taken: Mapping[int, Segment]) -> None:
    others = np.unique(flat[inside])
    if others.any():
        first = taken[int(others[others > 0][0])].name
        raise StructDiffError(
            f"the segments '{first}' and '{segment.name}' overlap", "make them disjoint in Slicer (Segment Editor, Masking) first"
        )


def _scheme(segments: tuple[Segment, ...], values: list[int]) -> LabelScheme:
    """The cardiac scheme if all segments are its labels, else one made of the names in the file."""
    labels = tuple(_label(s, v) for s, v in zip(segments, values))
    if all(label in CARDIAC.labels for label in labels):
        return CARDIAC
    return LabelScheme("from file", labels)


def _label(segment: Segment, value: int) -> Label:
    """The cardiac label of that SNOMED code or name, renumbered; else a plain one."""
    for known in CARDIAC.labels:
        if segment.snomed == known.snomed or segment.name.lower() == known.name:
            return Label(value, known.name, known.colour, known.snomed, known.thin, known.group, known.expected)
    return Label(value, segment.name, segment.colour, segment.snomed)


def describe_segments(image: sitk.Image, label_map: LabelMap) -> None:
    """Write names, colours and terminology of the labels present into the image's header."""
    extent = " ".join(f"0 {n - 1}" for n in label_map.geometry.shape)
    image.SetMetaData("Segmentation_ContainedRepresentationNames", "Binary labelmap|")
    image.SetMetaData("Segmentation_SourceRepresentation", "Binary labelmap")
    image.SetMetaData("Segmentation_MasterRepresentation", "Binary labelmap")
    image.SetMetaData("Segmentation_ReferenceImageExtentOffset", "0 0 0")
    for n, value in enumerate(label_map.present):
        for field, text in _fields(label_map.scheme[value], extent).items():
            image.SetMetaData(f"Segment{n}_{field}", text)


def _fields(label: Label, extent: str) -> dict[str, str]:
    fields = {
        "ID": f"Segment_{label.value}",
        "Name": label.name,
        "NameAutoGenerated": "0",
        "Color": " ".join(f"{c / 255:.6f}" for c in label.colour),
        "ColorAutoGenerated": "0",
        "LabelValue": str(label.value),
        "Layer": "0",
        "Extent": extent,
    }
    if label.snomed:
        fields["Tags"] = f"TerminologyEntry:{_CATEGORY}~SCT^{label.snomed}^{label.name}{_REGION}|"
    return fields
