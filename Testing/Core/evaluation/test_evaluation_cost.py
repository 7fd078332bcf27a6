"""Cost and intervals say what a block of known cost and a sample of known spread should."""

import mmap
import time

import numpy as np
from scipy import stats

from StructDiffCore.evaluation.cost import measured
from StructDiffCore.evaluation.intervals import bootstrap


def test_a_block_that_holds_memory_and_sleeps_shows_both():
    with measured() as idle:
        time.sleep(0.05)
    with measured() as busy:
        held = np.frombuffer(mmap.mmap(-1, 2**27), np.uint8)  # a heap that earlier tests have grown would not grow again
        held.fill(1)
        time.sleep(0.1)
    assert busy.seconds >= 0.1
    assert busy.peak_gib - idle.peak_gib >= 0.9 * held.nbytes / 2**30


def test_the_interval_agrees_with_the_normal_theory():
    values = np.random.default_rng(3).normal(5, 2, 200)
    interval = bootstrap(values)
    low, high = stats.norm.interval(0.95, values.mean(), values.std(ddof=1) / np.sqrt(values.size))
    np.testing.assert_allclose((interval.mean, interval.low, interval.high), (values.mean(), low, high), atol=0.05)


def test_absent_structures_do_not_count():
    assert bootstrap([1.0, float("nan"), 3.0]).cases == 2
