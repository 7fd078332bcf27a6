"""Seeds from what is drawn, never from time or rank: the same step draws the same numbers anywhere."""

from __future__ import annotations

import hashlib

import numpy as np
import torch


def seed_of(*parts: int | str) -> int:
    """A 63-bit seed from the hash of its parts, e.g. (run seed, "noise", step, sample)."""
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def numpy_generator(*parts: int | str) -> np.random.Generator:
    return np.random.default_rng(seed_of(*parts))


def torch_generator(*parts: int | str) -> torch.Generator:
    return torch.Generator().manual_seed(seed_of(*parts))
