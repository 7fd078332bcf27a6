"""``python -m StructDiffCore.cal.nnunet``: the folder for nnU-Net's environment variable nnUNet_extTrainer."""

from pathlib import Path

if __name__ == "__main__":
    print(Path(__file__).resolve().parent / "trainers")
