"""Directions: no jump at the wrap, exact there and back, and what looks like one is offered, not assumed."""

import numpy as np
import pandas as pd
import pytest

from rheos.core.circle import mean_direction, signed, wrapped
from rheos.core.errors import InputError
from rheos.data.anchor import Persistence
from rheos.data.bounds import Bounds
from rheos.data.circle import Circle
from rheos.data.codec import Chain, Scale
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.direction import period_of
from rheos.data.inspect import inspect
from rheos.data.reader import read
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowSpec

RNG = np.random.default_rng(0)
BOTH = Circle((0.0, 360.0, 24.0))


def turning(frames=200, step=7.0):
    """A speed, a direction that turns at a constant rate, and an hour of the day that does too."""
    frame = np.arange(frames)
    return np.stack([np.sin(frame / 5), (step * frame + 350) % 360, (0.5 * frame) % 24], axis=1)


def data(values, circular=BOTH.period):
    layout = Layout(channels=("speed", "direction", "hour"), circular=circular)
    return Dataset(layout=layout, recordings=(Recording.of(values),))


def test_signed_differences_are_the_short_way_round():
    """Against the angle of a complex number."""
    a, b = RNG.uniform(-900, 900, size=(2, 1000))
    turn = np.exp(1j * np.radians(a)) / np.exp(1j * np.radians(b))
    np.testing.assert_allclose(signed(a - b, 360.0), np.degrees(np.angle(turn)), atol=1e-9)
    assert np.isnan(signed(np.array([np.nan]), 360.0)).all()


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_wrapped_values_stay_below_the_period(kind):
    values = np.array([-1e-12, -1e-4, 0, 359.99999, 360, 725, -725], kind)
    found = wrapped(values, 360.0)
    assert found.dtype == kind
    assert ((found >= 0) & (found < 360)).all()
    np.testing.assert_allclose(np.exp(1j * np.radians(found)), np.exp(1j * np.radians(values)), atol=1e-6)


def test_the_mean_direction_is_that_of_the_vectors():
    values = np.array([[350.0, 90], [20, 100], [5, 101]])
    vectors = np.exp(1j * np.radians(values)).mean(0)
    np.testing.assert_allclose(mean_direction(values, 360.0, 0), np.degrees(np.angle(vectors)) % 360)


@pytest.mark.parametrize("space", [(), (3, 2)])
def test_there_and_back_is_exact(space):
    values = RNG.uniform(0, 24, size=(4, 6, 3, *space))
    values[:, :, 1] *= 15
    values[0, 0, 1] = np.nan
    lifted = BOTH.lifted(values)
    assert lifted.shape == (4, 6, 5, *space)
    np.testing.assert_array_equal(lifted[:, :, 0], values[:, :, 0])
    np.testing.assert_allclose(lifted[:, :, 1] ** 2 + lifted[:, :, 2] ** 2, 1 + 0 * values[:, :, 1])
    np.testing.assert_allclose(BOTH.lowered(lifted), values, atol=1e-12)


def test_a_uniform_turn_has_no_jump():
    """Every step in the plane is the chord of one angle, and it lowers to the turn itself."""
    values = turning()
    lifted = BOTH.lifted(values, 1)
    step = np.hypot(*np.diff(lifted[:, 1:3], axis=0).T)
    np.testing.assert_allclose(step, 2 * np.sin(np.radians(3.5)), rtol=1e-12)
    assert np.ptp(np.diff(values[:, 1])) == 360
    np.testing.assert_allclose(signed(np.diff(BOTH.lowered(lifted, 1)[:, 1]), 360.0), 7, atol=1e-9)


def test_points_off_the_circle_become_the_nearest_on_it():
    points = RNG.normal(size=(50, 1, 2))
    found = Circle((360.0,)).lowered(points)[:, 0, 0]
    many = np.arange(0, 360, 0.01)
    distance = np.hypot(points[..., 0] - np.cos(np.radians(many)), points[..., 1] - np.sin(np.radians(many)))
    np.testing.assert_allclose(signed(found - many[distance.argmin(1)], 360.0), 0, atol=0.011)


