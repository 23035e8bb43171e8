"""Peers of radar through a stand-in for pysteps: units, missing cells, motion, seeds, refusals."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from rheos.baseline.peer import AutoETS, Extrapolation, Steps
from rheos.baseline.peer.rain import decibels, kilometers_of, nearest, quiet, rates
from rheos.core.errors import InputError
from rheos.core.keys import Key
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.evaluation.comparison.entry import contenders_of

H = 4
GIVEN: dict = {}


def lucas_kanade(seen):
    """One cell a frame to the right."""
    print("chatter")
    GIVEN["seen"] = seen
    return np.stack([np.full(seen.shape[1:], 1.0), np.full(seen.shape[1:], 0.0)])


def moved(field, velocity, leads):
    out = np.full((leads, *field.shape), np.nan)
    for lead in range(leads):
        step = int(velocity[0, 0, 0]) * (lead + 1)
        out[lead, :, step:] = field[:, :-step]
    return out


def cascade(precip, velocity, timesteps, **options):
    GIVEN.update(options, fields=len(precip))
    draws = np.random.RandomState(options["seed"]).normal(size=(options["n_ens_members"], timesteps, 1, 1))
    return moved(precip[-1], velocity, timesteps) + draws + 0.0 * np.random.rand()  # noqa: NPY002


@pytest.fixture(autouse=True)
def library(monkeypatch):
    """pysteps as far as the peers use it."""
    motion, nowcasts = ModuleType("pysteps.motion"), ModuleType("pysteps.nowcasts")
    motion.get_method = {"LK": lucas_kanade}.__getitem__
    nowcasts.get_method = {"extrapolation": moved, "steps": cascade}.__getitem__
    for part in (ModuleType("pysteps"), motion, nowcasts, ModuleType("cv2")):
        part.__spec__ = ModuleSpec(part.__name__, None)
        monkeypatch.setitem(sys.modules, part.__name__, part)
    GIVEN.clear()


def rain(frames=12, side=16, seed=3):
    values = np.random.default_rng(seed).gamma(0.3, 3.0, (frames, 1, side, side))
    return np.where(values < 0.1, 0.0, values).astype(np.float32)


def dataset(values, unit="mm/h", frequency="5min", space=("y", "x"), coords=None):
    layout = Layout(
        kind="field",
        dims=("channel", *space),
        channels=("rain",),
        units=(unit,),
        frequency=frequency,
        coords=coords or {},
    )
    stamps = None if frequency is None else pd.date_range("2020-01-01", periods=len(values), freq=frequency)
    return Dataset(layout=layout, recordings=(Recording.of(values, stamps),))


def test_rates_in_decibels_and_back():
    raw = np.array([0.0, 0.05, 0.1, 1.0, 10.0, 100.0, np.nan])
    np.testing.assert_allclose(decibels(raw), [-15, -15, -10, 0, 10, 20, -15], atol=1e-12)
    np.testing.assert_allclose(rates(decibels(raw)), [0, 0, 0.1, 1, 10, 100, 0], rtol=1e-12)
    assert np.isnan(rates(np.array([np.nan])))[0]
    assert np.isnan(raw[-1])


def test_missing_cells_have_the_nearest_value():
    field = np.full((1, 4, 5), np.nan)
    field[0, 0, 0], field[0, 3, 4] = 2.0, 7.0
    full = nearest(field)
    assert full[0, 0, 1] == full[0, 1, 1] == 2
    assert full[0, 3, 3] == full[0, 2, 4] == 7
    assert (nearest(np.full((1, 4, 5), np.nan)) == 0).all()
    assert np.isnan(field[0, 1, 1])


def test_extrapolation_moves_the_last_field_in_its_own_units():
    values = rain()
    data = dataset(values)
    made = Extrapolation().fit(data, H).forecast(data.recordings[0], 9, Key.of(0, 3))
    assert made.shape == (3, H, 1, 16, 16)
    assert made.dtype == values.dtype
    for lead in range(1, H + 1):
        np.testing.assert_allclose(made[0, lead - 1, 0, :, lead:], values[8, 0, :, :-lead], rtol=1e-5)
        # Where the rain comes from outside, the nearest cell's goes on.
        np.testing.assert_allclose(made[0, lead - 1, 0, :, 0], values[8, 0, :, 0], rtol=1e-5)
    assert (made == made[:1]).all()


def test_steps_is_told_sizes_seed_and_units():
    data = dataset(rain(), coords={"x": np.arange(16) * 2000.0, "y": np.arange(16) * 2000.0})
    fitted = Steps().fit(data, H)
    made = fitted.forecast(data.recordings[0], 9, Key.of(0, 5))
    assert (GIVEN["n_ens_members"], GIVEN["timestep"], GIVEN["kmperpixel"]) == (5, 5.0, 2.0)
    assert (GIVEN["precip_thr"], GIVEN["n_cascade_levels"], GIVEN["fields"]) == (-10.0, 6, 3)
    assert "frames of 5 min and cells of 2 km" in fitted.notes[0]
    assert not np.array_equal(made[0], made[1])
    assert (made >= 0).all()


@pytest.mark.parametrize("peer", [Extrapolation(), Steps()], ids=lambda p: p.kind)
def test_nothing_at_or_after_the_origin_is_read_and_calls_repeat(peer, capsys):
    values = rain()
    fitted = peer.fit(dataset(values), H)
    spoilt = values.copy()
    spoilt[8:] = 99.0
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    clean = fitted.forecast(Recording.of(values), 8, Key.of(0, 4))
    np.testing.assert_array_equal(clean, fitted.forecast(Recording.of(spoilt), 8, Key.of(0, 4)))
    np.testing.assert_array_equal(GIVEN["seen"], decibels(values[5:8, 0]))
    other = fitted.forecast(Recording.of(values), 8, Key.of(1, 4))
    assert np.array_equal(clean, other) == (peer.kind == "extrapolation")
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002
    assert capsys.readouterr().out == ""
    with pytest.raises(InputError, match="needs 3 frames before a forecast, but only 2"):
        fitted.forecast(Recording.of(values), 2, Key.of(0, 2))
    with pytest.raises(InputError, match="not one of"):
        fitted.forecast(Recording.of(values, name="stranger"), 8, Key.of(0, 2))


def test_a_dry_or_missing_field_stays_dry():
    values = np.zeros((6, 1, 16, 16), np.float32)
    values[3:] = np.nan
    fitted = Steps().fit(dataset(values), H)
    assert (fitted.forecast(Recording.of(values), 6, Key.of(0, 4)) == 0).all()


def test_what_is_no_field_of_rain_is_refused():
    values = rain()
    with pytest.raises(InputError, match="'rain' is in 'mm'"):
        Steps().fit(dataset(values, unit="mm"), H)
    with pytest.raises(InputError, match="minutes between frames"):
        Steps().fit(dataset(values, frequency=None), H)
    with pytest.raises(InputError, match="two axes in space"):
        Extrapolation().fit(dataset(values[..., 0], space=("y",)), H)
    assert Steps(minutes=10).fit(dataset(values, frequency=None), H).minutes == 10


def test_steps_and_cells_are_read_from_stamps_and_coordinates():
    values = rain()
    assert Steps().fit(dataset(values, frequency="h"), H).minutes == 60
    for name, spacing, kilometers in (("y", 2.0, 2.0), ("y", 1000.0, 1.0), ("lat", 0.25, 27.8)):
        coords = {name: np.arange(16) * spacing}
        layout = dataset(values, space=(name, "x"), coords=coords).layout
        assert kilometers_of(layout) == pytest.approx(kilometers)
    assert kilometers_of(dataset(values).layout) is None
    assert "1 km, for want of coordinates" in Steps().fit(dataset(values), H).notes[0]


def test_a_library_leaves_the_global_stream_alone():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    with quiet(7):
        first = np.random.rand()  # noqa: NPY002
    with quiet(7 + 2**32):
        assert np.random.rand() == first  # noqa: NPY002
    with quiet(8):
        assert np.random.rand() != first  # noqa: NPY002
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002


def test_limits_are_told_and_peers_means_those_that_suit():
    assert "Lucas-Kanade from the last 3 frames" in Extrapolation().limits
    assert "6 cascade levels" in Steps().limits
    field = {c.name for c in contenders_of(["peers"], {}, None, dataset(rain()).layout)}
    series = {c.name for c in contenders_of(["peers"], {}, None, Layout(channels=("a",), units=("mm/h",)))}
    assert {"steps", "extrapolation"} <= field
    assert series == field - {"steps", "extrapolation"}
    assert AutoETS().kind in series


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("rheos.baseline.peer.base.find_spec", lambda name: None)
    with pytest.raises(
        InputError, match=r"steps needs pysteps and cv2; install it with pip install 'rheos\[radar"
    ):
        Steps().fit(dataset(rain()), H)
