"""Look: what is read off a scan to compare it with another, each thing once and only when asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import LabelMap, StructDiffError, Volume
from StructDiffCore.measures.edges import Edge, edge_widths
from StructDiffCore.measures.gradient_peak import peak_distances
from StructDiffCore.measures.intensity import Intensity, intensity_of
from StructDiffCore.measures.noise import NoiseModel, fit_noise
from StructDiffCore.measures.patches import Patches, patches
from StructDiffCore.vessels.graph import VesselGraph

from .parts import Parts

MOST_VOXELS = 200_000
"""Sample of unlabelled voxels whose distributions are compared."""
TISSUES = {"unlabelled lung": (-980.0, -600.0), "unlabelled fat": (-170.0, -30.0), "unlabelled soft tissue": (-10.0, 130.0)}
"""Outside the labels tissue goes by its HU."""
FEWEST_VOXELS = 500
"""Of the sample, for a tissue to be compared."""
PATCHES = 120
"""Most per tissue class."""


@dataclass(frozen=True, eq=False)
class Scan:
    """An image with the mask it is held to, on one grid."""

    image: Volume
    mask: LabelMap


class Look:
    """One scan's HU per part, noise, edges and patches."""

    def __init__(self, scan: Scan, trees: Iterable[VesselGraph] = (), patch_seed: int = 1) -> None:
        self.scan = scan
        self.trees = tuple(trees)
        self.patch_seed = patch_seed
        self.spacing = np.asarray(scan.image.geometry.spacing, float)

    @cached_property
    def parts(self) -> Parts:
        return Parts.of(self.scan.mask, self.trees)

    @cached_property
    def samples(self) -> dict[str, NDArray[np.float32]]:
        """HU of every part and of the unlabelled tissues."""
        image, parts = self.scan.image.voxels, self.parts
        labelled = {name: image[parts.voxels == value] for value, name in parts.names.items()}
        hu = self.unlabelled
        tissues = {name: hu[(hu > low) & (hu < high)] for name, (low, high) in TISSUES.items()}
        return {**labelled, **{name: found for name, found in tissues.items() if found.size >= FEWEST_VOXELS}}

    @cached_property
    def intensities(self) -> dict[str, Intensity]:
        """Median and quartiles of every sample."""
        return {name: intensity_of(hu) for name, hu in self.samples.items()}

    @cached_property
    def unlabelled(self) -> NDArray[np.float32]:
        """A sample of the HU outside all labels."""
        hu = self.scan.image.voxels[self.scan.mask.voxels == 0]
        return hu[:: max(1, hu.size // MOST_VOXELS)] if hu.size else np.zeros(1, np.float32)

    @cached_property
    def noise(self) -> NoiseModel | None:
        """None where no region is large enough to read it."""
        try:
            return fit_noise(self.scan.image.voxels, self.scan.mask.voxels, self.spacing)
        except StructDiffError:
            return None

    @cached_property
    def edges(self) -> dict[int, Edge]:
        return edge_widths(self.scan.image.voxels, self.scan.mask.voxels, self.spacing)

    @cached_property
    def peaks_mm(self) -> dict[str, float]:
        """Distance from the mask's surface to the steepest place, per label that is one part."""
        found = peak_distances(self.scan.image.voxels, self.scan.mask.voxels, self.spacing)
        return {self.parts.names[value]: distance for value, distance in found.items() if value in self.parts.names}

    @cached_property
    def patches(self) -> Patches:
        """12 mm patches, all tissue classes."""
        return patches(self.scan.image.voxels, self.spacing, np.random.default_rng(self.patch_seed), PATCHES)
