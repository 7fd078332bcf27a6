"""Inputs set to null: the trained network asked without template, codes or prior map. No network was trained for this."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from StructDiffCore.models.condition_encoder import Features
from StructDiffCore.models.conditioning import ConditionMaps
from StructDiffCore.models.region_code import NULL_HU
from StructDiffCore.systems.structdiff import StructDiff

Change = Callable[[ConditionMaps], ConditionMaps]


class Nulled(StructDiff):
    """A generator whose network sees changed conditions; its answer is still added to the true prior."""

    def __init__(self, system: StructDiff, change: Change) -> None:
        super().__init__(system.settings, system.network)
        self.sha256 = system.sha256
        self.change = change

    def encode(self, conditions: Sequence[ConditionMaps]) -> Features:
        return super().encode([self.change(condition) for condition in conditions])


def without_template(maps: ConditionMaps) -> ConditionMaps:
    """The template's image withheld; codes and tissue layout stay. This input was also withheld now and then in training."""
    nothing = np.zeros_like(maps.template_known)
    return replace(maps, template_hu=maps.prior_hu, template_prior_hu=maps.prior_hu, template_known=nothing)


def without_codes(maps: ConditionMaps) -> ConditionMaps:
    """All region codes null."""
    return replace(maps, codes=np.zeros_like(maps.codes))


def without_prior(maps: ConditionMaps) -> ConditionMaps:
    """The prior map even soft tissue, for the network; what it answers is still added to the true prior."""
    return replace(maps, prior_hu=np.full_like(maps.prior_hu, NULL_HU))


def template_alone(maps: ConditionMaps) -> ConditionMaps:
    """Template image and distances alone: no codes, no prior map (template stacking)."""
    return without_prior(without_codes(maps))


NULLED: Mapping[str, Change] = {
    "without template": without_template,
    "without codes": without_codes,
    "without prior": without_prior,
    "template stacking": template_alone,
}
