"""Hearts for the tests: a small digital heart with its trees, and drawn toys."""

from functools import cache

import numpy as np

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap
from StructDiffCore.mgm.reference import Reference
from StructDiffCore.phantom.heart import digital_heart
from StructDiffCore.vessels.branch import Branch
from StructDiffCore.vessels.graph import VesselGraph

CARDIAC_GROUPS = {"groups": ((6, 8, 9), (1, 3)), "touching": ((6, 8), (6, 9)), "apart": ((8, 9),)}


@cache
def a_digital_reference(seed=1):
    heart = digital_heart(seed)
    return Reference.prepared(heart.mask, {8: heart.trees["left"], 9: heart.trees["right"]})


def ball(shape, centre, radius):
    index = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"))
    return ((index - np.array(centre)[:, None, None, None]) ** 2).sum(axis=0) <= radius**2


@cache
def a_toy(spacing=(1.0, 1.0, 1.0)):
    """Muscle with an open pool, an aorta, and a straight left coronary with one side branch; 1 mm."""
    geometry = Geometry((64, 60, 60), spacing)
    mask = np.zeros(geometry.shape, np.uint8)
    body = ball(mask.shape, (30, 30, 22), 17)
    pool = ball(mask.shape, (30, 30, 24), 10)
    pool[25:36, 25:36, 24:40] = True
    mask[body] = 1
    mask[pool & (body | ball(mask.shape, (30, 30, 24), 16))] = 3
    mask[24:37, 24:37, 42:56] = 6
    mask[:, :, 40:42][mask[:, :, 40:42] == 3] = 0
    main = np.array([[37.0, 30, 48], [44, 30, 48], [50, 30, 44], [52, 30, 34], [52, 30, 22]])
    side = np.array([[52.0, 30, 34], [53, 38, 30], [53, 44, 24]])
    tree = VesselGraph((Branch(main, np.full(5, 2.0), "LAD"), Branch(side, np.full(3, 1.6), "D1", 0, 1)))
    from StructDiffCore.vessels.lumen import paint_lumen

    scaled = tree.moved(lambda points: points * np.array(spacing))
    lumen = paint_lumen(scaled, geometry, 3.0).mask & (mask != 6)
    mask[lumen] = 8
    return LabelMap(mask, geometry, CARDIAC), {8: scaled}
