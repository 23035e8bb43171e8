"""A member has the same bits whatever else is asked for: how many, from where, in memory or on disk."""

import numpy as np
import pytest
import tiny

from rheos.forecast.engine import Engine
from rheos.forecast.forecast import Forecast
from rheos.sample.preset import preset

KINDS = ("table", "panel", "field", "coded")


@pytest.fixture(params=KINDS)
def model(request):
    return request.getfixturevalue(f"{request.param}_model")


def member(forecast, number=7):
    """All variables of one member, without the axis of members."""
    return {name: forecast.dataset[name].sel(member=number).values for name in forecast.variables}


def stamps(model, count=2):
    """The last `count` stamps from which every recording can be forecast."""
    shared = set.intersection(*(set(r.stamps[: r.observed]) for r in model.model.tail.recordings))
    return [str(stamp) for stamp in sorted(shared)[-count:]]


@pytest.mark.parametrize("members", [20, 100])
def test_however_many_are_asked_for(model, members):
    few = model.forecast(members=8, quality="fast")
    many = model.forecast(members=members, quality="fast")
    assert tiny.same(member(few), member(many))
    assert not tiny.same(member(many, 7), member(many, 6))


def test_alone_or_among_origins(model):
    both = model.forecast(at=stamps(model), members=8, quality="fast")
    for init, stamp in enumerate(stamps(model)):
        alone = model.forecast(at=stamp, members=8, quality="fast")
        together = Forecast(both.dataset.isel(init_time=[init]))
        assert tiny.same(member(alone), member(together))


def test_in_any_order_of_origins(model):
    forward = model.forecast(at=stamps(model), members=8, quality="fast")
    backward = model.forecast(at=stamps(model)[::-1], members=8, quality="fast")
    for name in forward.variables:
        turned = backward.dataset[name].sel(init_time=forward.dataset.init_time)
        assert np.array_equal(forward.dataset[name], turned, equal_nan=True)


def test_through_a_store(model, tmp_path):
    kept = model.forecast(members=10, quality="fast")
    stored = model.forecast(members=10, quality="fast", out=tmp_path / "f.zarr")
    assert kept.variables == stored.variables
    assert kept.dataset.drop_encoding().identical(stored.dataset.load().drop_encoding())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.zarr"]
    assert Forecast.open(tmp_path / "f.zarr").variables == kept.variables


@pytest.mark.parametrize("kind", ["table", "field"])
def test_beyond_the_trained_horizon(kind, request):
    model = request.getfixturevalue(f"{kind}_model")
    span = model.model.recipe.horizon
    near = model.forecast(members=8, quality="fast")
    far = model.forecast(members=12, quality="fast", horizon=2 * span + 1)
    farther = model.forecast(members=8, quality="fast", horizon=3 * span)
    for name in near.variables:
        near_values, far_values = near.dataset[name], far.dataset[name].sel(member=near.dataset.member)
        assert np.array_equal(near_values, far_values.isel(lead_time=slice(span)), equal_nan=True)
        assert np.array_equal(
            far_values, farther.dataset[name].isel(lead_time=slice(2 * span + 1)), equal_nan=True
        )
    valid = far.dataset.valid_time.values[0]
    assert len(np.unique(np.diff(valid))) == 1


def test_the_seed_decides(table_model):
    first, again, other = (table_model.forecast(members=8, seed=s, quality="fast") for s in (1, 1, 2))
    assert tiny.same(member(first), member(again))
    assert not tiny.same(member(first), member(other))


def test_sequences_of_a_panel_do_not_share_noise(panel_model):
    values = panel_model.forecast(members=8, quality="fast").dataset["y"]
    own = [values.isel(unique_id=i).dropna("init_time", how="all").values[0] for i in range(3)]
    scaled = [(v - v.mean(0)) / v.std(0) for v in own]
    assert np.abs(scaled[0] - scaled[1]).max() > 0.1


def test_no_two_members_are_alike(model):
    for values in member_values(model.forecast(members=12, quality="fast")):
        assert len(np.unique(values.reshape(12, -1), axis=0)) == 12


def member_values(forecast):
    """Each variable with members first and what was not forecast left out."""
    for name in forecast.variables:
        values = np.moveaxis(forecast.dataset[name].values, forecast.dataset[name].dims.index("member"), 0)
        yield values[:, ~np.isnan(values).any(0)]


def test_calibration_moves_every_member_about_the_mean_of_the_first_block(table_model):
    raw, moved = (
        Engine(table_model.model, table_model.model.tail, preset("fast"), calibrated=calibrated)
        for calibrated in (False, True)
    )
    origin = table_model.model.tail.recordings[0].observed
    center = raw.block(0, origin, 0).mean(0, dtype=np.float64)
    model, fitted = table_model.model, table_model.model.calibration
    window = model.source(model.tail).at(0, origin)
    anchor = model.codec.decode(model.anchor(window)[0][:, model.recipe.history :], window.state)[0]
    goal = anchor + fitted.kept.of((center - anchor)[..., None])[..., 0]
    assert max(fitted.kept.own, fitted.kept.common) < 1
    for number in range(3):
        expected = goal + fitted.shift + fitted.scale * (raw.block(0, origin, number) - center)
        assert moved.block(0, origin, number) == pytest.approx(expected, rel=1e-5, abs=1e-6)
