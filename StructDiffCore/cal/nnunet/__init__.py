"""Confidence-aware learning with nnU-Net (version 2): its own plans, network and loss, with our confidence maps as voxel weights.

    export nnUNet_extTrainer=$(python -m StructDiffCore.cal.nnunet)
    nnUNetv2_train 101 3d_fullres 0 -tr nnUNetTrainerStructDiff

How the maps reach the loss, and why this way (nnU-Net 2.8):

- *Beside the segmentation, not as an image channel.* A second channel would change what is planned and cropped (nnU-Net crops to
  the voxels that are nonzero in any channel), would be blurred and rescaled by the intensity augmentation, and every later
  prediction would have to bring it along. As it is, planning, preprocessing, network and checkpoints are those of nnUNetTrainer.
- *After preprocessing.* nnU-Net takes preprocessors and data sets from its own package only, but keeps what it did to a case
  (axes, crop, size) in the case's properties; the map takes the same way, resampled as nnU-Net resamples maps in [0, 1].
- *In the place of the cascade's earlier segmentation*, an integer map that nnU-Net's loader crops as it crops the labels.
- *As batchgeneratorsv2's regression target* through the augmentation: moved and mirrored with the image, interpolated linearly,
  never touched by noise, blur or gamma, and without a random draw of its own.
- *As doubt = 1 - confidence*, because everything on the way fills with 0: what nnU-Net adds at the borders keeps its plain
  weight, and maps of confidence 1 leave a training bit for bit as it was.
"""
