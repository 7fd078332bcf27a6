"""StructDiffLib: one job per file; StructDiff.py joins them."""
