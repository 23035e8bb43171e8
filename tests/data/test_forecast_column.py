"""A forecast made elsewhere as an anchor: in its target's units, corrected as least squares says, or a rule.

The law: x = f + n, f any column, n a first-order autoregression of spread 0.7 and memory 5. Given f and the
past, x_(o + h) ~ N(f + phi^h n_o, 0.49 (1 - phi^(2 h))).
"""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.signal import lfilter

from rheos.core.errors import InputError
from rheos.data.anchor import ForecastColumn, Persistence, Ridge
from rheos.data.anchor.penalty import leave_out, solve
from rheos.data.anchor.recent import follow
from rheos.data.codec import Increments, Log, Scale
from rheos.data.codec.chain import Chain
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.forecasts import forecast_frames
from rheos.data.window_source import WindowSource, to_context
from rheos.data.windows import WindowSpec
from rheos.denoise.oracle import GaussianOracle
from rheos.process import DyDiff, MeanReverting
from rheos.sample import Preset, probe
from rheos.sample.grid import LogSNR
from rheos.sample.solver import UniPC

PHI, SPREAD = np.exp(-1 / 5), 0.7
HISTORY, HORIZON = 4, 6
OF = {"load": "load_forecast"}


def errors(frames, seed, phi=PHI):
    shocks = np.random.default_rng(seed).normal(size=frames)
    shocks[1:] *= np.sqrt(1 - phi**2)
    return SPREAD * lfilter([1.0], [1.0, -phi], shocks)


def columns(frames=4000, seed=0):
    """What is forecast, and a plan that is known ahead and says nothing."""
    rng = np.random.default_rng(100 + seed)
    return np.stack(
        [100 + 5 * lfilter([1.0], [1, -0.95], rng.normal(size=frames)), rng.normal(size=frames)], 1
    )


def data(values, known, channels=("load", "other"), names=("load_forecast", "plan")):
    layout = Layout(channels=channels, known_future=names, frequency="h")
    stamps = pd.date_range("2020-01-06", periods=len(values), freq="h")
    return Dataset(layout=layout, recordings=(Recording.of(values, stamps, known_future=known),))


def of_law(frames=4000, seed=0):
    known = columns(frames, seed)
    other = errors(frames, 50 + seed)
    return data(np.stack([known[:, 0] + errors(frames, seed), other], 1), known)


def source_of(dataset, codec=None, forecasts=OF, **spec):
    sizes = {"history": HISTORY, "horizon": HORIZON, "harmonics": {"day": 0, "week": 0, "year": 0}} | spec
    fitted = (codec or Scale()).fit(dataset)
    return WindowSource(dataset, WindowSpec(**sizes, forecasts=forecasts), fitted)


def everything(source):
    return np.arange(len(source))


@pytest.mark.parametrize(
    "codec",
    [
        Scale(),
        Scale(mode="window"),
        Chain(links=(Log(), Scale())),
        Chain(links=(Log(), Increments(), Scale(mode="window"))),
    ],
    ids=lambda codec: "-".join(link.kind for link in getattr(codec, "links", (codec,))),
)
def test_a_perfect_forecast_is_what_comes_in_whatever_units(codec):
    """Coded with the state of its own window: decoded, it is the column."""
    known = columns(300)
    dataset = data(np.stack([known[:, 0], known[:, 1]], 1)[:, :1], known, channels=("load",))
    source = source_of(dataset, codec)
    batch = source.batch(np.arange(0, len(source), 7))
    np.testing.assert_allclose(batch.forecast[:, HISTORY:], batch.future, atol=2e-4)
    np.testing.assert_allclose(batch.forecast[:, 1:HISTORY], batch.history[:, 1:], atol=2e-4)
    fitted = ForecastColumn(of=OF, correct=False).fit(source, everything(source))
    raw = source.codec.decode(fitted.future(batch), batch.state)
    at = batch.origin[:, None] + np.arange(HORIZON)
    np.testing.assert_allclose(raw[..., 0], known[at, 0], rtol=1e-5)


def test_each_column_stands_in_the_place_of_its_target():
    dataset = data(np.zeros((3, 2)), np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]]))
    (recording,) = dataset.recordings
    crossed = forecast_frames(recording, dataset.layout, {"other": "load_forecast", "load": "plan"})
    assert np.array_equal(crossed, [[2.0, 1.0], [np.nan, 3.0], [6.0, 5.0]], equal_nan=True)
    alone = forecast_frames(recording, dataset.layout, {"other": "plan"})
    assert np.array_equal(alone[:, 1], [2.0, np.nan, 6.0], equal_nan=True)
    assert np.isnan(alone[:, 0]).all()
    assert forecast_frames(recording, dataset.layout, {}).shape == (3, 0)


