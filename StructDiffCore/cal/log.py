"""The run's log: one JSON object per line, and TensorBoard events where they are asked for."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from StructDiffCore.domain import StructDiffError

LOG = "log.jsonl"
TENSORBOARD = "tensorboard"


class RunLog:
    """Appends to OUT/log.jsonl, flushed line by line, so that a watcher sees a step at once."""

    def __init__(self, out: Path, tensorboard: bool) -> None:
        self._writer = _tensorboard_writer(out / TENSORBOARD) if tensorboard else None
        self._file = (out / LOG).open("a", encoding="utf-8")

    def line(self, step: int, values: Mapping[str, Any]) -> None:
        """Values of one step; numbers also go to TensorBoard."""
        self._file.write(json.dumps({"step": step, **values, "time": round(time.time(), 2)}) + "\n")
        self._file.flush()
        if self._writer is not None:
            for name, value in values.items():
                if isinstance(value, float):
                    self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._file.close()
        if self._writer is not None:
            self._writer.close()


def _tensorboard_writer(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise StructDiffError(
            "TensorBoard is not installed", "install structdiff[train], or leave tensorboard out", "missing_dependency"
        ) from None
    return SummaryWriter(str(folder))
