"""Training crops: each a function of seed, stage, step and place in the batch alone, never of the process that draws it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from StructDiffCore.segmentation.segmenter import windowed
from StructDiffCore.training.crops import crop_start
from StructDiffCore.training.seeds import numpy_generator

from .augmentation import augmented_picture
from .made_pairs import MadePairs
from .prepared import PreparedCase
from .settings import PretrainSettings
from .weights import ramp

AIR_HU = -1024
Batch = tuple[Tensor, Tensor, Tensor | None, float]
"""Windowed images [B, 1, I, J, K], class numbers [B, I, J, K], confidences of that shape or None, rho."""


@dataclass(frozen=True)
class CropStream:
    """The batches of one stage."""

    stage: str
    cases: Sequence[PreparedCase]
    settings: PretrainSettings
    steps: int
    thin_classes: tuple[int, ...]
    weighted: bool
    """Whether the pairs' confidence counts; else every voxel has weight 1."""
    made: MadePairs | None = None
    """Pairs that are made meanwhile; each counts as one case beside ``cases``."""

    def batches(self, first: int, rank: int = 0, world_size: int = 1) -> Iterator[Batch]:
        """Batches from step ``first`` of the stage on: this process's share of each."""
        for step in range(first, self.steps):
            numbers = range(rank, self.settings.batch, world_size)
            yield self._batch([self.crop(step * self.settings.batch + number) for number in numbers], step)

    def crop(self, sample: int) -> tuple[NDArray, NDArray[np.uint8], NDArray[np.float16]]:
        """Image in HU, class numbers and confidences of one crop; what lies outside the scan is air for certain."""
        rng = self._generator(sample)
        number = self._drawn(sample, rng)
        case = self.cases[number] if number >= 0 or self.made is None else self.made.case(-1 - number)
        edge, shape = self.settings.crop, case.image.shape
        positions = case.positions[number] if (number := self._class_to_centre(case, rng)) else np.zeros((0, 3), np.int32)
        padded = np.maximum(shape, edge)
        start = crop_start(positions, bool(number), tuple(int(n) for n in padded), edge, rng)
        box = tuple(slice(a, a + edge) for a in start)
        trust = case.trust
        known = np.ones(shape, np.float16)[box] if trust is None else trust[box]
        image = _filled(case.image[box], edge, AIR_HU)
        if self.settings.augment:
            image = augmented_picture(image, int(rng.integers(2**31)))
        return image, _filled(case.classes[box], edge, 0), _filled(known, edge, 1)

    def made_pair(self, sample: int) -> int | None:
        """The made pair that a crop comes from; None where it comes from ``cases``. Reads nothing."""
        number = self._drawn(sample, self._generator(sample))
        return None if number >= 0 else -1 - number

    def samples(self, step: int) -> range:
        """The numbers of a step's crops, all processes together."""
        return range(step * self.settings.batch, (step + 1) * self.settings.batch)

    def _generator(self, sample: int) -> np.random.Generator:
        return numpy_generator(self.settings.seed, "crop", self.stage, sample)

    def _drawn(self, sample: int, rng: np.random.Generator) -> int:
        """Place among ``cases``, or -1 - n for made pair n."""
        window = range(0) if self.made is None else self.made.window(sample)
        place = int(rng.integers(len(self.cases) + len(window)))
        return place if place < len(self.cases) else -1 - window[place - len(self.cases)]

    def _class_to_centre(self, case: PreparedCase, rng: np.random.Generator) -> int:
        """A class of the case, thin ones as often as all others together; 0: anywhere."""
        present = sorted(case.positions)
        thin = [number for number in present if number in self.thin_classes]
        thick = [number for number in present if number not in self.thin_classes]
        wanted, of_thin, pick = rng.random() < self.settings.foreground, rng.random() < 0.5, rng.random()
        pool = (thin if of_thin else thick) or present
        return pool[int(pick * len(pool))] if wanted and pool else 0

    def _batch(self, crops: Sequence[tuple[NDArray, NDArray, NDArray]], step: int) -> Batch:
        images, classes, trust = (np.stack(parts) for parts in zip(*crops))
        confidence = torch.from_numpy(trust.astype(np.float32)) if self.weighted else None
        rho = ramp(step, self.steps) if self.weighted else 0.0
        tensors = windowed(torch.from_numpy(images.astype(np.float32)))[:, None], torch.from_numpy(classes.astype(np.int64))
        return *tensors, confidence, rho


def _filled(part: NDArray, edge: int, fill: int) -> NDArray:
    """The part of a crop that lies in the scan, completed at its far ends."""
    return np.pad(part, [(0, edge - n) for n in part.shape], constant_values=fill)