def test_an_increment_across_a_gap_of_the_forecast_is_no_forecast():
    known = columns(200)
    known[100, 0] = np.nan
    dataset = data(columns(200)[:, :1], known, channels=("load",))
    source = source_of(dataset, Increments())
    batch = source.gather(np.array([0]), np.array([98]))
    missing = np.isnan(batch.forecast[0, HISTORY:, 0])
    assert missing.tolist() == [False, False, True, True, False, False]


def test_uncorrected_the_anchor_is_the_column_and_what_is_left_has_unit_variance():
    source = source_of(of_law())
    training, test = source.split(1200)
    fitted = ForecastColumn(of=OF, correct=False).fit(source, training)
    batch = source.batch(test)
    center, scale = fitted(batch)
    codec = source.codec
    column = source.dataset.recordings[0].known_future[batch.origin[:, None] + np.arange(HORIZON), 0]
    np.testing.assert_allclose(
        center[:, HISTORY:, 0], (column - codec.location[0]) / codec.scale[0], atol=1e-5
    )
    canonical = (batch.future - center[:, HISTORY:]) / scale[:, HISTORY:]
    assert np.sqrt((canonical**2).mean((0, 1))) == pytest.approx(1, abs=0.06)
    assert fitted.scale[HISTORY:, 0] * codec.scale[0] == pytest.approx(SPREAD, rel=0.05)


def test_corrected_the_anchor_is_the_exact_mean_of_a_wrong_forecast():
    """The column is (f - 20) / 0.8 of the true f, so the slope is 0.8; phi^h of the last error remains."""
    known = columns()
    truth = known[:, 0].copy()
    noise = errors(len(known), 3)
    known[:, 0] = (truth - 20) / 0.8
    source = source_of(data((truth + noise)[:, None], known, channels=("load",)))
    training, test = source.split(1000)
    fitted = ForecastColumn(of=OF).fit(source, training)
    batch = source.batch(test)
    found = source.codec.decode(fitted(batch)[0], batch.state)[:, HISTORY:, 0]
    lead = np.arange(1, HORIZON + 1)
    exact = truth[batch.origin[:, None] + lead - 1] + PHI**lead * noise[batch.origin - 1][:, None]
    away = np.sqrt(((found - exact) ** 2).mean(0))
    exact_scale = SPREAD * np.sqrt(1 - PHI ** (2 * lead))
    assert (away < 0.2 * exact_scale).all(), away / exact_scale
    assert fitted.scale[HISTORY:, 0] * source.codec.scale[0] == pytest.approx(exact_scale, rel=0.1)


def test_the_correction_is_that_of_the_normal_equations_and_its_scale_of_blocks_left_out():
    source = source_of(of_law(600))
    indices = everything(source)
    fitted = ForecastColumn(of=OF).fit(source, indices)
    batch = source.batch(indices)
    weights = fitted.column.weights[:, 0]
    ahead, history = batch.forecast[:, HISTORY:, 0], batch.history[:, :, 0] - batch.forecast[:, :HISTORY, 0]
    block = 6 * np.arange(len(batch)) // len(batch)
    candidates = [[b, b, b] for b in (0.0001, 0.01, 0.1, 1.0)] + [[1e6, c, 1e6] for c in (0.001, 0.1)]
    for lead in range(HORIZON):
        target = (batch.future[:, lead, 0] - ahead[:, lead]).astype(float)
        ones = np.ones(len(batch))
        z = np.stack([ahead[:, lead], history[:, -1], batch.forecast[:, HISTORY - 1, 0], ones, target], 1)
        moments = np.stack([z[block == k].T.astype(float) @ z[block == k] for k in range(6)])
        all_weights = solve(moments.sum(0), np.array(candidates))
        near = np.abs(all_weights - weights[lead]).max(1).argmin()
        np.testing.assert_allclose(weights[lead], all_weights[near], atol=1e-6)
        square = leave_out(moments, np.array(candidates))[near]
        assert fitted.scale[HISTORY + lead, 0] == pytest.approx(np.sqrt(square / len(z)), rel=1e-4)


def test_errors_that_cannot_be_foreseen_are_left_as_they_are():
    """White errors, of spread 0.045 in coded units: 8 of these 10 seeds leave the column as it is."""
    kept = []
    for seed in range(10):
        known = columns(800, seed)
        values = (known[:, 0] + errors(800, seed, phi=0.0))[:, None]
        source = source_of(data(values, known, channels=("load",)))
        weights = ForecastColumn(of=OF).fit(source, everything(source)).column.weights
        kept.append(not weights.any())
        assert np.abs(weights).max() < 0.005
    assert sum(kept) >= 7


