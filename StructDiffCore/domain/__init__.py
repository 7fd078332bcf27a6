"""The nouns: geometry, volumes, masks, pairs and what labels mean. No I/O, no torch."""

from .errors import EXIT_CODES, Category, StructDiffError
from .geometry import Geometry, Triple
from .label_scheme import CARDIAC, ExpectedTopology, Label, LabelScheme
from .volumes import ConfidenceMap, ImageMaskPair, LabelMap, Template, Volume

__all__ = [
    "CARDIAC",
    "EXIT_CODES",
    "Category",
    "ConfidenceMap",
    "ExpectedTopology",
    "Geometry",
    "ImageMaskPair",
    "Label",
    "LabelMap",
    "LabelScheme",
    "StructDiffError",
    "Template",
    "Triple",
    "Volume",
]
