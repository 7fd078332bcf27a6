"""Does synthetic data help a segmenter? Few-shot segmentation of the held-out domain."""
