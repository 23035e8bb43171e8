"""The geometric prior: exact where motion is affine, and it turns, shifts and reorders with the agents."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from rheos.core.errors import IncompatibleError
from rheos.data.anchor.geometric import Geometric, pace
from rheos.data.codec import Scale
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.generator import Springs
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowSpec

RNG = np.random.default_rng(11)


def dataset_of(values):
    channels = ("x", "y", "z")[: values[0].shape[1]]
    layout = Layout(kind="trajectory", dims=("channel", "agent"), channels=channels)
    return Dataset(
        layout=layout, recordings=tuple(Recording.of(v, name=str(i)) for i, v in enumerate(values))
    )


def source_of(dataset, history=5, horizon=3):
    codec = Scale(isotropic=True).fit(dataset)
    return WindowSource(dataset, WindowSpec(history=history, horizon=horizon), codec)


def wandering(scenes=3, frames=40, agents=5, space=2, gone=0.0):
    """Smooth random walks of agents who come and go."""
    steps = RNG.normal(size=(scenes, frames, space, agents)) * 0.1
    values = np.cumsum(np.cumsum(steps, axis=1) * 0.3 + steps, axis=1) + 3 * RNG.normal(size=(1, 1, space, 1))
    values[np.broadcast_to(RNG.uniform(size=(scenes, frames, 1, agents)) < gone, values.shape)] = np.nan
    return list(values)


def everything(source):
    return source.batch(np.arange(len(source)))


def test_uniform_motion_is_foreseen_from_two_frames():
    start, speed = RNG.normal(size=(2, 6, 2, 4))
    values = [a + np.arange(12)[:, None, None] * v for a, v in zip(start, speed, strict=True)]
    # The last agent comes two frames before the origin of the first window.
    values[0][:3, :, 3] = np.nan
    source = source_of(dataset_of(values))
    fitted = Geometric(penalty=1e-12).fit(source, np.arange(len(source)))
    batch = everything(source)
    seen = np.isfinite(batch.history[:, -2:]).all((1, 2))[:, None, None]
    error = np.where(seen & np.isfinite(batch.future), batch.future - fitted.future(batch), 0.0)
    assert np.abs(error).max() < 1e-4


def test_springs_between_all_are_foreseen_by_the_others_mean_place():
    data = Springs(
        particles=5, systems=20, frames=12, chance=1.0, strength=1.0, interval=0.4, dt=0.01
    ).generate(0)
    source = source_of(data, history=4, horizon=4)
    fitted = Geometric(penalty=1e-12).fit(source, np.arange(len(source)))
    batch = everything(source)
    assert np.abs(batch.future - fitted.future(batch)).max() < 1e-4
    assert np.abs(batch.future - batch.history[:, -1:]).max() > 0.5


def test_weights_are_those_of_plain_least_squares():
    source = source_of(dataset_of(wandering(agents=1)), history=3, horizon=2)
    weights = Geometric(penalty=1e-12).fit(source, np.arange(len(source))).weights
    batch = everything(source)
    last, before, first = (batch.history[:, -k].ravel() for k in (1, 2, 3))
    for lead in range(2):
        target = batch.future[:, lead].ravel() - last
        exact = np.linalg.lstsq(np.stack([last - before, last - first], 1), target, rcond=None)[0]
        np.testing.assert_allclose(weights[2, :2, lead], exact, atol=1e-5)
        one = np.linalg.lstsq((last - before)[:, None], target, rcond=None)[0]
        np.testing.assert_allclose(weights[1, :2, lead], [one[0], 0.0], atol=1e-5)
    assert not weights[0].any()


@pytest.mark.parametrize("space", [2, 3])
def test_anchors_turn_shift_and_change_places_with_the_agents(space):
    values = wandering(space=space, gone=0.1)
    source = source_of(dataset_of(values))
    turn, _ = np.linalg.qr(RNG.normal(size=(space, space)))
    shift, order = RNG.normal(size=(space, 1)), RNG.permutation(5)
    moved = [np.einsum("ij,fjn->fin", turn, v)[..., order] + shift for v in values]
    other = source_of(dataset_of(moved))
    indices = np.arange(len(source))
    config = Geometric()
    ours, theirs = config.fit(source, indices), config.fit(other, indices)
    np.testing.assert_allclose(theirs.weights, ours.weights, atol=2e-4)
    np.testing.assert_allclose(theirs.scale, ours.scale, rtol=1e-4)
    # With the same weights the anchor itself follows, in float64 to rounding.
    exact = [replace(s.batch(indices), history=_raw(s, v)) for s, v in ((source, values), (other, moved))]
    before, after = (ours.future(batch) for batch in exact)
    there = np.isfinite(exact[1].history).any((1, 2))[:, None, None]
    wanted = np.einsum("ij,bfjn->bfin", turn, before)[..., order] + shift
    assert np.abs(np.where(there, after - wanted, 0.0)).max() < 1e-10


def _raw(source, values):
    """Histories of all windows in float64."""
    return np.stack(
        [values[s][o - source.spec.history : o] for s, o in zip(source.sequence, source.origin, strict=True)]
    )


def test_agents_who_are_not_there_are_no_others():
    values = wandering(agents=4)
    alone = [v.copy() for v in values]
    for v in alone:
        v[:, :, 2:] = np.nan
    source = source_of(dataset_of(alone))
    fitted = Geometric().fit(source, np.arange(len(source)))
    few = source_of(dataset_of([v[:, :, :2] for v in alone]))
    batch, less = everything(source), everything(few)
    np.testing.assert_allclose(fitted.future(batch)[..., :2], fitted.future(less), atol=1e-6)
    assert not fitted.future(batch)[..., 2:].any()


def test_anchor_and_scale_are_finite_one_number_a_frame_and_survive_storage():
    source = source_of(dataset_of(wandering(gone=0.4)))
    config = Geometric()
    fitted = config.fit(source, np.arange(len(source)))
    assert fitted.scale.shape == (8, 1, 1)
    batch = everything(source)
    anchor, scale = fitted(batch)
    assert anchor.shape == scale.shape == (len(batch), 8, 2, 5)
    assert np.isfinite(anchor).all()
    assert (scale > 0).all()
    assert fitted.rhythm is None
    again = config.restore(fitted.to_arrays())(batch)
    np.testing.assert_array_equal(again[0], anchor)
    np.testing.assert_array_equal(again[1], scale)
    error = (batch.future - fitted.future(batch)).astype(np.float64)
    gone = np.isnan(batch.history[:, -1:]).any(2, keepdims=True)
    error[np.broadcast_to(gone, error.shape)] = np.nan
    np.testing.assert_allclose(
        fitted.scale[5:, 0, 0], np.sqrt(np.nanmean(error**2, axis=(0, 2, 3))), rtol=1e-5
    )


def test_series_are_refused():
    layout = Layout(channels=("a",))
    source = source_of(Dataset(layout=layout, recordings=(Recording.of(RNG.normal(size=(30, 1))),)))
    with pytest.raises(IncompatibleError, match="geometric adds up places"):
        Geometric().fit(source, np.arange(len(source)))


@pytest.mark.parametrize("mode", ["global", "robust", "window"])
def test_an_isotropic_scale_is_the_same_for_all_axes(mode):
    values = wandering(space=3)
    data = dataset_of([v * np.array([1.0, 5.0, 2.0])[:, None] for v in values])
    fitted = Scale(mode=mode, isotropic=True, floor=1e-3).fit(data)
    plain = Scale(mode=mode).fit(data)
    assert np.ptp(fitted.scale) == 0
    np.testing.assert_allclose(fitted.scale.ravel() ** 2, (plain.scale**2).mean(), rtol=1e-12)
    np.testing.assert_array_equal(fitted.location, plain.location)
    if mode == "window":
        history = data.recordings[0].values[None, :6]
        scale = fitted.state(history)["scale"]
        assert np.ptp(scale) == 0
        np.testing.assert_allclose(scale[0].ravel() ** 2, (history.std((1, 3)) ** 2).mean(), rtol=1e-6)
    restored = Scale(mode=mode, isotropic=True, floor=1e-3).restore(fitted.to_arrays())
    np.testing.assert_array_equal(restored.scale, fitted.scale)


def paced(power, scenes=40, frames=40, agents=5):
    """Agents who keep their own pace, and stray from it by that to a power."""
    rng = np.random.default_rng(3)
    values = []
    for _ in range(scenes):
        speed = 0.5 * np.exp(rng.normal(size=agents))
        angle = rng.uniform(0, 2 * np.pi, agents)
        step = speed * np.stack([np.cos(angle), np.sin(angle)])
        stray = 0.02 * speed**power * rng.normal(size=(frames, 2, agents))
        values.append(np.arange(frames)[:, None, None] * step + stray)
    return source_of(dataset_of(values))


def test_the_scale_follows_an_agents_pace_where_errors_do():
    for power in (0.5, 1.0):
        source = paced(power)
        fitted = Geometric().fit(source, np.arange(len(source)))
        assert abs(fitted.unrest.power[0] - power) <= 0.125
        batch = everything(source)
        spread = fitted.spread(batch)
        assert spread.dtype == np.float32
        away = (batch.future - fitted.future(batch)).astype(np.float64)
        size = np.sqrt((np.diff(batch.history, axis=1).astype(np.float64) ** 2).sum(2).mean(1))
        ends = np.quantile(size, [0, 0.25, 0.5, 0.75, 1])
        for low, high in pairwise(ends):
            mine = (size >= low) & (size <= high)
            canonical = (away / spread).transpose(0, 3, 1, 2)[mine]
            assert 0.75 < np.sqrt((canonical**2).mean()) < 1.25
        slow = (away / fitted.scale[5:]).transpose(0, 3, 1, 2)[size <= ends[1]]
        assert np.sqrt((slow**2).mean()) < 0.6
        again = Geometric().restore(fitted.to_arrays())
        np.testing.assert_array_equal(again.spread(batch), spread)


def test_the_scale_follows_no_pace_where_errors_do_not_or_where_told_not_to():
    source = paced(0.0)
    assert Geometric().fit(source, np.arange(len(source))).unrest is None
    source = paced(1.0)
    plain = Geometric(pace=False).fit(source, np.arange(len(source)))
    assert plain.unrest is None
    assert np.ptp(plain.spread(everything(source)), axis=(0, 2, 3)).max() == 0


def test_pace_turns_with_space_and_is_that_of_the_steps_that_were_seen():
    history = RNG.normal(size=(2, 4, 2, 3))
    history[0, 1, :, 1] = np.nan  # of three steps one is left
    history[0, :3, :, 2] = np.nan
    found = pace(history)
    exact = np.linalg.norm(history[0, 3, :, 1] - history[0, 2, :, 1])
    assert found[0, 1] == pytest.approx(exact, rel=1e-12)
    assert np.isnan(found[0, 2])
    steps = np.linalg.norm(np.diff(history[1, :, :, 0], axis=0), axis=1)
    assert found[1, 0] == pytest.approx(np.sqrt((steps**2).mean()), rel=1e-12)
    turn = np.linalg.qr(RNG.normal(size=(2, 2)))[0]
    turned = np.einsum("ij,bfjn->bfin", turn, history) + 7.0
    np.testing.assert_allclose(pace(turned), found, rtol=1e-10)


def test_the_scale_is_that_of_agents_who_have_been_there_as_long():
    source = source_of(dataset_of(wandering(scenes=6, frames=60, agents=6, gone=0.1)))
    fitted = Geometric(pace=False).fit(source, np.arange(len(source)))
    assert fitted.seen.shape == (5, 3)
    batch = everything(source)
    canonical = ((batch.future - fitted.future(batch)) / fitted.spread(batch)).astype(np.float64)
    stayed = np.cumprod(np.isfinite(batch.history[:, ::-1]).all(2), axis=1).sum(1)
    for frames in range(1, 6):
        mine = canonical.transpose(0, 3, 1, 2)[stayed == frames]
        np.testing.assert_allclose(np.sqrt(np.nanmean(mine**2, axis=(0, 2))), 1.0, rtol=1e-5)
    assert fitted.seen[0].min() > 1.05 * fitted.seen[-1].max()
    few = source_of(dataset_of(wandering(scenes=1, frames=20, agents=2, gone=0.2)))
    assert not (Geometric(pace=False).fit(few, np.arange(len(few))).seen[:-1] != 1).any()
