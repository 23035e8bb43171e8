"""The rhythm of anchors: variances by phase recovered, shrinkage by hand, stored and read back."""

import numpy as np
import pandas as pd
import pytest

from rheos.data.anchor import NoAnchor, Persistence, Ridge
from rheos.data.anchor.base import scattered
from rheos.data.anchor.rhythm import Rhythm, _ratio
from rheos.data.calendar import shortest_cycle
from rheos.data.codec import Scale
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowSpec


def source_of(values, periods=(6,), stamps=None, frequency=None, history=4, horizon=3):
    layout = Layout(channels=("a",), periods=periods, frequency=frequency)
    data = Dataset(layout=layout, recordings=(Recording.of(values, stamps),))
    return WindowSource(data, WindowSpec(history=history, horizon=horizon), Scale().fit(data))


def everything(source):
    return np.arange(len(source))


def test_variances_by_phase_are_recovered():
    """White noise of deviation s_p at phase p: a ridge finds the mean, scale times ratio finds s_p."""
    deviation = np.array([2.0, 1.0, 0.5, 0.2, 1.0, 1.5])
    values = np.random.default_rng(0).normal(size=(6000, 1)) * np.tile(deviation, 1000)[:, None]
    source = source_of(values)
    fitted = Ridge().fit(source, everything(source))
    batch = source.batch(np.arange(6))
    _, scale = fitted(batch)
    target = batch.origin[:, None] + np.arange(3)
    expected = deviation[target % 6] / source.codec.scale[0]
    # 500 turns against a prior of 2, which still shows in the quietest phase.
    np.testing.assert_allclose(scale[:, 4:, 0], expected, rtol=0.09)


def test_canonical_futures_have_unit_variance_at_every_phase():
    deviation = np.array([2.0, 1.0, 0.5, 0.2, 1.0, 1.5])
    values = np.random.default_rng(1).normal(size=(6000, 1)) * np.tile(deviation, 1000)[:, None]
    source = source_of(values)
    batch = source.batch(everything(source))
    anchor, scale = Ridge().fit(source, everything(source))(batch)
    canonical = ((batch.future - anchor[:, 4:]) / scale[:, 4:])[..., 0]
    phase = (batch.origin[:, None] + np.arange(3)) % 6
    for p in range(6):
        assert np.sqrt((canonical[phase == p] ** 2).mean()) == pytest.approx(1, abs=0.09)


def test_ratios_are_drawn_toward_one_by_hand():
    """Two phases, 4 and 1 observations of mean square 4 and 1; usual (16 + 1) / 5; prior worth 2."""
    ratio = _ratio(np.array([[16.0], [1.0]]), np.array([[4.0], [1.0]]))
    usual = 17 / 5
    drawn = np.array([(16 / usual + 2) / 6, (1 / usual + 2) / 3])
    drawn /= (6 * drawn[0] + 3 * drawn[1]) / 9
    np.testing.assert_allclose(ratio[:, 0], np.sqrt(drawn))


def test_cells_are_drawn_toward_their_channel():
    """A cell seen never has its channel's rhythm; one seen often has its own."""
    square = np.array([4.0, 1.0])[:, None, None] * np.array([0.0, 1000.0])
    count = np.ones((2, 1, 1)) * np.array([0.0, 1000.0])
    ratio = _ratio(square, count)[:, 0]
    np.testing.assert_allclose(ratio[:, 0], ratio[:, 1], rtol=0.01)
    np.testing.assert_allclose(ratio[0] / ratio[1], 2, rtol=0.01)


def test_a_silent_phase_has_a_floor():
    ratio = _ratio(np.array([[0.0], [1e6]]), np.full((2, 1), 1e6))
    assert ratio[0, 0] == pytest.approx(0.05)


def test_phases_of_an_hour_and_of_a_month():
    hours = pd.date_range("2021-03-01 05:00", periods=200, freq="h")
    source = source_of(np.random.default_rng(0).normal(size=(200, 1)), (), hours, "h")
    rhythm = Persistence().fit(source, everything(source)).rhythm
    assert len(rhythm.ratio) == 24
    batch = source.batch(np.array([0]))
    first = hours[batch.origin[0]].hour
    assert rhythm.phase(batch.calendar[:, 4:])[0].tolist() == [(first + k) % 24 for k in range(3)]
    months = pd.date_range("2001-01-01", periods=90, freq="MS")
    source = source_of(np.random.default_rng(0).normal(size=(90, 1)), (), months, "MS")
    rhythm = Persistence().fit(source, everything(source)).rhythm
    batch = source.batch(everything(source))
    expected = (months.month.values - 1)[batch.origin[:, None] + np.arange(3)]
    assert np.array_equal(rhythm.phase(batch.calendar[:, 4:]), expected)


@pytest.mark.parametrize(
    ("frequency", "periods", "expected"),
    [
        ("30min", (), ("day", 48)),
        ("D", (), ("week", 7)),
        ("B", (), ("week", 7)),
        ("MS", (), ("year", 12)),
        (None, (10, 70), ("period10", 10)),
        (None, (), None),
    ],
)
def test_the_shortest_cycle(frequency, periods, expected):
    assert shortest_cycle(frequency, periods) == expected


def test_the_windows_looked_at_are_of_all_phases():
    """A stride of the cycle's own length would see one phase only."""
    kept = scattered(np.arange(600), 100)
    assert np.array_equal(kept, scattered(np.arange(600), 100))
    assert (np.diff(kept) > 0).all()
    assert (np.bincount(kept % 6, minlength=6) > 8).all()
    assert np.array_equal(scattered(np.arange(5), 9), np.arange(5))


def test_without_a_cycle_or_an_anchor_there_is_no_rhythm():
    values = np.random.default_rng(0).normal(size=(50, 1))
    source = source_of(values, periods=())
    assert Persistence().fit(source, everything(source)).rhythm is None
    source = source_of(values)
    assert NoAnchor().fit(source, everything(source)).rhythm is None


def test_restored_from_arrays_is_the_same():
    source = source_of(np.random.default_rng(0).normal(size=(200, 1)))
    fitted = Persistence().fit(source, everything(source))
    again = Persistence().restore(fitted.to_arrays())
    batch = source.batch(np.arange(5))
    assert isinstance(again.rhythm, Rhythm)
    assert np.array_equal(fitted(batch)[1], again(batch)[1])
