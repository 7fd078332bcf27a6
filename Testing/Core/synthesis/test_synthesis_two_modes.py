"""All spreads on an exact two-mode posterior, x0 = +-120 HU with even odds: the true spread is 120 HU.

METHODS section 1 tells 22 HU of 20 random skips and 6 HU of 5 strided ones. Both come back on 50 levels of DDPM's linear schedule
of which a path keeps every fifth, or 10 at random, its first and last level with them: what such paths spread over is where they
begin and end. ``full`` keeps the noisiest and the last level of every path, and then next to nothing is left.
"""

import numpy as np
import pytest
import torch

from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.diffusion.ddim import ddim
from StructDiffCore.diffusion.levels import Level, log_snr_levels
from StructDiffCore.diffusion.sampling import last_clean
from StructDiffCore.synthesis.ssv import spread_of

MODE_HU, UNIT_HU = 120.0, 100.0
NOISE = torch.randn(1, 1, 4096, 1, 1, generator=torch.Generator().manual_seed(0))


def two_modes(noisy, level):
    """The exact denoiser."""
    mode = MODE_HU / UNIT_HU
    return mode * torch.tanh(mode * noisy / level.sigma**2)


def rms_hu(variance):
    return UNIT_HU * float(variance.mean().sqrt())


def on_two_modes(method, paths=20, steps=10):
    levels = log_snr_levels(steps)
    start = NOISE * levels[0].sigma
    spread = spread_of(SynthesisSettings(ssv=method, ssv_paths=paths, steps=steps, temperature=1.0), seed=0)
    for step in ddim(two_modes, start, levels):
        spread.watch(step)
    return rms_hu(spread.variance(two_modes, start))


@pytest.mark.parametrize(
    ("method", "paths", "low_hu", "high_hu"),
    [("noises", 20, 117, 123), ("trajectory", 5, 40, 48), ("tails", 20, 6, 10), ("full", 20, 0.02, 0.3)],
)
def test_only_fresh_noises_see_the_whole_spread(method, paths, low_hu, high_hu):
    assert low_hu < on_two_modes(method, paths) < high_hu


def test_finer_paths_agree_all_the_more():
    assert on_two_modes("full", steps=20) < 0.1 * on_two_modes("full", steps=10)


def linear_schedule(count=50):
    """``count`` sigmas of DDPM's linear schedule of 1000 steps, as noise ratios, falling."""
    alpha_bar = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    return np.sqrt((1 - alpha_bar) / alpha_bar)[::-1][np.linspace(0, 999, count).round().astype(int)]


def spread_over(paths):
    """Of paths given as falling sigmas, all from the same unit noise."""
    ends = [last_clean(ddim(two_modes, NOISE * s[0], [*(Level(1.0, float(x)) for x in s), Level(1.0, 0.0)])) for s in paths]
    return rms_hu(torch.stack(ends).var(0))


def random_skips(sigmas, seed, pinned):
    rng = np.random.default_rng(seed)
    inner = np.arange(1, 49) if pinned else np.arange(50)
    ends = [0, 49] if pinned else []
    return [sigmas[np.sort([*ends, *rng.choice(inner, 10 - len(ends), replace=False)])] for _ in range(20)]


def test_skips_that_may_drop_a_paths_ends_spread_as_methods_tells():
    sigmas = linear_schedule()
    drawn = [spread_over(random_skips(sigmas, seed, pinned=False)) for seed in range(3)]
    assert 10 < min(drawn) < np.mean(drawn) < max(drawn) < 26
    assert 2 < spread_over([sigmas[first::5] for first in range(5)]) < 7


def test_skips_between_the_same_ends_spread_over_next_to_nothing():
    sigmas = linear_schedule()
    assert 0 < max(spread_over(random_skips(sigmas, seed, pinned=True)) for seed in range(3)) < 0.5
