"""A window small enough to count in: 16^3 voxels of 0.8 mm, one straight vessel, a generator and a judge of one formula each."""

from types import SimpleNamespace

import numpy as np
import torch

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, Volume
from StructDiffCore.evaluation.confidence_cases import Asked, ConfidenceCase
from StructDiffCore.models.conditioning import ConditionMaps
from StructDiffCore.segmentation.segmenter import Segmenter, windowed
from StructDiffCore.vessels.branch import Branch
from StructDiffCore.vessels.graph import VesselGraph

GRID = Geometry((16, 16, 16), (0.8, 0.8, 0.8))
BOX = (slice(4, 12),) * 3
MIDDLE = (8, 8, 8)
MUSCLE_HU, BRIGHT_HU, READ_FROM_HU = 100.0, 400.0, 250.0


def a_mask():
    voxels = np.ones(GRID.shape, np.uint8)
    voxels[8, 8, :] = 8
    return LabelMap(voxels, GRID, CARDIAC)


def a_tree():
    """Along k through voxel (8, 8): 2 mm wide in the first half, 1 mm in the second."""
    points = GRID.to_world([[8, 8, k] for k in range(16)])
    return VesselGraph((Branch(points, np.where(np.arange(16) < 8, 1.0, 0.5), "LAD"),))


def a_condition(shape=MIDDLE):
    prior, zeros = np.full(shape, MUSCLE_HU, np.float32), np.zeros(shape, np.float32)
    edge = np.broadcast_to(np.arange(shape[0], dtype=np.float32)[:, None, None], shape).copy()
    return ConditionMaps(prior, edge, zeros, prior, prior, zeros, zeros.astype(np.int16), np.zeros((1, 15), np.float32))


def a_case(damage="", number=0, domain="training"):
    truth = SimpleNamespace(clean=Volume(np.full(GRID.shape, MUSCLE_HU, np.float32), GRID))
    truth.noisy = Volume(truth.clean.voxels + np.float32(5), GRID)
    target = SimpleNamespace(mask=a_mask(), geometry=GRID, trees={"left": a_tree()})
    damaged = np.zeros(MIDDLE, bool)
    damaged[0, 0, 0] = bool(damage)
    asked = Asked(domain, number, (damage,) if damage else ())
    return ConfidenceCase(asked, damage, SimpleNamespace(target=target, truth=truth), a_condition(), BOX, damaged)


class GaussianSystem:
    """x0 ~ N(0, 1) in units of 50 HU around the prior."""

    multiple = 8
    sha256 = "abc"

    def encode(self, conditions):
        return None

    def denoiser(self, features):
        return lambda noisy, level: noisy / level.alpha / (1 + level.noise_ratio**2)

    def to_hu(self, residual, prior_hu):
        return prior_hu + 50 * residual


class ReadsBright(torch.nn.Module):
    """Class 1 below ``READ_FROM_HU``, class 3 from there on."""

    def __init__(self):
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def forward(self, window):
        scores = window.new_zeros(1, 9, *window.shape[2:])
        scores[:, 1], scores[:, 3] = 0.1, 10 * (window[:, 0] - windowed(torch.tensor(READ_FROM_HU)))
        return scores


def a_judge():
    judge = Segmenter.untrained(CARDIAC, patch=64)
    judge.network = ReadsBright()
    return judge
