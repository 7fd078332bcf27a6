"""Inputs set to null: conditions without template, codes or prior map, for ablations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from .conditioning import ConditionMaps
from .region_code import NULL_HU

Change = Callable[[ConditionMaps], ConditionMaps]


def without_template(maps: ConditionMaps) -> ConditionMaps:
    """The template's image withheld; codes and tissue layout stay."""
    nothing = np.zeros_like(maps.template_known)
    return replace(maps, template_hu=maps.prior_hu, template_prior_hu=maps.prior_hu, template_known=nothing)


def without_codes(maps: ConditionMaps) -> ConditionMaps:
    """All region codes null."""
    return replace(maps, codes=np.zeros_like(maps.codes))


def without_prior(maps: ConditionMaps) -> ConditionMaps:
    """The prior map even soft tissue."""
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
