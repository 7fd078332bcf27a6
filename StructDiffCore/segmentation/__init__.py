"""MONAI segmenters: fit, predict."""