def holed(seed=0):
    """The law with a forecast that goes three leads far from origins of every tenth frame's kind."""
    dataset = of_law(seed=seed)
    known = dataset.recordings[0].known_future.copy()
    known[np.arange(len(known)) % 10 >= 7, 0] = np.nan
    return data(dataset.recordings[0].values, known)


@pytest.mark.parametrize("otherwise", [Persistence(), Ridge()], ids=lambda rule: rule.kind)
def test_where_there_is_no_forecast_a_rule_that_never_saw_it_stands_in(otherwise):
    source = source_of(holed())
    training, test = source.split(1000)
    config = ForecastColumn(of=OF, otherwise=otherwise)
    fitted = config.fit(source, training)
    batch = source.batch(test)
    center, scale = fitted(batch)
    # Alone, on data without the column at all, the rule says the same.
    bare = source.dataset.recordings[0]
    bare = data(bare.values, bare.known_future[:, 1:], names=("plan",))
    plain = WindowSource(bare, WindowSpec(**dict(source.spec) | {"forecasts": {}}), Scale().fit(bare))
    rule_center, rule_scale = otherwise.fit(plain, training)(plain.batch(test))
    np.testing.assert_allclose(fitted.scale[:, 1], fitted.otherwise.scale[:, 1])
    gone = np.isnan(batch.forecast)
    assert gone[:, HISTORY:, 1].all()
    np.testing.assert_allclose(center[gone], rule_center[gone], atol=1e-5)
    np.testing.assert_allclose(scale[gone], rule_scale[gone], rtol=1e-5)
    canonical = (batch.future - center[:, HISTORY:]) / scale[:, HISTORY:]
    ahead = gone[:, HISTORY:, 0]
    for part in (canonical[..., 0][ahead], canonical[..., 0][~ahead], canonical[..., 1]):
        assert np.sqrt((part**2).mean()) == pytest.approx(1, abs=0.12)


def test_it_is_restored_from_its_arrays():
    source = source_of(holed())
    config = ForecastColumn(of=OF)
    fitted = config.fit(source, everything(source))
    again = config.restore(fitted.to_arrays())
    batch = source.batch(np.arange(40))
    for one, other in zip(fitted(batch), again(batch), strict=True):
        assert np.array_equal(one, other)


def test_nothing_of_the_target_from_the_origin_on_is_read():
    dataset = of_law(400)
    source = source_of(dataset)
    fitted = ForecastColumn(of=OF).fit(source, source.windows(last_origin=290))
    values = dataset.recordings[0].values.copy()
    values[300:] = 1e3
    other = WindowSource(data(values, dataset.recordings[0].known_future), source.spec, source.codec)
    again = ForecastColumn(of=OF).fit(other, other.windows(last_origin=290))
    at = (np.array([0]), np.array([300]))
    assert np.array_equal(fitted(source.gather(*at))[0], again(other.gather(*at))[0])


@pytest.mark.parametrize("process", [MeanReverting(), DyDiff(), DyDiff(floor=0.1)], ids=repr)
def test_around_the_column_the_exact_law_comes_out(process):
    """Of one window, in raw units, by an exact denoiser and no Monte Carlo, to 1 % in 400 steps."""
    source = source_of(of_law(), forecasts=OF)
    fitted = ForecastColumn(of=OF, correct=False).fit(source, everything(source))
    # The law's targets alone: the second channel is another matter.
    batch = source.batch(np.array([1234]))
    clip, context = to_context(batch, fitted(batch))
    clip, known = clip[..., :1].double(), {"history_frames": HISTORY}
    for name in ("history", "anchor", "anchor_scale"):
        known[name] = getattr(context, name)[..., :1].double()
    context = type(context)(**known)
    unit, center = float(source.codec.scale[0]), float(source.codec.location[0])
    frames = batch.origin[0] + np.arange(-HISTORY, HORIZON)
    forecast = source.dataset.recordings[0].known_future[frames, 0]
    lag = np.abs(frames[:, None] - frames)
    mean = torch.tensor((forecast - center) / unit)
    covariance = torch.tensor(SPREAD**2 * PHI**lag / unit**2)
    anchor, scale = context.anchor[0, :, 0], context.anchor_scale[0, :, 0]
    # No frame of the anchored clip is mixed with others: u = (x - anchor) / scale, then M_0 = 1.
    built = process.build(anchored=True)
    oracle = GaussianOracle((mean - anchor) / scale, covariance / scale[:, None] / scale, built)
    preset = Preset(solver=UniPC(), grid=LogSNR(highest=1e5, lowest=1e-6), evaluations=400)
    law = probe(oracle, (HISTORY + HORIZON, 1), process=built, context=context, preset=preset)
    lead = np.arange(1, HORIZON + 1)
    last = source.dataset.recordings[0].values[batch.origin[0] - 1, 0] - forecast[HISTORY - 1]
    exact = forecast[HISTORY:] + PHI**lead * last
    found = law.mean.numpy().reshape(-1)[HISTORY:] * unit + center
    np.testing.assert_allclose(found, exact, atol=0.01 * SPREAD)
    earlier = np.minimum(lead[:, None], lead)
    law_covariance = SPREAD**2 * PHI ** np.abs(lead[:, None] - lead) * (1 - PHI ** (2 * earlier))
    spread = law.covariance.numpy()[HISTORY:, HISTORY:] * unit**2
    np.testing.assert_allclose(spread, law_covariance, atol=0.01 * SPREAD**2)


