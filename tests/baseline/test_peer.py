"""Peers through stand-ins with the libraries' interface: their members follow the law of the model given."""

import logging
import sys
import time
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from rheos.baseline.peer import PEERS, AutoARIMA, AutoETS, DeepAR, PatchTST
from rheos.baseline.peer.base import filled
from rheos.baseline.peer.deadline import OutOfTimeError, deadline
from rheos.baseline.peer.trained import period_frequency
from rheos.baseline.peer.univariate import LastValue, paths, responses, seasons
from rheos.core.errors import InputError
from rheos.core.keys import Key
from rheos.data.dataset import Dataset, Layout, Recording

PHI, H = 0.8, 6


class Autoregression:
    """As statsforecast's models: an AR(1) whose coefficient is known, about a mean of 0."""

    def __init__(self, season_length=1):
        self.season_length = season_length

    def fit(self, y):
        assert np.isfinite(y).all()
        return self

    def forward(self, y, h, fitted=False):
        assert np.isfinite(y).all()
        told = {"mean": y[-1] * PHI ** np.arange(1, h + 1)}
        return told | ({"fitted": np.concatenate(([y[0]], PHI * y[:-1]))} if fitted else {})


class Sleeper(Autoregression):
    """Searches until it is told to stop, and does not listen to what its own handlers catch."""

    def fit(self, y):
        while True:
            try:
                time.sleep(0.01)
            except Exception:
                continue


class Broken(Autoregression):
    def fit(self, y):
        raise ValueError("no suitable model")


def mstl(x, period, stl_kwargs):
    """Means of the phases, one period after the other."""
    parts = {}
    for p in period:
        phase = np.arange(len(x)) % p
        means = np.array([x[phase == i].mean() for i in range(p)])
        name = f"seasonal{p}" if len(period) > 1 else "seasonal"
        parts[name] = means[phase] - means.mean()
        x = x - parts[name]
    return pd.DataFrame(parts)


def module(name, **content):
    made = ModuleType(name)
    made.__spec__ = ModuleSpec(name, None)
    for key, value in content.items():
        setattr(made, key, value)
    return made


@pytest.fixture(autouse=True)
def library(monkeypatch):
    """statsforecast and GluonTS as far as the peers use them."""
    models = module("statsforecast.models", AutoARIMA=Autoregression, AutoETS=Autoregression)
    estimators = module("gluonts.torch", DeepAREstimator=Estimator, PatchTSTEstimator=Estimator)
    Estimator.made = []
    for part in (
        module("statsforecast"),
        models,
        module("statsforecast.mstl", mstl=mstl),
        module("gluonts"),
        estimators,
        module("lightning"),
    ):
        monkeypatch.setitem(sys.modules, part.__name__, part)
    return models


class Estimator:
    """As GluonTS' estimators: notes what it is given; its samples say who, when and which draw."""

    made: list

    def __init__(self, **given):
        self.given = given
        self.made.append(self)

    def train(self, series):
        self.series = list(series)
        logging.getLogger("lightning").warning("chatter")
        self.weight = (torch.rand(()).item(), np.random.rand())  # noqa: NPY002
        return self

    def predict(self, dataset, num_samples=None):
        self.asked = list(dataset)
        for item in self.asked:
            draws = torch.randn(num_samples, self.given["prediction_length"]).numpy()
            samples = draws + 100 * float(item["item_id"])
            whole = SimpleNamespace(samples=samples)
            if "freq" in self.given:
                yield whole
            else:
                yield SimpleNamespace(to_sample_forecast=lambda count, made=whole: made)


def dataset(values, periods=(), frequency=None, stamps=None):
    names = tuple(f"c{i}" for i in range(values.shape[1]))
    layout = Layout(channels=names, periods=periods, frequency=frequency)
    return Dataset(layout=layout, recordings=(Recording.of(values, stamps),))


def autoregressions(frames=3000):
    """Two AR(1) whose shocks have correlation 0.8."""
    shocks = np.random.default_rng(1).normal(size=(frames, 2)) @ np.linalg.cholesky([[1, 0.8], [0.8, 1]]).T
    out = np.zeros((frames, 2))
    for t in range(1, frames):
        out[t] = PHI * out[t - 1] + shocks[t]
    return out


