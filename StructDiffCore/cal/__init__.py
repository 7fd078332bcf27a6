"""Confidence-aware learning: pre-train a segmenter on synthetic pairs, trusting each voxel as much as it deserves."""
