"""Tokens of whole numbers: exact where there are few, quantile bins by hand where there are many."""

import numpy as np
import pytest

from rheos.core.errors import InputError
from rheos.data.codec import Tokens
from rheos.data.dataset import Dataset, Layout, Recording


def data(*columns):
    values = np.stack([np.asarray(c, float) for c in columns], axis=1)
    layout = Layout(channels=tuple("abc"[: len(columns)]))
    return Dataset(layout=layout, recordings=(Recording.of(values),))


def clip(*columns):
    return np.stack([np.asarray(c, float) for c in columns], axis=1)[None]


def test_few_whole_numbers_are_kept_exactly():
    """Numbers between, never seen, have tokens too; channels have their own counts; NaN stays."""
    fitted = Tokens(most=6).fit(data([-2, 0, 3, np.nan], [7, 7, 8, 7]))
    assert fitted.values == (6, 2)
    raw = clip([-2, 1, 3, np.nan], [8, 7, np.nan, 7])
    coded = fitted.encode(raw, {})
    np.testing.assert_array_equal(coded[0].T, [[1, 4, 6, np.nan], [2, 1, np.nan, 1]])
    np.testing.assert_array_equal(fitted.decode(coded, {}), raw)
    np.testing.assert_array_equal(fitted.log_det(raw, {}), np.where(np.isnan(raw), np.nan, 0.0))


def test_what_was_never_met_falls_into_the_outermost_tokens_and_has_no_mass():
    fitted = Tokens(most=6).fit(data([1, 2, 3]))
    raw = clip([-5, 0, 9])
    assert fitted.encode(raw, {}).ravel().tolist() == [1, 1, 3]
    assert (fitted.log_det(raw, {}) == -np.inf).all()


def test_many_whole_numbers_are_cut_at_quantiles():
    """Edges at the values of rank 0, 3 and 6 of 9; the lower median of what a bin held stands for it."""
    values = [0, 4, 5, 10, 20, 30, 40, 50, 900]
    fitted = Tokens(most=3).fit(data(values))
    assert fitted.values == (3,)
    assert fitted.edges.tolist() == [[0, 10, 40]]
    coded = fitted.encode(clip(values), {})
    assert coded.ravel().tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert fitted.decode(coded, {}).ravel().tolist() == [4, 4, 4, 20, 20, 20, 50, 50, 50]
    mass = np.exp(fitted.log_det(clip([0, 9, 10, 39, 40, 900]), {})).ravel()
    np.testing.assert_allclose(1 / mass, [10, 10, 30, 30, 861, 861])


def test_the_mass_of_all_whole_numbers_is_one():
    """sum over raw numbers of p(token) exp(log_det) is 1 for any law of tokens."""
    rng = np.random.default_rng(0)
    fitted = Tokens(most=8).fit(data(rng.poisson(40, 500)))
    law = rng.dirichlet(np.ones(fitted.values[0]))
    numbers = clip(np.arange(0, 120))
    token = fitted.encode(numbers, {}).ravel().astype(int)
    assert (law[token - 1] * np.exp(fitted.log_det(numbers, {}).ravel())).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("features", [(2,), (2, 3)])
def test_restored_from_arrays_is_the_same(features):
    values = np.random.default_rng(1).poisson(100, size=(300, *features)).astype(float)
    values[5] = np.nan
    layout = Layout(kind="series" if len(features) == 1 else "field", channels=("a", "b"))
    config = Tokens(most=10)
    fitted = config.fit(Dataset(layout=layout, recordings=(Recording.of(values),)))
    again = config.restore(fitted.to_arrays())
    coded = fitted.encode(values[None], {})
    np.testing.assert_array_equal(again.encode(values[None], {}), coded)
    np.testing.assert_array_equal(again.decode(coded, {}), fitted.decode(coded, {}))
    assert again.values == fitted.values
    assert np.nanmin(coded) == 1
    assert np.nanmax(coded) == max(fitted.values)


def test_a_channel_never_observed_has_one_token():
    fitted = Tokens().fit(data([1, 2], [np.nan, np.nan]))
    assert fitted.values == (2, 1)
    assert np.isnan(fitted.encode(clip([1.0], [np.nan]), {})[0, 0, 1])


def test_what_is_no_whole_number_is_named():
    with pytest.raises(InputError, match=r"channel 'b' holds 0\.5, which is no whole number"):
        Tokens().fit(data([1, 2], [1, 0.5]))
    with pytest.raises(InputError, match=r"channel 'a' holds 2\.25"):
        Tokens().fit(data([1, 2])).encode(clip([2.25]), {})