def test_responses_are_the_moving_average_weights():
    y = autoregressions(50)[:, 0]
    mean = Autoregression().forward(y, H)["mean"]
    np.testing.assert_allclose(responses(Autoregression(), y, mean, 0.3), PHI ** np.arange(H), atol=1e-12)
    assert (responses(LastValue(), y, np.repeat(y[-1], H), 1.0) == 1).all()


def test_paths_are_those_of_the_recursion():
    shocks = np.random.default_rng(2).normal(size=(7, H))
    last, here = 2.0, np.full(7, 2.0)
    made = paths(last * PHI ** np.arange(1, H + 1), PHI ** np.arange(H), shocks)
    for lead in range(H):
        here = PHI * here + shocks[:, lead]
        np.testing.assert_allclose(made[:, lead], here)


@pytest.mark.parametrize("peer", [AutoARIMA(), AutoETS()], ids=lambda p: p.kind)
def test_members_have_the_joint_law_of_the_model(peer):
    values = autoregressions()
    data = dataset(values)
    members = peer.fit(data, H).forecast(data.recordings[0], 3000, Key.of(0, 4000))
    leads = np.arange(1, H + 1)
    variance = (1 - PHI ** (2 * leads)) / (1 - PHI**2)
    np.testing.assert_allclose(members[:, :, 0].mean(0), PHI**leads * values[-1, 0], atol=0.12)
    np.testing.assert_allclose(members[:, :, 0].var(0), variance, rtol=0.1)
    between = np.corrcoef(members[:, -2, 1], members[:, -1, 1])[0, 1]
    assert between == pytest.approx(PHI * np.sqrt(variance[-2] / variance[-1]), abs=0.02)
    # Shocks that come together stay together, at every lead.
    assert np.corrcoef(members[:, -1].T)[0, 1] == pytest.approx(0.8, abs=0.03)


def test_only_the_last_points_count():
    values = autoregressions(600)
    values[:400] *= 50
    members = (
        AutoARIMA(points=100).fit(dataset(values), H).forecast(Recording.of(values), 600, Key.of(0, 500))
    )
    assert np.abs(members).max() < 20


def test_seasons_go_on_at_their_phase():
    t = np.arange(200)
    wave = np.stack([np.sin(2 * np.pi * t / 20), np.cos(2 * np.pi * t / 50)]).sum(0)
    inside, ahead = seasons(wave[:170], (20, 50), 30)
    np.testing.assert_allclose(inside, wave[:170], atol=0.15)
    np.testing.assert_allclose(ahead, wave[170:], atol=0.15)


@pytest.mark.parametrize(
    ("periods", "season", "outside"), [((12,), 12, ()), ((24,), 1, (24,)), ((5, 24), 1, (5, 24))]
)
def test_short_seasons_are_the_models_own(periods, season, outside):
    fitted = AutoARIMA().fit(dataset(autoregressions(300), periods), H)
    assert fitted.models[""][0].season_length == season
    assert fitted.periods[""] == outside


def test_a_season_is_forecast_beside_the_model():
    t = np.arange(1500)
    values = autoregressions(1500) + 30 * np.sin(2 * np.pi * t / 24)[:, None]
    members = AutoETS().fit(dataset(values, (24,)), 24).forecast(Recording.of(values), 1400, Key.of(0, 200))
    gap = members.mean(0) - 30 * np.sin(2 * np.pi * (1400 + np.arange(24)) / 24)[:, None]
    assert np.abs(gap).max() < 3


def test_gaps_constants_and_what_never_was_observed():
    values = np.concatenate((autoregressions(400), np.full((400, 1), 7.0), np.full((400, 1), np.nan)), axis=1)
    values[50:60, 0] = np.nan
    values[-3:, 1] = np.nan
    members = AutoARIMA().fit(dataset(values), H).forecast(Recording.of(values), 400, Key.of(0, 20))
    assert np.isfinite(members[..., :3]).all()
    assert (members[..., 2] == 7).all()
    assert np.isnan(members[..., 3]).all()
    np.testing.assert_allclose(filled(np.array([np.nan, 1, np.nan, np.nan, 4, np.nan])), [1, 1, 2, 3, 4, 4])


