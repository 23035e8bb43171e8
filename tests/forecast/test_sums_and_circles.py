"""Members obey declared sums and stay on their circles: calibrated, beyond the horizon, and read again."""

import numpy as np
import pytest
import tiny

from rheos.core.circle import signed
from rheos.core.errors import InputError
from rheos.data.reader import read
from rheos.evaluation.backtest import evaluate
from rheos.forecast.forecaster import fit, load
from rheos.forecast.proposal import inspect

SUMS = (*tiny.SERIES, "sums.total=[a,b]", "sums.5=[c,d]", "bounds.c=[0,null]")
WIND = (*tiny.SERIES, "circular.wind=360")


def parts():
    """total = a + b; c, never below 0, and d add up to 5."""
    frame = tiny.table(columns=3)
    frame["total"] = frame["a"] + frame["b"]
    frame["c"] = np.maximum(frame["c"], 0.0)
    frame["d"] = 5 - frame["c"]
    return frame


def wind(seed=0):
    """A direction that wanders about north and so crosses it all the time, and a speed."""
    frame = tiny.table(seed=seed)
    return frame.assign(wind=np.mod(25 * frame["b"], 360.0)).drop(columns="b")


@pytest.fixture(scope="module")
def windy(tmp_path_factory):
    return fit(wind(), tiny.HORIZON, words=WIND, out=tmp_path_factory.mktemp("wind") / "model")


def test_every_member_obeys_the_sums(tmp_path):
    model = fit(parts(), tiny.HORIZON, words=SUMS, out=tmp_path / "model")
    tiny.stirred(model)
    for forecaster in (model, tiny.stirred(load(tmp_path / "model"))):
        drawn = forecaster.forecast(members=8, horizon=2 * tiny.HORIZON).dataset
        a, b, c, d, total = (drawn[name].values.astype(float) for name in ("a", "b", "c", "d", "total"))
        np.testing.assert_allclose(total, a + b, atol=4e-7 * np.abs([a, b, total]).sum(0).max())
        np.testing.assert_allclose(c + d, 5, atol=4e-7 * 10)
        assert c.min() >= 0
        assert a.std() > 0
    told = model.model.history.sums
    assert list(told) == ["total = a + b", "5 = c + d"]
    assert all(0 < off < 10 for off in told.values())
    assert "total = a + b; members drawn missed it by" in (tmp_path / "model" / "README.md").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("sums.total=[a,c]",), "training rows are off"),
        (("sums.total=[a,x]",), "no variable is called 'x'"),
        (("sums.tota=[a,b]",), "did you mean 'total'"),
        (("sums.total=[a,b]", "circular.a=360"), "a direction"),
    ],
)
def test_wrong_sums_are_told_before_any_work(words, message, monkeypatch):
    monkeypatch.setattr("rheos.forecast.fitting.split", None)
    with pytest.raises(InputError, match=message):
        fit(parts(), tiny.HORIZON, words=(*tiny.SERIES, *words))
    with pytest.raises(InputError, match=message):
        inspect(parts(), tiny.HORIZON, words=(*tiny.SERIES, *words))


def test_a_number_may_be_a_key_of_the_recipe():
    model = fit(parts(), tiny.HORIZON, config={"sums": {5: ["c", "d"]}}, words=tiny.SERIES)
    assert model.model.sums.names == ("5 = c + d",)


def test_directions_stay_on_the_circle(windy, tmp_path):
    tiny.stirred(windy)
    drawn = windy.forecast(members=40, horizon=2 * tiny.HORIZON)
    values = drawn.dataset["wind"].values
    assert ((values >= 0) & (values < 360)).all()
    assert drawn.dataset["wind"].attrs["circular"] == 360
    # About north on both sides of it, where a number would have had its mean in the south.
    north = np.abs(signed(values, 360.0))
    assert (values < 60).any()
    assert (values > 300).any()
    assert north.mean() < 90
    assert float(np.abs(signed(drawn.mean["wind"], 360.0)).max()) < 120
    assert windy.model.history.bounds == {}


def test_the_card_tells_of_directions(tmp_path):
    fit(wind(), tiny.HORIZON, words=WIND, out=tmp_path / "model")
    assert "wind is a direction, from 0 up to 360" in (tmp_path / "model" / "README.md").read_text()
    again = load(tmp_path / "model")
    assert again.model.layout.circular == (0.0, 360.0)
    plain = read(wind())
    with pytest.raises(InputError, match="fitted on circular"):
        again.read(plain)


def test_summaries_of_directions_mind_the_wrap(windy):
    made = windy.forecast(members=3)
    members = np.array([350.0, 10.0, 30.0]).reshape(1, 3, 1)
    made.dataset["wind"] = made.dataset["wind"].copy(
        data=np.broadcast_to(members, made.dataset["wind"].shape)
    )
    np.testing.assert_allclose(made.mean["wind"], 10, atol=1e-4)
    np.testing.assert_allclose(made.spread["wind"], 20, atol=1e-4)
    np.testing.assert_allclose(
        made.quantile([0.0, 0.5, 1.0])["wind"].values[:, 0, 0], [350, 10, 30], atol=1e-4
    )
    table = made.to_dataframe()
    np.testing.assert_allclose(table[table["variable"] == "wind"]["mean"], 10, atol=1e-4)


def test_a_forecast_is_scored_on_the_circle(windy):
    made = windy.forecast(at="2021-03-10 15:00:00", members=4)
    truth = wind().set_index("time").to_xarray()
    turned = truth.assign(wind=truth["wind"] + 360)
    one, other = evaluate(made, truth), evaluate(made, turned)
    assert one["crps_by_variable"]["wind"] < 90
    for score in ("crps", "rmse", "coverage_90", "spread_skill"):
        assert one[score] == pytest.approx(other[score], rel=1e-6)


def test_nothing_after_the_origin_is_read(windy):
    frame = wind()
    changed = frame.copy()
    changed.loc[230:, ["a", "wind"]] = [99.0, 180.0]
    at = str(frame["time"][229])
    one, other = (windy.forecast(f, at=at, members=4).dataset for f in (frame, changed))
    assert one.equals(other)
