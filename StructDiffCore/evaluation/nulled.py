"""The trained network asked with inputs set to null. No network was trained for this: it is no retrained ablation."""

from __future__ import annotations

from collections.abc import Sequence

from StructDiffCore.models.condition_encoder import Features
from StructDiffCore.models.conditioning import ConditionMaps
from StructDiffCore.models.nulled import Change
from StructDiffCore.systems.structdiff import StructDiff


class Nulled(StructDiff):
    """A generator whose network sees changed conditions; its answer is still added to the true prior."""

    def __init__(self, system: StructDiff, change: Change) -> None:
        super().__init__(system.settings, system.network)
        self.sha256 = system.sha256
        self.change = change

    def encode(self, conditions: Sequence[ConditionMaps]) -> Features:
        return super().encode([self.change(condition) for condition in conditions])
