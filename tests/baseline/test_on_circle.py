"""Baselines of directions: the same wherever zero lies, on the circle, and right where the law is known."""

import numpy as np
import pytest

from rheos.baseline import BASELINES, Climatology, ConstantVelocity, Persistence, RandomWalk, fitted_on
from rheos.core.circle import signed
from rheos.core.keys import Key
from rheos.data.dataset import Dataset, Layout, Recording

H = 6
FITTED = pytest.mark.parametrize(
    "method", [m() for m in BASELINES if m is not ConstantVelocity], ids=lambda m: m.kind
)


def dataset(angle, other=None, circular=True):
    values = np.stack([angle, np.zeros(len(angle)) if other is None else other], axis=1)
    layout = Layout(channels=("wind", "speed"), periods=(12,), circular=(360.0, 0.0) if circular else ())
    return Dataset(layout=layout, recordings=(Recording.of(values),))


def walking(frames=1500, start=0.0, seed=0):
    """A direction that walks around, and a speed that does not care."""
    shocks = np.random.default_rng(seed).normal(size=(2, frames))
    return (start + np.cumsum(20 * shocks[0])) % 360, shocks[1]


def forecast(method, data, members=64):
    return fitted_on(method, data, H).forecast(
        data.recordings[0], len(data.recordings[0]), Key.of(0, members)
    )


@FITTED
def test_forecasts_lie_on_the_circle_and_do_not_care_where_it_begins(method):
    one = forecast(method, dataset(*walking()))
    other = forecast(method, dataset(*walking(start=123.0)))
    assert ((one[..., 0] >= 0) & (one[..., 0] < 360)).all()
    off = np.abs(signed(other[..., 0] - one[..., 0] - 123, 360.0))
    if method.kind == "random_walk":
        assert off.max() < 1e-6
    elif not method.adds:  # the plane is regressed axis by axis, which a turn of it changes a little
        assert np.median(off) < 15


@pytest.mark.parametrize("method", [Persistence(), RandomWalk()], ids=lambda m: m.kind)
def test_the_spread_of_a_walk_is_its_own(method):
    """Steps of 20 degrees: 20 sqrt(lead) about the last direction, across the wrap as anywhere."""
    data = dataset(*walking(8000))
    last = data.recordings[0].values[-1, 0]
    gap = signed(forecast(method, data, 4000)[..., 0] - last, 360.0)
    np.testing.assert_allclose(gap.std(0), 20 * np.sqrt(np.arange(1, H + 1)), rtol=0.1)


def test_climatology_deals_the_directions_themselves():
    data = dataset(*walking())
    seen = set(data.recordings[0].values[:, 0].round(6))
    assert set(forecast(Climatology(), data)[..., 0].ravel().round(6)) <= seen


@FITTED
def test_numbers_are_left_to_the_baseline(method):
    """Without a direction the baseline itself is fitted."""
    data = dataset(*walking(), circular=False)
    plain = method.fit(data, H).forecast(data.recordings[0], 1500, Key.of(0, 8))
    np.testing.assert_array_equal(forecast(method, data, 8), plain)
    assert type(fitted_on(method, data, H)) is type(method.fit(data, H))
