"""Physical limits: found where they are atoms, declared by name, projected on, and never a worse CRPS."""

import numpy as np
import pytest

from rheos.core.errors import InputError
from rheos.data.bounds import Bounds, told
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.score import crps


def data(**columns):
    values = np.stack([np.asarray(c, float) for c in columns.values()], axis=1)
    return Dataset(layout=Layout(channels=tuple(columns)), recordings=(Recording.of(values),))


RNG = np.random.default_rng(0)
RAIN = np.maximum(RNG.normal(size=1000) - 1, 0)
WIND = RNG.normal(size=1000)
CLOUD = np.clip(RNG.normal(size=1000) + 0.5, 0, 1)


def test_extremes_that_are_atoms_are_limits():
    bounds = Bounds.of(data(rain=RAIN, wind=WIND, cloud=CLOUD, still=np.ones(1000)), "auto")
    assert bounds.lower.tolist() == [0, -np.inf, 0, -np.inf]
    assert bounds.upper.tolist() == [np.inf, np.inf, 1, np.inf]
    assert bounds.words(("rain", "wind", "cloud", "still")) == {"rain": (0, None), "cloud": (0, 1)}


@pytest.mark.parametrize(("count", "found"), [(19, False), (25, True)])
def test_an_extreme_met_by_chance_is_no_limit(count, found):
    """Of 1000 values at least 20 and 2 % must be the lowest one."""
    values = np.concatenate([np.full(count, -3.0), RNG.uniform(-2, 2, 1000 - count)])
    assert np.isfinite(Bounds.of(data(a=values), "auto").lower[0]) == found


@pytest.mark.parametrize("step", [0.5, 1.0])
def test_rounding_makes_no_limits(step):
    """The tails of a law without limits, rounded: its extremes come often, the values beside them oftener."""
    values = step * np.round(np.clip(RNG.normal(size=2000) / step, -1.9 / step, 2.2 / step)) + 20
    counts = np.unique(values, return_counts=True)[1]
    assert counts[0] > 40
    assert counts[-1] > 40
    assert not Bounds.of(data(temperature=values), "auto").any


def test_values_as_likely_as_those_beside_them_are_no_limits():
    thrown = np.random.default_rng(3).integers(1, 7, size=(200, 40))
    limited = [Bounds.of(data(a=column), "auto").any for column in thrown.T.astype(float)]
    # By chance an extreme is 2 deviations oftener than its neighbor once in 44.
    assert np.mean(limited) < 0.2


def test_rounded_values_have_the_limits_of_the_law():
    humidity = np.round(np.clip(RNG.normal(90, 10, size=2000), 0, 100))
    assert Bounds.of(data(humidity=humidity), "auto").words(("humidity",)) == {"humidity": (None, 100)}
    showers = RNG.poisson(3.0, size=2000).astype(float)
    assert Bounds.of(data(showers=showers), "auto").words(("showers",)) == {"showers": (0, None)}


def test_missing_values_are_no_extremes():
    values = np.where(np.arange(1000) % 3 == 0, np.nan, RAIN)
    assert Bounds.of(data(rain=values), "auto").lower[0] == 0


def test_declared_limits_are_taken_and_nothing_else():
    bounds = Bounds.of(data(rain=RAIN, wind=WIND), {"wind": (-10, 10)})
    assert bounds.words(("rain", "wind")) == {"wind": (-10, 10)}
    assert not Bounds.of(data(rain=RAIN), "none").any


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"rainn": (0, None)}, "did you mean 'rain'"),
        ({"wind": (0, None)}, "training values lie outside, such as"),
        ({"wind": (9, -9)}, "the first must be below the second"),
    ],
)
def test_mistakes_are_one_sentence(wanted, message):
    with pytest.raises(InputError, match=message):
        Bounds.of(data(rain=RAIN, wind=WIND), wanted)


def test_limits_are_told_in_words():
    assert told({"rain": (0.0, None), "cloud": (0.0, 1.0)}) == "rain in [0, ], cloud in [0, 1]"
    assert told(dict.fromkeys("abc", (0.0, None)), most=2) == "a in [0, ], b in [0, ], ..."


@pytest.mark.parametrize("space", [(), (3, 2)])
def test_projection_by_channel(space):
    bounds = Bounds(np.array([0.0, -np.inf]), np.array([np.inf, 0.5]))
    values = RNG.normal(size=(5, 4, 2, *space)).astype(np.float32)
    values[0, 0] = np.nan
    copy = values.copy()
    inside = bounds.clip(values)
    assert inside.dtype == np.float32
    np.testing.assert_array_equal(values, copy)
    np.testing.assert_array_equal(inside[:, :, 0], np.maximum(values[:, :, 0], 0))
    np.testing.assert_array_equal(inside[:, :, 1], np.minimum(values[:, :, 1], 0.5))
    seen = values[:, :, 1][np.isfinite(values[:, :, 1])]
    assert bounds.outside(values)[1] == pytest.approx((seen > 0.5).mean())


def test_projection_never_makes_the_score_worse():
    """Truth obeys the limit, so each window's CRPS falls or stays, for any ensemble."""
    bounds = Bounds(np.zeros(1), np.ones(1))
    members = RNG.normal(size=(40, 300, 1)) * 2
    truth = RNG.uniform(0, 1, size=(300, 1)) * (RNG.uniform(size=(300, 1)) > 0.5)
    plain = crps(members, truth, "plain")
    projected = crps(bounds.clip(members), truth, "plain")
    assert (projected <= plain + 1e-12).all()
    assert projected.mean() < 0.7 * plain.mean()
