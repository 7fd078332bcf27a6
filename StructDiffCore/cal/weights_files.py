"""The weights a run leaves: pretrained (after stage 1), best (on the held-out cases) and last, each with its card."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from StructDiffCore.io.atomic import write_text
from StructDiffCore.segmentation.segmenter import Segmenter

from .validation import Score


@dataclass(frozen=True)
class WeightsFiles:
    """NAME.safetensors and NAME.json in the run's folder."""

    out: Path

    def path(self, name: str) -> Path:
        return self.out / f"{name}.safetensors"

    def write(self, segmenter: Segmenter, name: str, step: int, score: Score | None = None) -> None:
        """Write weights, then the card with their SHA-256, the step and the score."""
        card = {"name": name, "sha256": segmenter.save_weights(self.path(name)), "step": step}
        told = {} if score is None else {"validation": asdict(score)}
        write_text(self._card(name), json.dumps(card | told, indent=2) + "\n")

    def offer(self, segmenter: Segmenter, score: Score, step: int) -> None:
        """Keep the weights as the best if they beat those there, or repeat their step."""
        before = self.card("best")
        if not before or score.mean > before["validation"]["mean"] or step == before["step"]:
            self.write(segmenter, "best", step, score)

    def settle(self) -> Path:
        """The weights to use: the best; where nothing was held out, the last are the best."""
        if not self.path("best").is_file():
            for source, target in ((self.path("last"), self.path("best")), (self._card("last"), self._card("best"))):
                shutil.copyfile(source, target)
        return self.path("best")

    def card(self, name: str) -> dict[str, Any]:
        """What the card says; empty without one."""
        try:
            return json.loads(self._card(name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def _card(self, name: str) -> Path:
        return self.out / f"{name}.json"
