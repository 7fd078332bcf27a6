"""StructDiff: a label mask plus one real image-mask pair in, a new CT volume that obeys the mask out."""

__version__ = "0.1.0.dev0"
