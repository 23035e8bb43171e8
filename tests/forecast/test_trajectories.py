"""A model of agents that come and go: who is there is forecast, whoever it is, and nobody else."""

import numpy as np
import pandas as pd
import pytest
import tiny

import rheos
from rheos.core.errors import InputError
from rheos.data.codec.covariates import Covariates
from rheos.data.codec.scale import Scale
from rheos.data.generator import Charged
from rheos.data.reader import read
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowSpec
from rheos.forecast.held_out import split

SMALL = ("network.width=8", "network.vectors=4", "network.depth=1", "network.heads=2", "network.rank=4")


def walkers(scenes, agents, frames=20, seed=0):
    """A long table; agent 1 comes late, agent 2 goes early, agents are named from 100 on."""
    rng = np.random.default_rng(seed)
    rows = []
    for scene in range(scenes):
        place, speed = rng.normal(size=(2, agents, 2))
        for frame in range(frames):
            speed = speed + 0.1 * rng.normal(size=speed.shape)
            place = place + 0.3 * speed
            for agent in range(agents):
                if (agent == 1 and frame < frames - 4) or (agent == 2 and frame > frames - 3):
                    continue
                rows.append((f"s{scene}", 10 * frame, 100 + agent, *place[agent]))
    return pd.DataFrame(rows, columns=["scene", "frame", "id", "x", "y"])


@pytest.fixture(scope="module")
def fitted():
    words = ("history=3", "block=4", "training.steps=3", "training.checks=1", *SMALL)
    return rheos.fit(walkers(2, 4), 2, words=words)


def test_what_is_proposed_turns_with_space(fitted):
    recipe = fitted.model.recipe
    assert (recipe.network.kind, recipe.anchor.kind) == ("equivariant", "geometric")
    assert recipe.codec == (Scale(isotropic=True),)
    assert np.ptp(fitted.model.codec.links[0].scale) == 0


def test_those_who_are_there_are_forecast_and_nobody_else(fitted):
    forecast = fitted.forecast(members=3)
    dataset = forecast.dataset
    assert dict(dataset.sizes) == {"unique_id": 2, "init_time": 1, "member": 3, "lead_time": 2, "agent": 4}
    assert list(dataset["agent"].values) == [100, 101, 102, 103]
    known = np.isfinite(dataset["x"].values)
    np.testing.assert_array_equal(known, np.broadcast_to([True, True, False, True], known.shape))
    table = forecast.to_dataframe()
    assert set(table["agent"]) == {100, 101, 103}
    assert set(table["variable"]) == {"x", "y"}
    assert len(table) == 2 * 2 * 2 * 3
    # Six frames earlier the second agent is not there yet, and the third still is.
    earlier = fitted.forecast(walkers(2, 4), members=1, at=130).dataset["y"]
    np.testing.assert_array_equal(np.isfinite(earlier.values[0, 0, 0, 0]), [True, False, True, True])


def test_who_comes_later_is_not_learned_from(fitted):
    source = fitted.model.source(read(walkers(2, 4)))
    batch = source.gather(np.array([0]), np.array([15]))  # agent 1 comes in frame 16
    assert np.isfinite(batch.future[0, 1, :, 1]).all()
    mask = fitted.model.context(batch, forecasting=False)[1].mask
    np.testing.assert_array_equal(mask[0, 3:, 0].numpy(), [[1, 0, 1, 1]] * 2)


def test_other_scenes_with_other_agents_are_forecast(fitted):
    other = walkers(1, 7, seed=5)
    other["id"] += 1000
    dataset = fitted.forecast(other, members=2).dataset
    assert list(dataset["agent"].values) == list(range(1100, 1107))
    assert np.isfinite(dataset["x"].values).all((0, 1, 2))[[0, 1, 3, 4, 5, 6]].all()
    with pytest.raises(InputError, match="channels"):
        fitted.forecast(other.assign(z=1.0), members=2)


def test_an_empty_place_on_the_axis_changes_nothing(fitted):
    table = walkers(1, 4, seed=3)
    stranger = pd.DataFrame({"scene": ["s0"], "frame": [0], "id": [5], "x": [0.0], "y": [0.0]})
    before = fitted.forecast(table, members=2).dataset["x"]
    longer = fitted.forecast(pd.concat([stranger, table]), members=2).dataset["x"]
    assert list(longer["agent"].values) == [5, 100, 101, 102, 103]
    assert np.isnan(longer.values[..., 0]).all()
    assert np.isfinite(before.values[..., [0, 1, 3]]).all()
    assert np.isfinite(longer.values[..., [1, 2, 4]]).all()


def test_a_saved_model_forecasts_the_same(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    again = rheos.load(tmp_path / "model").forecast(members=2).dataset
    np.testing.assert_array_equal(again["x"].values, fitted.forecast(members=2).dataset["x"].values)


def test_a_rolling_stream_is_refused(fitted):
    with pytest.raises(InputError, match="agents come and go"):
        next(fitted.stream(pace="rolling"))


def test_recordings_too_short_to_cut_are_held_out_whole():
    data = Charged(systems=20, frames=6, dt=0.05, particles=3).generate(0)
    windows = WindowSource(data, WindowSpec(history=3, horizon=3), Scale(isotropic=True).fit(data))
    train, held = split(windows, 0.2)
    assert len(windows) == 20
    assert (len(train), len(held)) == (16, 4)
    assert not set(windows.sequence[train]) & set(windows.sequence[held])
    longer = read(tiny.panel((80, 90)))
    windows = WindowSource(longer, WindowSpec(history=3, horizon=3), Scale().fit(longer))
    train, held = split(windows, 0.2)
    assert set(windows.sequence[train]) == set(windows.sequence[held]) == {0, 1}


def test_constants_of_agents_share_their_units():
    data = Charged(systems=6, frames=2, dt=0.05, particles=4).generate(0)
    units = Covariates.fit(data)
    charges = np.stack([recording.static for recording in data.recordings])
    coded = units.encode("static", charges)
    assert units.static.shape == (2, 1)
    np.testing.assert_allclose(coded, (charges - charges.mean()) / charges.std(), rtol=1e-6)
    np.testing.assert_allclose(units.encode("static", charges[:, :3]), coded[:, :3])
