"""Confidence maps of a synthetic pair: ours, the known truth about planted damage, and either one shuffled."""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray

from StructDiffCore.cal.confidence import confidence_of_deviation
from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.diffusion.levels import log_snr_levels
from StructDiffCore.diffusion.sampling import SamplingStep
from StructDiffCore.domain import ConfidenceMap, LabelMap, Volume
from StructDiffCore.measures.distance import distance_to
from StructDiffCore.synthesis.confidence_fit import shipped_fit
from StructDiffCore.synthesis.error_head import HeadSpread, shipped_head
from StructDiffCore.synthesis.measured_at import MeasuredAt
from StructDiffCore.synthesis.precision import inference_dtype
from StructDiffCore.synthesis.prepared import Prepared
from StructDiffCore.synthesis.ssv import Uncertainty
from StructDiffCore.synthesis.tiles import plan_tiles
from StructDiffCore.synthesis.volume import TiledDenoiser, unit_hu
from StructDiffCore.systems.structdiff import StructDiff

EDGE_BINS_MM = (0.5, 1.0, 2.0, 4.0, 8.0)
LEVELS = 250
"""Confidences are stored in so many steps: finer ones would only fill the disk."""


class PictureReader:
    """The error head's deviation of any picture of one target: what the condition promises against what is to be seen."""

    def __init__(self, system: StructDiff, prepared: Prepared, settings: SynthesisSettings, spread: HeadSpread) -> None:
        device = torch.device("cpu")
        self.system = copy.deepcopy(system).to(device, inference_dtype(settings.precision, device))
        self.prepared, self.spread = prepared, spread
        self.plan = plan_tiles(prepared.geometry.shape, settings.tile, settings.overlap, system.multiple)
        self.denoiser = TiledDenoiser(self.system, prepared.source, self.plan, settings)
        self.level = log_snr_levels(settings.steps)[-1]

    def deviation(self, clean: Volume) -> Volume:
        """Expected error in HU of a noise-free picture on the target's grid."""
        prior = np.asarray(self.prepared.source.crop((0, 0, 0), clean.geometry.shape).prior_hu)
        room = [(0, p - n) for p, n in zip(self.plan.padded, clean.geometry.shape)]
        residual = torch.from_numpy(np.pad((clean.voxels - prior) / unit_hu(self.system), room, mode="edge"))[None, None].float()
        self.spread.watch(SamplingStep(0, 1, self.level, residual, residual))
        variance = self.spread.variance(self.denoiser, residual)
        found = Uncertainty.of(variance, unit_hu(self.system), clean.geometry, self.spread)
        assert found is not None
        return found.deviation_hu


def picture_reader(system: StructDiff, prepared: Prepared, settings: SynthesisSettings) -> PictureReader | None:
    """A reader where the settings ask for the error head and one belongs to the weights; else None."""
    head = shipped_head(system.sha256) if settings.ssv == "head" else None
    return None if head is None else PictureReader(system, prepared, settings, head.spread())


def confidence_of(deviation: Volume, system: StructDiff, settings: SynthesisSettings, tolerance_hu: float) -> ConfidenceMap:
    """By the fit measured for samples and maps made like this; the deviation at its word where there is none."""
    fit = shipped_fit(MeasuredAt.of(system.sha256, settings), settings.ssv)
    return rounded(fit.of(deviation) if fit is not None else confidence_of_deviation(deviation, tolerance_hu))


def truth_about(lost: NDArray[np.bool_], target: LabelMap) -> ConfidenceMap:
    """0 where the label has no evidence, 1 elsewhere."""
    return ConfidenceMap(np.where(lost, np.float32(0), np.float32(1)), target.geometry)


def shuffled(confidence: ConfidenceMap, target: LabelMap, rng: np.random.Generator) -> ConfidenceMap:
    """The same values, each somewhere else among the voxels of its label and its distance to the nearest border of labels."""
    distance = distance_to(label_borders(target.voxels), target.geometry.spacing)
    groups = (target.voxels.astype(np.int64) * (len(EDGE_BINS_MM) + 1) + np.digitize(distance, EDGE_BINS_MM)).ravel()
    drawn = rng.permutation(groups.size)
    takers, givers = np.argsort(groups, kind="stable"), drawn[np.argsort(groups[drawn], kind="stable")]
    values = np.empty(groups.size, np.float32)
    values[takers] = confidence.voxels.ravel()[givers]
    return ConfidenceMap(values.reshape(confidence.voxels.shape), confidence.geometry)


def label_borders(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Voxels (i, j, k) with another label beside one of their faces."""
    border = np.zeros(labels.shape, bool)
    for axis in range(3):
        differs = np.diff(np.moveaxis(labels, axis, 0).astype(np.int16), axis=0) != 0
        along = np.moveaxis(border, axis, 0)
        along[1:] |= differs
        along[:-1] |= differs
    return border


def rounded(confidence: ConfidenceMap) -> ConfidenceMap:
    """The map in ``LEVELS`` steps."""
    return ConfidenceMap((np.rint(confidence.voxels * LEVELS) / LEVELS).astype(np.float32), confidence.geometry)
