"""Sampled constant velocity: straight without noise, and the law of angles and speeds it declares."""

import numpy as np
import pytest
from scipy import stats

from rheos.baseline import ConstantVelocity, default_baselines
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key
from rheos.data.dataset import Dataset, Layout, Recording

H = 4


def scene(space=2, agents=3, frames=6, seed=0):
    values = np.random.default_rng(seed).normal(size=(frames, space, agents))
    layout = Layout(kind="trajectory", dims=("channel", "agent"), channels=("x", "y", "z")[:space])
    return Dataset(layout=layout, recordings=(Recording.of(values),))


def forecast(data, members=1, origin=6, **options):
    return ConstantVelocity(**options).fit(data, H).forecast(data.recordings[0], origin, Key.of(0, members))


@pytest.mark.parametrize("space", [2, 3])
def test_without_noise_every_member_goes_straight_on(space):
    data = scene(space)
    last, before = data.recordings[0].values[4], data.recordings[0].values[3]
    found = forecast(data, members=2, origin=5, turn=0, spread=0)
    for lead in range(H):
        for member in found:
            np.testing.assert_allclose(member[lead], last + (lead + 1) * (last - before), atol=1e-12)


@pytest.mark.parametrize("space", [2, 3])
def test_angles_and_speeds_follow_their_laws(space):
    data = scene(space)
    values = data.recordings[0].values
    step = values[-1] - values[-2]
    moved = forecast(data, members=4000, turn=20.0, spread=0.4) - values[-1]
    # All frames ahead share one angle and one speed.
    ahead = np.arange(1, H + 1)[:, None, None]
    np.testing.assert_allclose(moved, moved[:, :1] * ahead, atol=1e-12)
    first = moved[:, 0]
    ratio = np.linalg.norm(first, axis=1) / np.linalg.norm(step, axis=0)
    cosine = (first * step).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(step, axis=0)
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    for agent in range(3):
        assert stats.kstest(np.log(ratio[:, agent]), stats.norm(0, 0.4).cdf).pvalue > 1e-3
        assert stats.kstest(angle[:, agent], stats.halfnorm(0, 20.0).cdf).pvalue > 1e-3
    # To either side alike, and agents for themselves.
    aside = first - first.mean(0)
    assert np.abs(first.mean(0) - np.exp(0.08) * np.exp(-(np.radians(20) ** 2) / 2) * step).max() < 0.06
    together = np.corrcoef(aside[:, 0, 0], aside[:, 0, 1])[0, 1]
    assert abs(together) < 0.06


def test_a_turn_to_the_left_is_counterclockwise():
    data = scene()
    recording = data.recordings[0]
    step = recording.values[-1] - recording.values[-2]
    moved = forecast(data, members=200, turn=30.0, spread=0)[:, 0] - recording.values[-1]
    cross = step[0] * moved[:, 1] - step[1] * moved[:, 0]
    drawn = np.arcsin(np.clip(cross / (step**2).sum(0), -1, 1))
    assert (drawn > 0).mean() == pytest.approx(0.5, abs=0.06)


def test_who_has_just_come_stands_still_and_who_is_gone_has_no_forecast():
    data = scene()
    values = data.recordings[0].values
    values[4, :, 1] = np.nan
    values[5, :, 2] = np.nan
    found = forecast(data, members=3)
    np.testing.assert_array_equal(found[:, :, :, 1], np.broadcast_to(values[5, :, 1], (3, H, 2)))
    assert np.isnan(found[..., 2]).all()
    np.testing.assert_array_equal(forecast(data, origin=1)[0, 0], values[0])


def test_a_member_depends_on_its_own_number_alone():
    few, many = forecast(scene(), members=2), forecast(scene(), members=9)
    np.testing.assert_array_equal(few, many[:2])
    assert (few[0] != few[1]).all()


def test_it_is_for_agents_and_needs_a_frame():
    series = Dataset(layout=Layout(channels=("a",)), recordings=(Recording.of(np.zeros((9, 1))),))
    with pytest.raises(IncompatibleError, match="moves agents"):
        ConstantVelocity().fit(series, H)
    with pytest.raises(InputError, match="at least one known frame"):
        forecast(scene(), origin=0)
    assert [m.kind for m in default_baselines(scene().layout)] == ["persistence", "constant_velocity"]
