"""Rooted vessel graph, growth along a surface, taper, painting."""

from .branch import Branch
from .graph import VesselGraph
from .lumen import Lumen, paint_lumen
from .painting import PaintedTree, paint_distance, paint_tree
from .surface import Ellipsoid, SampledSurface, Surface

__all__ = [
    "Branch",
    "Ellipsoid",
    "Lumen",
    "PaintedTree",
    "SampledSurface",
    "Surface",
    "VesselGraph",
    "paint_distance",
    "paint_lumen",
    "paint_tree",
]