def test_persistence_is_right_across_the_wrap():
    """The anchor of every window, lowered, is the last value, wherever on the circle it lies."""
    lifted = BOTH.lift(data(turning()))
    codec = Chain(links=(Scale(),)).fit(lifted)
    source = WindowSource(lifted, WindowSpec(history=4, horizon=3), codec)
    anchor = Persistence().fit(source, np.arange(len(source)))
    batch = source.batch(np.arange(len(source)))
    raw = BOTH.lowered(codec.decode(anchor.future(batch).astype(float), batch.state))
    last = turning()[source.origin - 1][:, None]
    np.testing.assert_allclose(signed(raw[:, :, 1] - last[:, :, 1], 360.0), 0, atol=1e-4)
    np.testing.assert_allclose(signed(raw[:, :, 2] - last[:, :, 2], 24.0), 0, atol=1e-5)


def test_lifting_reads_no_other_frame():
    values = turning()
    changed = values.copy()
    changed[100:] = RNG.uniform(0, 24, size=changed[100:].shape)
    one, other = (BOTH.lift(data(v)).recordings[0].values for v in (values, changed))
    np.testing.assert_array_equal(one[:100], other[:100])


def test_the_line_about_a_middle():
    members = np.array([350.0, 10, 20, 5])[:, None, None] * [[1.0]]
    circle = Circle((360.0,))
    middle = circle.middle(members)
    straight = circle.about(members, middle)
    np.testing.assert_allclose(np.sort(straight.ravel() - straight.mean()), [-16.25, -1.25, 3.75, 13.75])
    np.testing.assert_allclose(circle.wrap(straight), members)
    nothing = Circle()
    assert nothing.about(members, nothing.middle(members)) is members
    assert nothing.wrap(members) is members


def test_a_direction_has_no_limits():
    values = np.where(np.arange(200)[:, None] % 3 == 0, 0.0, turning())
    assert Bounds.of(data(values), "auto").words(("speed", "direction", "hour")) == {}
    assert Bounds.of(data(values, (0.0, 0.0, 24.0)), "auto").words(("speed", "direction", "hour")) == {
        "direction": (0, None)
    }
    with pytest.raises(InputError, match="a direction has no limits"):
        Bounds.of(data(values), {"direction": (0, 360)})


@pytest.mark.parametrize(
    ("name", "unit", "low", "high", "period"),
    [
        ("wind_direction", "", 0, 359, 360),
        ("Wind Dir", "", 1, 360, 360),
        ("wdir", "degrees", 0, 360, 360),
        ("heading", "rad", 0, 6.28, 2 * np.pi),
        ("theta", "deg", 0.5, 358, 360),
        ("temperature", "degC", 0, 300, None),
        ("wind_direction", "", 170, 260, None),
        ("wind_direction", "", -180, 180, None),
        ("wind_direction", "m/s", 0, 359, None),
        ("dirt", "", 0, 359, None),
        ("directors", "", 0, 900, None),
    ],
)
def test_what_looks_like_a_direction(name, unit, low, high, period):
    assert period_of(name, unit, low, high) == period


def table():
    frame = pd.DataFrame(turning(), columns=["speed", "wind direction", "hour"])
    frame.insert(0, "time", pd.date_range("2021-01-01", periods=len(frame), freq="h"))
    return frame


def test_inspect_offers_and_assumes_nothing():
    offered = [p for p in inspect(table()).problems if p.mend]
    assert [p.mend for p in offered] == ["'circular.wind direction'=360"]
    assert "'wind direction' runs from 1 to 358 as a direction does" in offered[0].what
    assert read(table()).layout.circular == (0, 0, 0)
    accepted = {"circular": {"wind direction": 360}}
    assert read(table(), accepted).layout.circular == (0, 360, 0)
    assert not [p for p in inspect(table(), accepted).problems if p.mend]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"circular": {"wind": 360}}, "names no target of .* did you mean 'wind direction'|there is"),
        ({"circular": {"wind direction": 0}}, r"circular\.wind direction=0 cannot be used"),
        ({"circular": {"wind direction": 360}, "resample": "2h"}, "is a direction, whose average"),
    ],
)
def test_mistakes_are_one_sentence(options, message):
    with pytest.raises(InputError, match=message):
        read(table(), options)
