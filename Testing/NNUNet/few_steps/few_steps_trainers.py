"""Trainers of seconds, and how to make a variant: a class in a folder of nnUNet_extTrainer."""

from __future__ import annotations

import torch
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from StructDiffCore.cal.nnunet.trainer import nnUNetTrainerStructDiff


class FewSteps:
    """Three epochs of two steps, each with a checkpoint; blur by the same algorithm, which it would else choose by the clock."""

    def __init__(self, plans, configuration, fold, dataset_json, device=torch.device("cuda")):  # noqa: B008 - as nnU-Net asks
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.num_epochs, self.num_iterations_per_epoch, self.num_val_iterations_per_epoch = 3, 2, 1
        self.save_every = 1

    def get_training_transforms(self, *args, **kwargs):
        pipeline = super().get_training_transforms(*args, **kwargs)
        inner = pipeline.transforms
        for step in inner if isinstance(inner, list) else inner.transforms:
            if isinstance(getattr(step, "transform", None), GaussianBlurTransform):
                step.transform.benchmark = False
        return pipeline


class nnUNetTrainerFewSteps(FewSteps, nnUNetTrainer):
    """Plain nnU-Net."""


class nnUNetTrainerStructDiffFewSteps(FewSteps, nnUNetTrainerStructDiff):
    """Ours."""
