"""What a device may be called. Whether it is there is asked where torch is allowed."""

from __future__ import annotations

import re

from StructDiffCore.domain import StructDiffError

_NAME = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def checked_device_name(name: str) -> str:
    """``name`` if it is one of auto, cpu, cuda, cuda:N, mps; refused otherwise (category ``device``)."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise StructDiffError(f"unknown device '{name}'", "choose auto, cpu, cuda, cuda:N or mps", "device")
    return name