@pytest.mark.parametrize("peer", [AutoARIMA(), AutoETS(), DeepAR(), PatchTST()], ids=lambda p: p.kind)
def test_nothing_at_or_after_the_origin_is_read_and_calls_repeat(peer):
    stamps = pd.date_range("2020-01-01", periods=400, freq="h")
    values = autoregressions(400)
    fitted = peer.fit(dataset(values[:300], (24,), "h", stamps[:300]), H)
    spoilt = values.copy()
    spoilt[350:] = 1e9
    clean = fitted.forecast(Recording.of(values, stamps), 350, Key.of(0, 8))
    assert clean.shape == (8, H, 2)
    np.testing.assert_array_equal(clean, fitted.forecast(Recording.of(spoilt, stamps), 350, Key.of(0, 8)))
    assert not np.array_equal(clean, fitted.forecast(Recording.of(values, stamps), 350, Key.of(1, 8)))
    with pytest.raises(InputError, match="not one of"):
        fitted.forecast(Recording.of(values, stamps, "stranger"), 350, Key.of(0, 2))


@pytest.mark.parametrize("search", [Sleeper, Broken])
def test_a_search_that_fails_is_counted_and_replaced(search, library, monkeypatch):
    monkeypatch.setattr(library, "AutoARIMA", search)
    values = autoregressions(200)
    fitted = AutoARIMA(seconds=0.2).fit(dataset(values), H)
    assert fitted.notes == ("the search failed for 2 of 2 series; a random walk took its place",)
    members = fitted.forecast(Recording.of(values), 200, Key.of(0, 3000))
    steps = np.diff(values[20:, 0])
    np.testing.assert_allclose(members[:, :, 0].var(0), steps.var() * np.arange(1, H + 1), rtol=0.15)


def test_a_deadline_leaves_nothing_behind():
    with pytest.raises(OutOfTimeError), deadline(0.05):
        time.sleep(5)
    with deadline(0.05):
        pass
    time.sleep(0.1)


@pytest.mark.parametrize("peer", [kind() for kind in PEERS], ids=lambda p: p.kind)
def test_a_package_that_is_missing_is_named_with_its_remedy(peer, monkeypatch):
    monkeypatch.setattr("rheos.baseline.peer.base.find_spec", lambda name: None)
    with pytest.raises(InputError, match=rf"pip install 'rheos\[{peer.extra}\]'"):
        peer.fit(dataset(autoregressions(100)), H)


def test_limits_are_told():
    assert "last 2000 points, at most 60 s a series" in AutoARIMA().limits
    assert "at most 90 s" in DeepAR(time="90s").limits


def test_networks_are_given_every_series_and_keep_its_gaps():
    values = np.concatenate((autoregressions(300), np.full((300, 1), np.nan)), axis=1)
    values[7, 0] = np.nan
    stamps = pd.date_range("2020-02-01", periods=300, freq="MS")
    data = dataset(values, (12,), "MS", stamps)
    state = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    fitted = DeepAR(time=5, seed=3).fit(data, H)
    made = Estimator.made[-1]
    assert (made.given["freq"], made.given["prediction_length"]) == ("M", H)
    assert made.given["trainer_kwargs"]["max_time"] == {"seconds": 5}
    assert [item["item_id"] for item in made.series] == ["0", "1"]
    assert made.series[0]["start"] == pd.Period("2020-02", "M")
    assert np.isnan(made.series[0]["target"]).sum() == 1
    members = fitted.forecast(data.recordings[0], 250, Key.of(0, 5))
    assert [len(item["target"]) for item in made.asked] == [250, 250]
    assert members[..., 1].mean() == pytest.approx(100, abs=2)
    assert np.isnan(members[..., 2]).all()
    weights = [DeepAR(seed=s).fit(data, H).predictor.weight for s in (3, 3, 4)]
    assert weights[0] == weights[1] == made.weight != weights[2]
    assert torch.equal(state[0], torch.get_rng_state())
    assert np.array_equal(state[1], np.random.get_state()[1])  # noqa: NPY002


def test_networks_are_quiet(caplog):
    PatchTST().fit(dataset(autoregressions(300)), H)
    logging.getLogger("lightning").warning("heard again")
    assert [record.message for record in caplog.records] == ["heard again"]


def test_frames_without_a_calendar_are_taken_for_days():
    fitted = PatchTST().fit(dataset(autoregressions(300)), H)
    assert "days" in fitted.notes[0]
    assert fitted.forecast(Recording.of(autoregressions(300)), 290, Key.of(0, 3)).shape == (3, H, 2)
    assert Estimator.made[-1].asked[0]["start"] == pd.Period("2000-01-01", "D")
    assert [period_frequency(f) for f in ("h", "QS-JAN", "YE-DEC", None, "B")] == ["h", "Q", "Y", "D", "B"]
