"""Hierarchical bootstrap: against every resample there is, and for pairs."""

from itertools import product

import numpy as np
import pytest

from StructDiffCore.evaluation.downstream.hierarchy import crossed_interval, paired_difference, resampled_means, table_of

TABLE = np.array([[0.2, 0.5, 0.9], [0.6, 0.7, 0.1]])


def every_resample(table):
    """Means of all equally likely draws of rows and columns."""
    rows, columns = (list(product(range(n), repeat=n)) for n in table.shape)
    return np.array([table[np.ix_(r, c)].mean() for r in rows for c in columns])


def test_the_drawn_means_are_distributed_as_all_resamples_are():
    drawn, exact = resampled_means(TABLE, 40_000), every_resample(TABLE)
    assert drawn.mean() == pytest.approx(exact.mean(), abs=0.003)
    assert drawn.std() == pytest.approx(exact.std(), rel=0.02)
    shares = (0.025, 0.25, 0.5, 0.75, 0.975)
    np.testing.assert_allclose(np.quantile(drawn, shares), np.quantile(exact, shares), atol=0.02)


def values_of(table):
    return {(s, h): float(v) for (s, h), v in np.ndenumerate(table)}


def test_an_interval_holds_its_mean_and_counts_what_it_is_made_of():
    found = crossed_interval(values_of(TABLE))
    assert found.mean == pytest.approx(TABLE.mean())
    assert found.low < found.mean < found.high
    assert (found.subsets, found.hearts) == (2, 3)


def test_what_differs_between_hearts_but_not_between_arms_cancels_in_pairs():
    base = np.random.default_rng(0).uniform(0, 1, (5, 40))
    found = paired_difference(values_of(base + 0.05), values_of(base))
    assert found.low == pytest.approx(0.05)
    assert found.high == pytest.approx(0.05)
    assert found.excludes_zero


def test_spread_between_subsets_widens_the_interval_that_many_hearts_would_make_narrow():
    rng = np.random.default_rng(1)
    hearts = rng.normal(0, 0.1, (5, 400))
    shifted = hearts + rng.normal(0, 0.1, (5, 1))
    narrow, wide = (crossed_interval(values_of(table)) for table in (hearts, shifted))
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_only_hearts_that_all_started_subsets_have_count():
    values = values_of(TABLE)
    del values[1, 2]
    np.testing.assert_array_equal(table_of(values), TABLE[:, :2])
    assert crossed_interval({}).hearts == 0
    assert np.isnan(paired_difference(values, {}).mean)
