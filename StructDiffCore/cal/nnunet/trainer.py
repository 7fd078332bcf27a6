"""nnUNetTrainerStructDiff: nnU-Net's trainer, believing every voxel as far as its confidence map does.

Only nnU-Net imports this module (see ``trainers``): nothing else in StructDiff needs the package nnunetv2.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nnunetv2.paths import nnUNet_raw
from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import distributed, nn

from StructDiffCore.domain import StructDiffError
from StructDiffCore.io.dataset_forms import ENDING

from ..weights import ramp
from .augmentation import DoubtBesideLabels
from .doubt import Passage
from .loss import TrustingLoss
from .maps import PreparedMaps, settings_of

READERS = ("SimpleITKIO", "NibabelIO")
"""nnU-Net's readers that hand out the voxels as they lie in the file."""


class nnUNetTrainerStructDiff(nnUNetTrainer):
    """Plain nnU-Net, with the confidence maps beside the training images as voxel weights; validation is unweighted.

    rho climbs from 0 to 1 over the first third of the epochs. Checkpoints hold nothing of ours: resuming, prediction and
    ``-pretrained_weights`` are nnU-Net's.
    """

    def _build_loss(self) -> nn.Module:
        with refusing_in_one_line():
            self._refuse_what_has_no_weights()
        loss = super()._build_loss()
        inner = loss.loss if isinstance(loss, DeepSupervisionWrapper) else loss
        self.trusting = TrustingLoss(inner, self.label_manager.ignore_label)
        if inner is loss:
            return self.trusting
        loss.loss = self.trusting
        return loss

    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        self.trusting.rho = ramp(self.current_epoch, self.num_epochs)

    @staticmethod
    def get_training_transforms(*args: Any, **kwargs: Any) -> DoubtBesideLabels:
        return DoubtBesideLabels(nnUNetTrainer.get_training_transforms(*args, **kwargs))

    def get_tr_and_val_datasets(self) -> tuple[Any, Any]:
        """nnU-Net's, the training one with doubt where a cascade has its earlier segmentation."""
        training, validation = super().get_tr_and_val_datasets()
        base, configuration = Path(self.preprocessed_dataset_folder_base), self.configuration_manager
        place = base / f"{configuration.data_identifier}_confidence"
        with refusing_in_one_line():
            raw = Path(nnUNet_raw.get()) / base.name if nnUNet_raw.is_set() else None
            maps = PreparedMaps(raw, place, settings_of(self.dataset_json))
            if self.local_rank == 0:
                told = maps.prepare(training.identifiers, lambda case: self._passage(training, case), self.dataset_class.save_seg)
                self.print_to_log_file(told)
        if self.is_ddp:
            distributed.barrier()
        training.folder_with_segs_from_previous_stage = str(place)
        return training, validation

    def _passage(self, cases: Any, case: str) -> Passage:
        """What the preprocessing of these plans and this configuration did to a case."""
        data, _, _, properties = cases.load_case(case)
        transpose = self.plans_manager.transpose_forward
        spacing = [properties["spacing"][axis] for axis in transpose]
        planned = list(self.configuration_manager.spacing)
        return Passage(
            tuple(transpose),
            tuple(properties["shape_before_cropping"]),
            tuple((int(a), int(b)) for a, b in properties["bbox_used_for_cropping"]),
            tuple(map(float, spacing)),
            tuple([spacing[0], *planned] if len(planned) < len(spacing) else planned),  # a 2D configuration keeps the slices
            tuple(data.shape[1:]),
            self.configuration_manager.resampling_fn_probabilities,
        )

    def _refuse_what_has_no_weights(self) -> None:
        reader = self.plans_manager.plans["image_reader_writer"]
        if self.label_manager.has_regions:
            raise StructDiffError("the data set is trained by regions, which have no voxel weights", "train it by labels")
        if self.is_cascaded:
            raise StructDiffError("a cascade's second stage has no place for confidence maps", "choose 3d_fullres or 3d_lowres")
        if reader not in READERS or self.dataset_json["file_ending"] != ENDING:
            raise StructDiffError(
                f"the data set has {self.dataset_json['file_ending']} files, read by {reader}", f"give {ENDING} to {READERS[0]}"
            )
        if not settings_of(self.dataset_json).weighs:
            raise StructDiffError("dataset.json wants no confidence to count", "train with -tr nnUNetTrainer")


@contextlib.contextmanager
def refusing_in_one_line() -> Iterator[None]:
    """A refusal ends the command with its one line, without a traceback."""
    try:
        yield
    except StructDiffError as error:
        print("structdiff: " + " ".join(str(error).split()), file=sys.stderr, flush=True)
        raise SystemExit(error.exit_code) from None
