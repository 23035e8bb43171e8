"""The perceptron anchor: exact means of laws that no line follows, no harm where the law is linear.

The law: x_(k + 1) = f(x_k) + 0.3 z. One frame ahead the mean is f(x_o); h ahead it is, by Gauss-Hermite
quadrature, m_h(x) = E m_(h - 1)(f(x) + 0.3 z), m_0(x) = x.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

from rheos.core.errors import InputError
from rheos.data.anchor import ForecastColumn, Perceptron, Ridge, leaving_out, perceptron
from rheos.data.anchor.leaving_out import Perceptrons, Rows, Schooling, left_out, member, train
from rheos.data.anchor.perceptron import _gain, _standard
from rheos.data.codec import Scale
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowSpec

NOISE, HISTORY, HORIZON = 0.3, 4, 3
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(60)
F64 = torch.float64


def tent(x):
    return 1.5 - 1.1 * np.abs(x)


def mean_ahead(x, leads):
    """m_1 .. m_leads at x `(n,)`: `(n, leads)`."""

    def ahead(h):
        if h == 0:
            return lambda y: y
        earlier = ahead(h - 1)
        return lambda y: earlier(tent(y)[..., None] + NOISE * NODES) @ WEIGHTS / WEIGHTS.sum()

    return np.stack([ahead(lead)(x) for lead in range(1, leads + 1)], axis=1)


def of_tent(frames=4000, seed=0):
    rng = np.random.default_rng(seed)
    x = np.zeros((frames, 1))
    for i in range(1, frames):
        x[i] = tent(x[i - 1]) + NOISE * rng.normal()
    return x


def source_of(values, history=HISTORY, horizon=HORIZON, lags=(), known_future=None, stamped=False):
    covariates = () if known_future is None else tuple(f"k{i}" for i in range(known_future.shape[1]))
    channels = tuple(f"c{i}" for i in range(values.shape[1]))
    stamps = pd.date_range("2020-01-06", periods=len(values), freq="h") if stamped else None
    layout = Layout(channels=channels, known_future=covariates, frequency="h" if stamped else None)
    data = Dataset(layout=layout, recordings=(Recording.of(values, stamps, known_future=known_future),))
    return WindowSource(data, WindowSpec(history=history, horizon=horizon, lags=lags), Scale().fit(data))


def everything(source):
    return np.arange(len(source))


def raw_future(source, fitted, batch):
    return source.codec.decode(fitted(batch)[0], batch.state)[:, source.spec.history :]


def test_the_mean_of_a_tent_is_found_where_the_ridge_is_lost():
    """Error of the mean within 4 % of its variance at every lead; of the ridge, more than 20 %."""
    values = of_tent()
    source = source_of(values)
    training, test = source.split(1000)
    batch = source.batch(test)
    exact = mean_ahead(values[batch.origin - 1, 0], HORIZON)
    missed = {}
    for config in (Ridge(), Perceptron()):
        fitted = config.fit(source, training)
        found = raw_future(source, fitted, batch)[..., 0]
        missed[config.kind] = ((found - exact) ** 2).mean(0) / exact.var(0)
    assert (missed["perceptron"] < 0.04).all(), missed
    assert (missed["ridge"] > 0.2).all(), missed
    center, scale = fitted(batch)
    canonical = (batch.future - center[:, HISTORY:]) / scale[:, HISTORY:]
    assert np.sqrt((canonical**2).mean(0)) == pytest.approx(1, abs=0.06)


def test_variables_and_what_is_known_ahead_meet():
    """y_s = |w_o| k_s + 0.3 z, w_o the other variable's last value: no sum of the two says anything."""
    rng = np.random.default_rng(1)
    other, known, noise = rng.normal(size=(3, 4000))
    values = np.stack([other, np.zeros(4000)], axis=1)
    values[1:, 1] = np.abs(other[:-1]) * known[1:] + NOISE * noise[1:]
    source = source_of(values, horizon=1, known_future=known[:, None])
    training, test = source.split(1000)
    batch = source.batch(test)
    exact = np.abs(other[batch.origin - 1]) * known[batch.origin]
    missed = []
    for config in (Perceptron(), Ridge()):
        found = raw_future(source, config.fit(source, training), batch)[:, 0, 1]
        missed.append(((found - exact) ** 2).mean() / exact.var())
    assert missed[0] < 0.1
    assert missed[1] > 0.3


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_on_linear_gaussian_data_it_is_the_ridge(seed):
    """Squared error on windows never seen at most 1 % above the ridge's."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(700, 3))
    for i in range(1, 700):
        values[i] += 0.7 * values[i - 1] + 0.2 * values[i - 1][::-1]
    source = source_of(values)
    training, test = source.split(300)
    batch = source.batch(test)
    square = {}
    for config in (Ridge(), Perceptron()):
        center, scale = config.fit(source, training)(batch)
        square[config.kind] = ((batch.future - center[:, HISTORY:]) ** 2).mean()
    assert square["perceptron"] < 1.01 * square["ridge"]
    assert np.sqrt((((batch.future - center[:, HISTORY:]) / scale[:, HISTORY:]) ** 2).mean()) < 1.15


def test_it_is_the_same_every_time_and_after_the_round_trip_and_follows_its_seed():
    source = source_of(of_tent(500))
    state = torch.random.get_rng_state()
    config = Perceptron(steps=60)
    fitted, again = (config.fit(source, everything(source)) for _ in range(2))
    assert torch.equal(state, torch.random.get_rng_state())
    assert fitted.share.any()
    arrays = fitted.to_arrays()
    assert all(np.array_equal(arrays[name], value) for name, value in again.to_arrays().items())
    restored = config.restore(arrays)
    batch = source.batch(everything(source))
    for one, two in zip(fitted(batch), restored(batch), strict=True):
        assert np.array_equal(one, two)
    apart = np.concatenate([fitted(batch.rows(slice(i, i + 7)))[0] for i in range(0, len(batch), 7)])
    assert np.array_equal(apart, fitted(batch)[0])
    other = Perceptron(steps=60, seed=1).fit(source, everything(source))
    assert not np.array_equal(other(batch)[0], fitted(batch)[0])


def test_nothing_from_the_origin_on_is_read():
    values = of_tent(500)
    source = source_of(values)
    config = Perceptron(steps=40)
    fitted = config.fit(source, source.windows(last_origin=390))
    changed = values.copy()
    changed[400:] = 1e3
    other = WindowSource(source_of(changed).dataset, source.spec, source.codec)
    again = config.fit(other, other.windows(last_origin=390))
    at = (np.array([0]), np.array([400]))
    assert np.array_equal(fitted(source.gather(*at))[0], again(other.gather(*at))[0])
    assert np.array_equal(fitted.scale, again.scale)


@pytest.mark.parametrize("variables", [2, 40])
def test_it_is_finite_whatever_is_missing(variables):
    """Of more than 32 variables all have the same weights."""
    rng = np.random.default_rng(3)
    values = np.concatenate([of_tent(260, seed) for seed in range(variables)], axis=1)
    values[rng.random(values.shape) < 0.3] = np.nan
    values[100:120] = np.nan
    source = source_of(values, lags=(12,), stamped=True)
    fitted = Perceptron(steps=45).fit(source, everything(source))
    assert fitted.net.constant.shape[1] == (2 if variables == 2 else 1)
    center, scale = fitted(source.gather(np.zeros(261, int), np.arange(261)))
    assert np.isfinite(center).all()
    assert (scale > 0).all()
    assert np.isfinite(scale).all()


def test_one_window_is_enough():
    source = source_of(of_tent(HISTORY + HORIZON))
    center, _ = Perceptron().fit(source, np.array([0]))(source.batch(np.array([0])))
    assert np.isfinite(center).all()


def test_it_may_stand_in_for_a_forecast_and_is_for_tables():
    config = ForecastColumn.model_validate({"of": {"a": "b"}, "otherwise": {"kind": "perceptron"}})
    assert config.otherwise == Perceptron()
    with pytest.raises(InputError, match="for tables, and the data are a field; use anchor=ridge"):
        Perceptron().require(Layout(kind="field", channels=("a",)))


def nets_of(count=3, seed=5):
    nets = Perceptrons(count, 4, 6, 2, 2, seed).to(F64)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in nets.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, dtype=F64, generator=generator))
    return nets


def rows_of(n=240, seed=0):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(n, 2, 4, dtype=F64, generator=generator)
    variable = torch.arange(n) % 2
    target = z[..., 0].abs() + z[..., 1] * z[..., 2] + 0.2 * variable[:, None]
    return Rows(z=z, target=target, variable=variable, block=torch.arange(n) * 2 // n)


def test_a_perceptron_by_hand():
    nets, rows = nets_of(), rows_of(5)
    found = nets(rows.z, rows.variable)
    for k in range(3):
        for n in range(5):
            of = int(rows.variable[n])
            for s in range(2):
                one = functional.silu(nets.first[k].T @ rows.z[n, s] + nets.lead[k, s] + nets.variable[k, of])
                two = one + functional.silu(nets.second[k].T @ one + nets.bias[k])
                answer = nets.answer[k, of, s] @ two + nets.constant[k, of, s]
                torch.testing.assert_close(found[k, n, s], answer)
    torch.testing.assert_close(member(nets, 1)(rows.z, rows.variable)[0], found[1])
    out = left_out(nets, rows)
    torch.testing.assert_close(out[:3], found[0, :3])
    torch.testing.assert_close(out[3:], found[1, 3:])


HOW = Schooling(steps=60, batch=32, learning_rate=1e-2, weight_decay=0.1, seed=0)


def test_each_learns_from_all_but_its_block(monkeypatch):
    """Other targets in a block change all but the net that leaves it out; NaN counts for nothing."""
    monkeypatch.setattr(leaving_out, "_CHECKS", 1)
    rows = rows_of()
    changed = rows.target.clone()
    changed[rows.block == 0] += 0.1 * torch.sin(rows.z[rows.block == 0, :, 3])
    holed = rows.target.clone()
    holed[5, 1] = torch.nan
    kept = {}
    for name, target in {"as they are": rows.target, "changed": changed, "holed": holed}.items():
        nets = Perceptrons(3, 4, 6, 2, 2).to(F64)
        train(nets, Rows(z=rows.z, target=target, variable=rows.variable, block=rows.block), HOW)
        assert all(value.isfinite().all() for value in nets.state_dict().values())
        kept[name] = nets.first.detach().clone()
    same = [torch.equal(kept["as they are"][k], kept["changed"][k]) for k in range(3)]
    assert same == [True, False, False]
    assert torch.equal(kept["as they are"][0], kept["holed"][0])
    assert not torch.equal(kept["as they are"][2], kept["holed"][2])


def test_they_stop_where_a_share_of_them_served_the_blocks_left_out_best(monkeypatch):
    """Blocks that teach each other the wrong sign: after four checks without gain training ends."""
    rows = rows_of(60)
    sign = 1.0 - 2.0 * rows.block
    calls = []
    monkeypatch.setattr(leaving_out, "left_out", lambda *given: calls.append(1) or left_out(*given))
    nets = Perceptrons(3, 4, 6, 2, 2).to(F64)
    answers = train(nets, replace(rows, target=sign[:, None].expand(-1, 2).double()), HOW)
    assert len(calls) == 5
    assert not answers.any()
    assert not nets.answer.any()
    rows, learned = rows_of(1200), Perceptrons(3, 4, 6, 2, 2).to(F64)
    answers = train(learned, rows, replace(HOW, steps=400))
    torch.testing.assert_close(answers, left_out(learned, rows))
    assert (answers - rows.target).square().mean() < 0.5 * rows.target.var()


def test_what_is_missing_is_not_taken_for_nothing():
    """Half of the targets are missing, the others 1: answers go to 1, not to a half."""
    rows = rows_of()
    target = torch.ones_like(rows.target)
    target[::2] = torch.nan
    nets = Perceptrons(3, 4, 6, 2, 2).to(F64)
    answers = train(nets, replace(rows, target=target, variable=0 * rows.variable), replace(HOW, steps=300))
    assert answers.mean() > 0.9


def test_the_one_that_saw_all_is_kept(monkeypatch):
    kept = []
    monkeypatch.setattr(
        perceptron, "member", lambda nets, n: kept.append((n, len(nets.first))) or member(nets, n)
    )
    source = source_of(of_tent(200))
    Perceptron(steps=2).fit(source, everything(source))
    assert kept == [(3, 4)]


def test_features_are_in_standard_units_and_none_is_far_off():
    z = np.array([[[3.0, 100.0, -9.0]]])
    found = _standard(z, np.array([1.0, 0.0, 1.0]), np.array([2.0, 0.1, 0.0]))
    assert found.tolist() == [[[4.0, 5.0, 0.0]]]


def test_the_share_and_the_gain_by_hand():
    """Two variables of two rows, one lead: half the answers is best; the second variable gains nothing."""
    left = np.array([[1.0], [1.0], [2.0], [np.nan]])
    answers = np.array([[2.0], [2.0], [0.0], [7.0]])
    share, gain = _gain(left, answers, 2)
    assert share.tolist() == [0.5]
    assert gain.tolist() == [[0.0, 1.0]]
    assert _gain(left, -answers, 2)[0].tolist() == [0.0]
    assert _gain(left, 0.1 * answers, 2)[0].tolist() == [1.0]
