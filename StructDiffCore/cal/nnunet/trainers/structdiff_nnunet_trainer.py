"""Where nnU-Net's ``-tr`` finds the trainer; the class itself lies where worker processes can import it too."""

from StructDiffCore.cal.nnunet.trainer import nnUNetTrainerStructDiff

__all__ = ["nnUNetTrainerStructDiff"]
