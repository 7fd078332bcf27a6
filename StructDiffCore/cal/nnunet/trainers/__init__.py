"""The folder that nnUNet_extTrainer names: nnU-Net imports every module in it by its bare name."""
