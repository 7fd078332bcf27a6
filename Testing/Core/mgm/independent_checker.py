"""A checker that shares nothing with topology/: scikit-image's Euler numbers and scipy's labels."""

import numpy as np
from scipy.ndimage import binary_dilation, label
from skimage.measure import euler_number

TOUCH = np.ones((3, 3, 3), bool)


def betti(structure):
    """(b0, b1, b2) with 26-connected structure and 6-connected background."""
    padded = np.pad(structure, 1)
    pieces = label(padded, TOUCH)[1]
    cavities = label(~padded)[1] - 1
    return pieces, pieces + cavities - euler_number(padded, connectivity=3), cavities


def contacts(one, other):
    """Number of places where two structures touch."""
    return label(binary_dilation(one, TOUCH) & other, TOUCH)[1]


def faults(mask, groups=(), touching=(), apart=()):
    """Everything that is not whole, in words; empty for a good mask."""
    told = [f"label {v}: {betti(mask == v)}" for v in np.unique(mask) if v and betti(mask == v) != (1, 0, 0)]
    told += [f"group {g}: {betti(np.isin(mask, g))}" for g in groups if betti(np.isin(mask, g)) != (1, 0, 0)]
    told += [f"{a}-{b}: {n} contacts" for a, b in touching if (n := contacts(mask == a, mask == b)) != 1]
    told += [f"{a}-{b} touch" for a, b in apart if contacts(mask == a, mask == b)]
    return told
