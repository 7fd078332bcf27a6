"""How many network calls a confidence map adds, without torch."""

from __future__ import annotations

from StructDiffCore.config.settings import SynthesisSettings

MOST_CALLS = 24
"""Finer skipped paths would leave too little to skip."""


def skipped_calls(steps: int) -> int:
    """Calls of one skipped path beside a sample of ``steps``: half as many, three at least."""
    return min(max(3, steps // 2), MOST_CALLS)


def extra_calls(settings: SynthesisSettings) -> int:
    """Calls per tile beyond the sample's own path."""
    each = {"full": skipped_calls(settings.steps), "noises": skipped_calls(settings.steps), "tails": 1}
    return settings.ssv_paths * each.get(settings.ssv, 0)