MISTAKES = {
    "a target that is not there": (
        {"lod": "load_forecast"},
        "no target is called 'lod'; did you mean 'load'?",
    ),
    "a column that is not there": (
        {"load": "load_forcast"},
        "no column is called 'load_forcast'; did you mean 'load_forecast'?",
    ),
    "a column of another role": (
        {"load": "other"},
        "'other' is read as a target, and a forecast is known ahead; add roles.other=known_future.",
    ),
    "a past column": ({"load": "felt"}, "'felt' is read as a past column"),
    "a direction": ({"wind": "plan"}, "'wind' is a direction"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_get_a_sentence(mistake):
    forecasts, words = MISTAKES[mistake]
    layout = Layout(
        channels=("load", "other", "wind"),
        circular=(0.0, 0.0, 360.0),
        known_future=("load_forecast", "plan"),
        past=("felt",),
    )
    with pytest.raises(InputError, match=r"^anchor\.of\.") as found:
        ForecastColumn(of=forecasts).require(layout)
    assert words in str(found.value)


def test_fields_and_columns_without_values_get_a_sentence():
    with pytest.raises(InputError, match=r"anchor=forecast has no column; give anchor\.of\.TARGET=COLUMN"):
        ForecastColumn().require(Layout(channels=("load",)))
    with pytest.raises(InputError, match="takes columns of a table, and the data are a field"):
        ForecastColumn(of=OF).require(Layout(kind="field", channels=("load",)))
    dataset = of_law(300)
    known = dataset.recordings[0].known_future.copy()
    known[:, 0] = np.nan
    source = source_of(data(dataset.recordings[0].values, known))
    with pytest.raises(InputError, match="'load_forecast' has no value where 'load' has one"):
        ForecastColumn(of=OF).fit(source, everything(source))
    known[:, 0] = -1.0
    with pytest.raises(InputError, match=r"codes load_forecast as its target is coded: .* has no logarithm"):
        source_of(data(np.abs(dataset.recordings[0].values), known), Log())


def test_a_forecast_may_end_before_the_horizon_or_have_been_out_but_not_be_forgotten():
    dataset = of_law(300)
    (recording,) = dataset.recordings
    known = recording.known_future.copy()
    known[250:270, 0] = np.nan
    whole = source_of(data(recording.values, known))
    assert np.isnan(whole.at(0, 252).forecast[0, HISTORY:, 0]).all()  # it was out, as a backtest sees
    values = recording.values.copy()
    values[290:] = np.nan
    known = recording.known_future.copy()
    known[293:, 0] = np.nan
    ahead = source_of(data(values, known)).at(0)
    assert np.isfinite(ahead.forecast[0, HISTORY:, 0]).tolist() == [True] * 3 + [False] * 3
    known[290:, 0] = np.nan
    with pytest.raises(InputError, match="'load_forecast' must be known ahead"):
        source_of(data(values, known)).at(0)
    known[290:] = recording.known_future[290:]
    known[295, 1] = np.nan
    with pytest.raises(InputError, match="'plan' must be known ahead"):
        source_of(data(values, known)).at(0)


def test_a_forecast_that_errs_lately_is_moved():
    """The memory is this anchor's as any other's, and kept; the window before the origin tells of it."""
    source = source_of(of_law())
    fitted = ForecastColumn(of=OF, memory=7).fit(source, everything(source))
    assert fitted.memory == 7
    assert ForecastColumn(of=OF).restore(fitted.to_arrays()).memory == 7
    batch = follow(source, fitted).gather(np.array([0]), np.array([3000]))
    center, _ = fitted(batch)
    moved = center[:, HISTORY:] - fitted.future(batch)
    assert moved == pytest.approx(fitted.spread(batch) * batch.recent["level"], abs=1e-5)
    assert np.all(moved != 0.0)
