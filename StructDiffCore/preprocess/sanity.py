"""Are these numbers HU? Facts about an image's intensities and the refusal of what is no CT."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from StructDiffCore.domain import ImageMaskPair, StructDiffError, Volume

SAMPLE = 2_000_000
"""Voxels looked at; an even grid of them."""
NARROWEST_SPAN_HU = 100.0
"""Any CT with a vessel and fat beside it spans more."""
TALLEST_HU = 8000.0
"""Extended-range CT of metal ends below; 99.9 % of any scan does."""
WATER_OFFSET = 1024.0


@dataclass(frozen=True)
class IntensityFacts:
    """What decides whether an image is a CT in HU."""

    lowest: float
    p01: float
    """0.1 % of the voxels lie below."""
    p999: float
    """0.1 % of the voxels lie above."""
    highest: float
    near_offset_water: float
    """Share of voxels within 200 of 1024, where soft tissue lies if 1024 was added."""
    whole_numbers: bool

    @property
    def words(self) -> str:
        return f"values run from {self.lowest:.5g} to {self.highest:.5g}"


def intensity_facts(volume: Volume) -> IntensityFacts:
    """Range, percentiles and shares over an even sample of the voxels."""
    step = max(1, round((volume.voxels.size / SAMPLE) ** (1 / 3)))
    sample = volume.voxels[::step, ::step, ::step]
    p01, p999 = np.percentile(sample, (0.1, 99.9))
    return IntensityFacts(
        float(volume.voxels.min()),
        float(p01),
        float(p999),
        float(volume.voxels.max()),
        float(np.mean(np.abs(sample - WATER_OFFSET) < 200)),
        bool(np.array_equal(sample, np.rint(sample))),
    )


def check_hu(volume: Volume, name: str = "the image") -> IntensityFacts:
    """The facts of a CT in HU; refuses MR, normalised, 8-bit and offset images."""
    facts = intensity_facts(volume)
    span = facts.p999 - facts.p01
    if facts.lowest >= -1e-3 and facts.highest <= 1.001:
        raise StructDiffError(f"{name} is stored in [0, 1] ({facts.words})", "scale it back to HU")
    if span < NARROWEST_SPAN_HU:
        raise StructDiffError(f"{name} is no CT in HU: {facts.words}", "give the image in HU, not normalised")
    if facts.p999 > TALLEST_HU:
        raise StructDiffError(f"{name} is no CT in HU: {facts.words}", "give a CT with the rescale slope and intercept applied")
    if facts.p01 >= 0:
        _refuse_without_negatives(facts, name)
    return facts


def _refuse_without_negatives(facts: IntensityFacts, name: str) -> None:
    """Every chest CT holds fat and air below 0 HU."""
    if facts.lowest >= 0 and facts.highest <= 255 and facts.whole_numbers:
        raise StructDiffError(f"{name} is an 8-bit picture ({facts.words})", "give the CT in HU it was made from")
    if facts.near_offset_water > 0.2:
        raise StructDiffError(
            f"{name} seems stored with 1024 added ({facts.words}, {100 * facts.near_offset_water:.0f} % near 1024)",
            "if it is a CT, subtract 1024 (apply the rescale intercept)",
        )
    raise StructDiffError(f"{name} is no CT in HU: {facts.words} and nothing lies below 0 (an MR?)", "give a CT in HU")


COARSE_MM = 1.5
"""A coronary artery is 1 to 4 mm wide."""
UNENHANCED_HU = 150.0
"""Coronary lumens of a contrast-enhanced CT angiogram lie above."""


def plain_warnings(pair: ImageMaskPair) -> list[str]:
    """What a user should know before taking this pair as a template, in words; nothing is refused here."""
    told = []
    try:
        check_hu(pair.image, "the image")
    except StructDiffError as refusal:
        told.append(f"{refusal.fact}: {refusal.remedy}")
    if max(pair.geometry.spacing) > COARSE_MM:
        told.append(f"voxels up to {max(pair.geometry.spacing):.2g} mm apart blur thin vessels")
    thin = [value for value in pair.mask.present if pair.mask.scheme[value].thin]
    for value in thin:
        median = float(np.median(pair.image.voxels[pair.mask.voxels == value]))
        if median < UNENHANCED_HU:
            told.append(f"{pair.mask.scheme[value].name} has a median of {median:.0f} HU: a scan without contrast medium?")
    return told
