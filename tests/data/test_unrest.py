"""The unrest of anchors: a power law of the scale recovered, calm and restless series told apart, kept."""

import numpy as np
import pytest

from rheos.data.anchor import Persistence, Ridge
from rheos.data.anchor.unrest import Unrest, unrest
from rheos.data.codec import Scale
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowSpec

BLOCK = np.arange(3000) * 6 // 3000


def source_of(*series, lags=(), history=6, horizon=3, mode="global"):
    layout = Layout(channels=("a",))
    recordings = (Recording.of(v[:, None], name=str(i)) for i, v in enumerate(series))
    data = Dataset(layout=layout, recordings=tuple(recordings))
    spec = WindowSpec(history=history, horizon=horizon, lags=lags)
    return WindowSource(data, spec, Scale(mode=mode).fit(data))


def everything(source):
    return np.arange(len(source))


@pytest.mark.parametrize("power", [0.25, 0.5, 1.0])
def test_a_power_law_is_recovered(power):
    """Residuals of deviation 2 (q / q_0)^beta, 4 a window: beta to the grid's step, the factor to 5 %."""
    rng = np.random.default_rng(0)
    size = np.exp(rng.normal(size=(3000, 1)))
    residual = 2.0 * size**power * rng.normal(size=(3000, 4))
    square = (residual**2).sum(1, keepdims=True)
    found = Unrest.measure(size, square, np.full_like(square, 4), BLOCK)
    assert found.power == pytest.approx([power], abs=0.125)
    level = found.factor * found.usual**-found.power
    assert level == pytest.approx([2.0], rel=0.05)
    # What it divides by leaves unit variance.
    left = square / (found.factor * (size / found.usual) ** found.power) ** 2
    assert left.mean() / 4 == pytest.approx(1.0, abs=0.01)


def test_nothing_is_found_where_nothing_is():
    """Of 40 variables whose scale is constant 2 in 100 pass on average, 9 or more by a chance below 1e-6."""
    rng = np.random.default_rng(1)
    size = np.exp(rng.normal(size=(3000, 40)))
    square = (rng.normal(size=(3000, 40, 4)) ** 2).sum(-1)
    found = Unrest.measure(size, square, np.full_like(square, 4), BLOCK)
    assert found is None or (found.power > 0).sum() <= 8
    assert Unrest.measure(size[:, :1], 0 * square[:, :1], np.full((3000, 1), 4.0), BLOCK) is None


def test_one_lucky_stretch_is_not_enough():
    """A scale that follows history in one block of six, and not in the others, is left alone."""
    rng = np.random.default_rng(2)
    size = np.exp(rng.normal(size=(3000, 1)))
    power = np.where(BLOCK == 5, 1.0, 0.0)[:, None]
    square = ((size**power)[..., None] * rng.normal(size=(3000, 1, 4))) ** 2
    assert Unrest.measure(size, square.sum(-1), np.full((3000, 1), 4.0), BLOCK) is None


def test_unrest_is_the_distance_from_the_season():
    """By hand: history less lagged values, and without lags the steps; missing entries left out."""
    values = np.arange(40.0) ** 2
    values[17] = np.nan
    source = source_of(values, lags=(4,), history=5)
    batch = source.batch(np.array([list(source.origin).index(20)]))
    frames = np.array([15, 16, 18, 19])
    away = (values[frames] - values[frames - 4]) / source.codec.scale[0]
    assert unrest(batch)[0, 0] == pytest.approx(np.sqrt(np.mean(away**2)), rel=1e-5)
    source = source_of(values, history=5)
    batch = source.batch(np.array([list(source.origin).index(20)]))
    steps = np.array([values[16] - values[15], values[19] - values[18]]) / source.codec.scale[0]
    assert unrest(batch)[0, 0] == pytest.approx(np.sqrt(np.mean(steps**2)), rel=1e-5)


def test_calm_and_restless_series_are_told_apart():
    """White noise of deviation 0.1 and 2 on one season: each one's windows have scales near its own."""
    rng, season = np.random.default_rng(3), 5 * np.sin(2 * np.pi * np.arange(800) / 3)
    series = [season + deviation * rng.normal(size=800) for deviation in (0.1, 2.0)]
    source = source_of(*series, lags=(3,), history=24)
    fitted = Ridge().fit(source, everything(source))
    batch = source.batch(everything(source))
    _, scale = fitted(batch)
    for i, deviation in enumerate((0.1, 2.0)):
        mine = scale[batch.sequence == i][:, 24:]
        assert np.median(mine) * source.codec.scale[0] == pytest.approx(deviation, rel=0.25)
    assert fitted.spread(batch) == pytest.approx(scale[:, 24:])


def test_it_is_kept_with_the_anchor():
    rng = np.random.default_rng(4)
    source = source_of(0.1 * rng.normal(size=400), 2 * rng.normal(size=400), history=12)
    fitted = Persistence().fit(source, everything(source))
    assert fitted.unrest is not None
    again = Persistence().restore(fitted.to_arrays())
    batch = source.batch(np.arange(5))
    for one, other in zip(fitted(batch), again(batch), strict=True):
        assert np.array_equal(one, other)


def test_a_history_without_a_word_has_the_usual_scale():
    found = Unrest(usual=np.array([1.0]), power=np.array([0.5]), factor=np.array([0.8]))
    source = source_of(np.full(40, np.nan), history=5)
    assert found(source.at(0, 20)) == pytest.approx(np.full((1, 1, 1), 0.8), rel=1e-6)
    still = source_of(np.zeros(40), history=5)
    assert found(still.batch(np.array([0]))).min() > 0.1
