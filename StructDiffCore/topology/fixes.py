"""Fixes: recorded, undoable edits of a mask that change exactly what they say and are refused otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import LabelMap, StructDiffError

from .betti import Betti
from .runs import Box, Runs, runs_of
from .structures import Structure

FixKind = Literal["fill cavity", "drop speck", "bridge gap", "cut loop"]
CHANGES: dict[FixKind, tuple[int, int, int]] = {
    "fill cavity": (0, 0, -1),
    "drop speck": (-1, 0, 0),
    "bridge gap": (-1, 0, 0),
    "cut loop": (0, -1, 0),
}
"""What each fix does to (b0, b1, b2) of its label; every other label keeps its voxels."""


@dataclass(frozen=True, eq=False)
class Fix:
    """Voxels and their values before and after."""

    kind: FixKind
    label: int
    index: NDArray[np.int64]
    """(n, 3)"""
    before: NDArray[np.integer]
    after: NDArray[np.integer]

    def applied(self, mask: LabelMap) -> LabelMap:
        """A new mask with the edit; refused if the voxels do not hold what the fix was made for."""
        place = tuple(self.index.T)
        if not np.array_equal(mask.voxels[place], self.before):
            raise StructDiffError(f"the mask has changed where '{self.kind}' would act", "look for findings again")
        voxels = mask.voxels.copy()
        voxels[place] = self.after
        return LabelMap(voxels, mask.geometry, mask.scheme)

    def undone(self) -> Fix:
        """The edit that takes this one back."""
        return Fix(self.kind, self.label, self.index, self.after, self.before)

    @property
    def box(self) -> Box:
        """Smallest box of the volume around the edit."""
        low, high = self.index.min(axis=0), self.index.max(axis=0) + 1
        return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1])), slice(int(low[2]), int(high[2]))

    def as_dict(self) -> dict[str, Any]:
        """JSON form, enough to apply and to undo it."""
        return {
            "kind": self.kind,
            "label": self.label,
            "index": self.index.tolist(),
            "before": self.before.tolist(),
            "after": self.after.tolist(),
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Fix:
        """The inverse of ``as_dict``."""
        try:
            arrays = [np.array(content[name], np.int64) for name in ("index", "before", "after")]
            return cls(content["kind"], int(content["label"]), arrays[0].reshape(-1, 3), arrays[1], arrays[2])
        except (KeyError, TypeError, ValueError) as error:
            raise StructDiffError(f"this is no recorded fix ({error!r})", "write it again with as_dict") from None


def fill_cavity(mask: LabelMap, value: int, cavity: Runs) -> Fix | None:
    """Give an enclosed hole of pure background to its label; None if another label lies in it."""
    index = voxels_of(cavity)
    if mask.voxels[tuple(index.T)].any():
        return None
    return checked(mask, _edit(mask, "fill cavity", value, index, value))


def drop_speck(mask: LabelMap, value: int, piece: Runs) -> Fix | None:
    """Turn a small piece into background; None where that changes more (a piece with a loop or cavity of its own)."""
    return checked(mask, _edit(mask, "drop speck", value, voxels_of(piece), 0))


def bridge_gap(mask: LabelMap, value: int, start_mm: NDArray, stop_mm: NDArray, radius_mm: float) -> Fix | None:
    """A tube of background voxels between two ends; None if it cannot join just these two pieces."""
    spacing = np.asarray(mask.geometry.spacing)
    start, stop = (mask.geometry.to_index(point) * spacing for point in (start_mm, stop_mm))
    radius = max(radius_mm, 0.75 * float(spacing.max()))
    index = _within(mask, np.minimum(start, stop) - radius, np.maximum(start, stop) + radius)
    axis = stop - start
    share = np.clip(((index * spacing - start) @ axis) / max(float(axis @ axis), 1e-12), 0, 1)
    near = np.linalg.norm(index * spacing - start - share[:, None] * axis, axis=1) <= radius
    free = near & (mask.voxels[tuple(index.T)] == 0)
    return checked(mask, _edit(mask, "bridge gap", value, index[free], value)) if free.any() else None


def cut_loop(mask: LabelMap, value: int, at: NDArray[np.int64], along: NDArray, depth_mm: float) -> Fix | None:
    """Remove the thinnest disc across a loop at voxel ``at``; None if no disc there opens just this loop."""
    spacing = np.asarray(mask.geometry.spacing)
    reach = 2.0 * depth_mm + float(spacing.max())
    index = _within(mask, at * spacing - reach, at * spacing + reach)
    index = index[mask.voxels[tuple(index.T)] == value]
    offset = (index - at) * spacing
    ahead = offset @ along
    across = np.linalg.norm(offset - ahead[:, None] * along, axis=1)
    for thickness in (0.5, 0.75, 1.0, 1.5):
        disc = (np.abs(ahead) <= thickness * spacing.max()) & (across <= reach)
        fix = checked(mask, _edit(mask, "cut loop", value, index[disc], 0))
        if fix is not None:
            return fix
    return None


def checked(mask: LabelMap, fix: Fix) -> Fix | None:
    """The fix if it changes its label's Betti numbers exactly as declared, else None."""
    if len(fix.index) == 0:
        return None
    before, after = (_betti(voxels, fix.label) for voxels in (mask.voxels, fix.applied(mask).voxels))
    change = (after.b0 - before.b0, after.b1 - before.b1, after.b2 - before.b2)
    return fix if change == CHANGES[fix.kind] else None


def voxels_of(runs: Runs) -> NDArray[np.int64]:
    """All voxels (n, 3) of a structure."""
    i, j = np.divmod(runs.row_of_run, runs.rows[1])
    length = (runs.stop - runs.start).astype(np.int64)
    first = np.repeat(runs.start - (np.cumsum(length) - length), length)
    k = first + np.arange(int(length.sum()))
    return np.stack([np.repeat(i + runs.corner[0], length), np.repeat(j + runs.corner[1], length), k], axis=1)


def _betti(voxels: NDArray[np.integer], value: int) -> Betti:
    structure = voxels == value
    return Structure.of(runs_of(structure)).betti if structure.any() else Betti(0, 0, 0)


def _edit(mask: LabelMap, kind: FixKind, value: int, index: NDArray[np.int64], after: int) -> Fix:
    before = mask.voxels[tuple(index.T)]
    return Fix(kind, value, index, before, np.full_like(before, after))


def _within(mask: LabelMap, low_mm: NDArray, high_mm: NDArray) -> NDArray[np.int64]:
    """All voxels (n, 3) of a box given as index times spacing."""
    spacing, shape = np.asarray(mask.geometry.spacing), mask.geometry.shape
    low = np.maximum(np.floor(low_mm / spacing).astype(int), 0)
    high = np.minimum(np.ceil(high_mm / spacing).astype(int) + 1, shape)
    return np.stack(np.meshgrid(*[np.arange(a, b) for a, b in zip(low, high)], indexing="ij"), axis=-1).reshape(-1, 3)
