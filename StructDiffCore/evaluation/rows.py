"""Rows of the table: the truth, the rival without a network, and the network."""

from __future__ import annotations

from collections.abc import Callable

from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.domain import Volume
from StructDiffCore.synthesis.prepared import Prepared
from StructDiffCore.synthesis.renderer import render_from_prior
from StructDiffCore.synthesis.synthesize import sample
from StructDiffCore.systems.structdiff import StructDiff

from .case import Case

Made = tuple[Volume, Volume | None]
"""The scan and, where known, the scan without acquisition noise."""
Row = Callable[[Case, Prepared, StructDiff, SynthesisSettings, int], Made]


def truth(case: Case, prepared: Prepared, system: StructDiff, settings: SynthesisSettings, seed: int) -> Made:
    """The ceiling: the reference itself (for the real case it scores against itself)."""
    return case.reference.image, case.clean


def renderer(case: Case, prepared: Prepared, system: StructDiff, settings: SynthesisSettings, seed: int) -> Made:
    """Painted prior + point spread + noise fitted to the template; no network."""
    made = render_from_prior(prepared.source, prepared.geometry, prepared.look.noise, prepared.look.psf_sigma_mm, seed)
    return made.noisy, made.clean


def network(case: Case, prepared: Prepared, system: StructDiff, settings: SynthesisSettings, seed: int) -> Made:
    """StructDiff."""
    made = sample(system, prepared, settings, seed)
    return made.noisy, made.clean


ROWS: dict[str, Row] = {"truth": truth, "renderer": renderer, "structdiff": network}
