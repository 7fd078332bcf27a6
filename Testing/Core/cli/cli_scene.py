"""A small scene for the command line: a ventricle in its muscle and an aorta, as labels and as a scan."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from StructDiffCore.domain import Geometry

GRID = Geometry((32, 30, 28), (1.5, 1.5, 1.7), (-20.0, -30.0, 5.0))
COARSE = Geometry((24, 22, 20), (2.0, 2.0, 2.4), (-20.0, -30.0, 5.0))
HU = {0: -80.0, 1: 100.0, 3: 380.0, 6: 400.0}


def body(grid, shift_mm=0.0):
    """A ventricle in its muscle and an aorta above it, as labels (i, j, k)."""
    world = grid.to_world(np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1))
    centre = np.array([3.5 + shift_mm, -8.5, 24.0])
    labels = np.zeros(grid.shape, np.uint8)
    far = np.linalg.norm((world - centre) / [1.0, 1.0, 1.2], axis=-1)
    labels[far < 13] = 1
    labels[far < 8] = 3
    labels[(np.hypot(world[..., 0] - centre[0] - 16, world[..., 1] - centre[1]) < 4)] = 6
    return labels


def scan_of(labels, seed=0):
    """HU of the labels, blurred and noisy."""
    hu = np.vectorize(HU.get)(labels).astype(np.float32)
    return ndimage.gaussian_filter(hu, 0.8) + np.random.default_rng(seed).normal(0, 15, labels.shape)


@dataclass(frozen=True)
class Scene:
    """Paths of good inputs; tests spoil one of them."""

    folder: Path
    mask: Path
    image: Path
    labels: Path
    weights: Path

    def command(self, out, **changed):
        """``structdiff synthesize`` with these inputs, some of them changed."""
        given = {"mask": self.mask, "image": self.image, "labels": self.labels, "model": self.weights, **changed}
        parts = ["synthesize", given["mask"], "--template", given["image"], given["labels"], "--model", given["model"]]
        return [str(part) for part in (*parts, "--steps", "1", "--out", out)]
