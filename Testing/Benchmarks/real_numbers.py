"""The numbers of ``real_page.py``: HU per label, specks, and the vessels' continuity, as JSON-able content and as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from real_targets import Target
from scipy import ndimage

from StructDiffCore.domain import LabelMap, Volume
from StructDiffCore.evaluation.continuity import (
    TreeContinuity,
    calibres,
    scores_of,
    solid_values,
    surroundings_of,
    tree_continuity,
)
from StructDiffCore.evaluation.speckle import specks
from StructDiffCore.measures.continuity import SOFT_TISSUE_HU
from StructDiffCore.measures.intensity import intensities

BLOOD_HU = 400.0
Numbers = dict[str, Any]


def hu_per_label(image: Volume, mask: LabelMap) -> dict[str, dict[str, float]]:
    found = intensities(image.voxels, mask.voxels)
    return {mask.scheme[v].name: {"median HU": found[v].median_hu, "IQR HU": found[v].iqr_hu} for v in found}


def speck_shares(clean: Volume, mask: LabelMap) -> dict[str, float]:
    """Share of specks, 0 to 1, in the noise-free answer: in blood, wall and unlabelled tissue. Coronaries are left
    out: a vessel of a voxel or two differs from its neighbours by nature.
    """
    far = specks(clean.voxels)
    return {name: float(far[where].mean()) for name, where in _kinds(mask).items() if where.any()}


def _kinds(mask: LabelMap) -> dict[str, NDArray[np.bool_]]:
    wall, thin = (np.isin(mask.voxels, values) for values in (solid_values(mask.scheme), mask.scheme.thin_values))
    labelled = mask.voxels > 0
    return {"blood": labelled & ~wall & ~thin, "wall": wall, "unlabelled": ~labelled}


def coronary_quartiles(clean: Volume, mask: LabelMap) -> list[float]:
    """10th, 25th, 50th, 75th and 90th percentile of HU in the coronaries' voxels of the noise-free answer."""
    thin = np.isin(mask.voxels, mask.scheme.thin_values)
    return [float(hu) for hu in np.percentile(clean.voxels[thin], (10, 25, 50, 75, 90))] if thin.any() else []


def numbers(noisy: Volume, clean: Volume, target: Target, psf_sigma_mm: float) -> Numbers:
    """All numbers of one answer; HU of the scan, everything else of the noise-free answer."""
    content: Numbers = {
        "HU": hu_per_label(noisy, target.mask),
        "specks": speck_shares(clean, target.mask),
        "coronary HU percentiles 10 25 50 75 90": coronary_quartiles(clean, target.mask),
    }
    if target.trees:
        content |= continuity(clean, target, psf_sigma_mm)
    return content


def continuity(clean: Volume, target: Target, psf_sigma_mm: float) -> Numbers:
    """Continuity of all trees together, by radius, and of every way from ostium to tip."""
    usable = surroundings_of(target.mask)
    found = {side: tree_continuity(clean, tree, psf_sigma_mm, usable) for side, tree in target.trees.items()}
    return {
        "continuity": scores_of(list(found.values())),
        "by radius": [asdict(row) for row in calibres(list(found.values()))],
        "trees": {side: _tree(one) for side, one in found.items()},
    }


def mask_itself(mask: LabelMap, psf_sigma_mm: float) -> Volume:
    """The mask as a picture, blood in soft tissue under the point spread: gaps found here are the mask's own."""
    blood = (mask.voxels > 0) & ~np.isin(mask.voxels, solid_values(mask.scheme))
    painted = np.where(blood, np.float32(BLOOD_HU), np.float32(SOFT_TISSUE_HU))
    return Volume(ndimage.gaussian_filter(painted, psf_sigma_mm / np.asarray(mask.geometry.spacing)), mask.geometry)


def _tree(found: TreeContinuity) -> Numbers:
    ways = {
        name: {
            "judged mm": held.judged_mm,
            "visible share": held.visible_mm / held.judged_mm,
            "longest gap mm": held.longest_gap_mm,
        }
        for name, held in found.paths.items()
    }
    return {"full lumen HU": found.full_hu, "from ostium to tip": ways}


def tables(report: Mapping[str, Any]) -> str:
    """Markdown: continuity, calibre, specks and HU of every question and row."""
    rows = [(f"{name}, {row}", content) for name, one in report.items() for row, content in one["rows"].items()]
    masks = [(f"{name}, its mask", one["mask itself"]) for name, one in report.items() if one["mask itself"]]
    parts = [_continuity_table(masks + rows), _radius_table(masks + rows), _speck_table(rows)]
    parts += [_hu_table(name, one["rows"]) for name, one in report.items()]
    return "\n\n".join(parts) + "\n"


def _table(head: list[str], lines: list[list[str]]) -> str:
    ruler = "|" + "|".join(["---"] + ["---:"] * (len(head) - 1)) + "|"
    return "\n".join(["| " + " | ".join(head) + " |", ruler, *["| " + " | ".join(line) + " |" for line in lines]])


def _continuity_table(rows: list[tuple[str, Numbers]]) -> str:
    lines = []
    for name, content in rows:
        if "continuity" in content:
            scores, trees = content["continuity"], content["trees"]
            full = " / ".join(f"{tree['full lumen HU']:.0f}" for tree in trees.values())
            tips = sum(len(tree["from ostium to tip"]) for tree in trees.values())
            unbroken = f"{scores['unbroken branches'] * tips:.0f} of {tips}"
            lines.append(
                [name, f"{scores['visible share of centrelines']:.3f}", f"{scores['longest gap mm']:.1f}", unbroken, full]
            )
    head = ["noise-free answer", "visible share of centrelines", "longest gap mm", "unbroken ostium to tip"]
    return _table([*head, "full lumen HU, left / right"], lines)


def _radius_table(rows: list[tuple[str, Numbers]]) -> str:
    lines = []
    for name, content in rows:
        for row in content.get("by radius", []):
            radii = [f"{row['apparent_radius_mm']:.2f}", f"{row['expected_radius_mm']:.2f}"]
            share = [f"{row['length_mm']:.0f}", f"{row['visible_share']:.3f}", f"{row['contrast_ratio']:.2f}"]
            lines.append([name, f"{row['low_mm']:g}-{row['high_mm']:g}", *share, *radii])
    head = ["noise-free answer", "nominal radius mm", "length mm", "visible share", "contrast / expected"]
    return _table([*head, "apparent radius mm", "expected apparent mm"], lines)


def _speck_table(rows: list[tuple[str, Numbers]]) -> str:
    kinds = ("blood", "wall", "unlabelled")
    lines = []
    for name, content in rows:
        specks = [f"{100 * content['specks'][kind]:.1f}" if kind in content["specks"] else "-" for kind in kinds]
        hu = content["coronary HU percentiles 10 25 50 75 90"]
        lines.append([name, *specks, " / ".join(f"{value:.0f}" for value in hu) or "-"])
    head = ["noise-free answer", *[f"specks % {kind}" for kind in kinds], "coronary HU, percentiles 10 / 25 / 50 / 75 / 90"]
    return _table(head, lines)


def _hu_table(name: str, rows: Mapping[str, Numbers]) -> str:
    labels = list(next(iter(rows.values()))["HU"])
    lines = [
        [label, *[f"{c['HU'][label]['median HU']:.0f} ({c['HU'][label]['IQR HU']:.0f})" for c in rows.values()]]
        for label in labels
    ]
    return _table([f"{name}: median (IQR) HU", *rows], lines)
