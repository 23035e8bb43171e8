"""DYffusion: the laws of its sampler, its losses on known networks, and a forecast learned from a law."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rheos.baseline.learned import DYffusion
from rheos.baseline.learned.between import Between
from rheos.baseline.learned.cold import cold_sample, refined, times_of
from rheos.baseline.learned.dropout import Dropout
from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.keys import Key
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.network import FieldNetwork, SeriesNetwork

H, C = 5, 0.7
X0 = torch.tensor([0.3, -1.2], dtype=torch.float64)


def line(x0, xh, i):
    assert i > 0, "at time 0 it is x_0 by definition"
    return x0 + (i / H) * (xh - x0)


def truth(i):
    return X0 + i * C


SMALL = SeriesNetwork(width=8, depth=1, heads=2, rank=4, patch=1)


@pytest.mark.parametrize("extra", [0, 1, 4])
def test_times_are_extra_ones_and_then_one_a_frame(extra):
    times = times_of(H, extra)
    assert len(times) == H + extra
    assert times[0] == 0
    assert times[extra + 1 :] == (1, 2, 3, 4)[: H - 1]
    np.testing.assert_allclose(np.diff(times[: extra + 2]), 1 / (extra + 1))


@pytest.mark.parametrize("naive", [False, True])
@pytest.mark.parametrize("extra", [0, 1, 4])
def test_a_straight_path_is_exact(extra, naive):
    course = cold_sample(X0, times_of(H, extra), lambda s, i: truth(H), line, naive)
    for frame, state in enumerate(course.frames(), start=1):
        torch.testing.assert_close(state, truth(frame), rtol=0, atol=1e-12)
    for frame, state in enumerate(refined(X0, course, line), start=1):
        torch.testing.assert_close(state, truth(frame), rtol=0, atol=1e-12)


@pytest.mark.parametrize("extra", [0, 3])
def test_a_constant_error_grows_along_the_line_whether_cold_or_naive(extra):
    off, times = 0.4, times_of(H, extra)
    cold, naive = (cold_sample(X0, times, lambda s, i: truth(H) + off, line, way) for way in (False, True))
    for i, one, other in zip(times, cold.states, naive.states, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
        torch.testing.assert_close(one, truth(i) + off * i / H, rtol=0, atol=1e-12)


@pytest.mark.parametrize("extra", [0, 3])
def test_cold_sampling_keeps_an_offset_that_the_naive_one_replaces(extra):
    """F(s, i) = s + (h - i) c, with an offset o put on once: each step's law is exact."""
    times, offset = times_of(H, extra), 0.25

    def forecast(state, i):
        return state + (H - i) * C

    for naive in (False, True):
        course = cold_sample(X0 + offset, times, forecast, lambda x0, xh, i: line(X0, xh, i), naive)
        gone = [state - truth(i) for i, state in zip(times, course.states, strict=True)]
        # The first step leaves from x_0 by definition, so the offset is handed on from the second one.
        for here, there, before, after in zip(times[1:-1], times[2:], gone[1:-1], gone[2:], strict=True):
            grown = before * there / H if naive else before * (1 + (there - here) / H)
            torch.testing.assert_close(after, grown, rtol=0, atol=1e-12)


def test_one_frame_is_a_regression_without_an_interpolator():
    def never(x0, xh, i):
        raise AssertionError("a horizon of one frame has nothing between")

    course = cold_sample(X0, times_of(1), lambda s, i: s + C, never)
    assert len(course.frames()) == 1
    torch.testing.assert_close(course.end, X0 + C)


def dataset(values, kind="series", dims=("channel",)):
    layout = Layout(kind=kind, dims=dims, channels=tuple(f"c{n}" for n in range(values.shape[1])))
    return Dataset(layout=layout, recordings=(Recording.of(values),))


def clips(horizon=H, batch=6, features=(2,)):
    clip = torch.randn(batch, 3 + horizon, *features, generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(clip)
    calendar = torch.arange(3.0 + horizon)[None, :, None].expand(batch, -1, 1) / 10
    return clip, Context(history_frames=3, history=clip[:, :3], mask=mask, calendar=calendar)


def networks(clip, context, dropout=0.5, seed=0):
    nets = Between(SMALL, clip, context, dropout, seed)
    for parameter in nets.parameters():
        # Last layers and gates start at 0, where neither time nor dropout shows.
        torch.nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(parameter.numel()))
    return nets


def test_untrained_it_is_the_straight_line_and_persistence():
    clip, context = clips()
    nets = Between(SMALL, clip, context, 0.5, 0)
    i = torch.tensor([1.0, 2, 3, 4, 1, 2], dtype=torch.float64)
    x0, xh = clip[:, 2], clip[:, -1]
    share = (i / H)[:, None].float()
    found = nets.interpolate(x0, xh, i, context, Key.of(0, 6), 0)
    torch.testing.assert_close(found, x0 + share * (xh - x0))
    torch.testing.assert_close(nets.forecast(x0, i, context), x0)


def test_losses_are_the_paper_s_on_known_networks():
    """An interpolator and a forecaster replaced by known functions: each term by hand."""
    clip, context = clips()
    method, key = DYffusion(network=SMALL, extra=1), Key.of(3, 6)
    times = torch.tensor((*times_of(H, 1), H), dtype=torch.float64)
    nets = networks(clip, context)
    x0, xh = clip[:, 2], clip[:, -1]

    def bent(x0, xh, i, context, key, call):
        return x0 + (i / H)[:, None].float() ** 2 * (xh - x0) + 0.3 + 0.1 * call

    def guessed(state, i, context):
        return 0.8 * state + 0.05 * i[:, None].float()

    nets.interpolate, nets.forecast = bent, guessed
    seen = set()
    for step in range(12):
        key = Key(key.words, key.member, key.purpose, step)
        found = method.forecast_loss(nets)(clip, context, key)
        options = []
        for n in range(len(times) - 1):
            here, there = times[n].expand(6), times[n + 1].expand(6)
            state = x0 if n == 0 else bent(x0, xh, here, context, key, 0)
            end = guessed(state, here, context)
            first = ((end - xh) ** 2).mean(1)
            onward = guessed(bent(x0, end, there, context, key, 1), there, context)
            both = 0.5 * first + 0.5 * ((onward - xh) ** 2).mean(1)
            options.append(first if n == len(times) - 2 else both)
        gaps = (torch.stack(options) - found).abs()
        assert float(gaps.min(0).values.max()) < 1e-5
        seen |= set(gaps.argmin(0).tolist())
    assert seen == set(range(len(times) - 1))


def test_the_interpolator_learns_every_frame_between_and_only_what_is_observed():
    clip, context = clips()
    nets, method = networks(clip, context), DYffusion(network=SMALL)
    context.mask[:, :, 1] = 0.0
    context.mask[0] = 0.0
    seen = set()
    nets.interpolate = lambda x0, xh, i, context, key, call: seen.update(i.tolist()) or 0 * x0
    for step in range(12):
        found = method.interpolation_loss(nets)(clip, context, Key(*_rows(6), step=step))
    assert seen == {1.0, 2.0, 3.0, 4.0}
    assert float(found[0]) == 0
    squares = clip[1:, 3:-1, 0] ** 2
    assert all(
        float((square - loss).abs().min()) < 1e-6 for square, loss in zip(squares, found[1:], strict=True)
    )


def _rows(count):
    key = Key.of(0, count)
    return key.words, key.member


@pytest.mark.parametrize("refine", [False, True])
def test_a_forecast_is_the_course_of_its_networks_each_call_dropping_other_numbers(refine):
    clip, context = clips()
    nets, calls = networks(clip, context), []

    def bent(x0, xh, i, context, key, call):
        calls.append(call)
        return x0 + (i / H)[:, None].float() ** 2 * (xh - x0)

    nets.interpolate = bent
    nets.forecast = lambda state, i, context: 0.8 * state + 0.1 * i[:, None].float()
    method = DYffusion(network=SMALL, extra=1, refine=refine)
    found = method.drawn_from(nets)(clip, context, Key.of(0, 6))
    assert calls == list(range(len(calls)))
    x0 = clip[:, 2]

    def between(x0, xh, i):
        return x0 + (i / H) ** 2 * (xh - x0)

    course = cold_sample(x0, times_of(H, 1), lambda s, i: 0.8 * s + 0.1 * i, between)
    expected = refined(x0, course, between) if refine else course.frames()
    torch.testing.assert_close(found, torch.stack(expected, 1))


def test_dropout_has_its_rate_its_scale_and_rows_of_its_own():
    network = SMALL.build(_shapes(), 0)
    part, rate = network.blocks[0].branches[0].branch, 0.25
    dropout, seen = Dropout(network, rate), []
    part.register_forward_hook(lambda module, inputs, output: seen.append(output.detach()))
    tokens = torch.randn(40, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    whole = part(tokens)
    with dropout.by(Key.of(0, 40), 0):
        first = part(tokens)
        again = part(tokens)
    kept = first != 0
    assert abs(float(kept.float().mean()) - (1 - rate)) < 0.02
    torch.testing.assert_close(first[kept], whole[kept] / (1 - rate))
    assert not torch.equal(first, again), "calls within one pass drop other numbers"
    with dropout.by(Key.of(0, [7, 3]), 0):
        torch.testing.assert_close(part(tokens[[7, 3]]), first[[7, 3]])
    with dropout.by(Key.of(0, 40), 1):
        assert not torch.equal(part(tokens), first)
    torch.testing.assert_close(part(tokens), whole)


def _shapes():
    from rheos.network import Shapes

    return Shapes(history=3, horizon=2, channels=2)


def test_time_and_calendar_reach_the_networks():
    clip, context = clips()
    nets = networks(clip, context, dropout=0.0)
    i = torch.full((6,), 1.5, dtype=torch.float64)
    key = Key.of(0, 6)

    def asked(i, context):
        return nets.interpolate(clip[:, 2], clip[:, -1], i, context, key, 0)

    usual = asked(i, context)
    bend = asked(i + 0.2, context) - usual - 0.2 / H * (clip[:, -1] - clip[:, 2])
    assert float(bend.abs().max()) > 1e-3
    for frame, matters in ((3, False), (4, True), (5, False), (7, True)):
        calendar = context.calendar.clone()
        calendar[:, frame] += 1.0
        changed = asked(i, replace(context, calendar=calendar))
        assert torch.equal(changed, usual) != matters, f"frame {frame} is asked at time 1.5 of 5"


def test_it_learns_an_oscillation_and_its_members_are_their_own():
    """Without noise the future follows from the past; members depend on their own rows alone."""
    frames = np.arange(420)
    values = np.stack([np.sin(2 * np.pi * frames / 12), np.cos(2 * np.pi * frames / 12)], 1)
    method = DYffusion(network=SMALL, history=4, steps=240, batch=16, dropout=0.05)
    fitted = method.fit(dataset(values[:400]), 4)
    key = Key.of(5, 8)
    members = fitted.forecast(Recording.of(values[:400]), 400, key)
    assert members.shape == (8, 4, 2)
    assert np.abs(members.mean(0) - values[400:404]).max() < 0.35
    some = fitted.forecast(Recording.of(values[:400]), 400, Key.of(5, [6, 1]))
    np.testing.assert_allclose(some, members[[6, 1]], atol=1e-5)
    assert members.std(0)[:-1].min() > 0
    later = values.copy()
    later[400:] = 9.0
    np.testing.assert_array_equal(fitted.forecast(Recording.of(later), 400, key), members)


def test_fields_with_gaps_are_forecast_and_what_never_was_stays_missing():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(90, 1, 4, 4))
    values[30:32, :, 1] = np.nan
    values[:, :, 0, 0] = np.nan
    network = FieldNetwork(base=4, multipliers=(1,), detail=4, rank=2)
    method = DYffusion(network=network, history=2, steps=4, batch=4, extra=1, refine=True)
    data = dataset(values.astype(np.float32), "field", ("channel", "y", "x"))
    members = method.fit(data, 3).forecast(data.recordings[0], 88, Key.of(0, 2))
    assert members.dtype == np.float32
    assert np.isnan(members[..., 0, 0]).all()
    assert np.isfinite(np.delete(members.reshape(2, 3, 16), 0, axis=2)).all()


def test_what_it_does_not_take_is_refused():
    values = np.random.default_rng(0).normal(size=(60, 2))
    with pytest.raises(InputError, match="a horizon of 1"):
        DYffusion(extra=2, steps=1).fit(dataset(values), 1)
    with pytest.raises(InputError, match="are too few"):
        DYffusion(steps=1, history=30).fit(dataset(values), 20)
    agents = dataset(values.reshape(60, 2, 1).repeat(3, 2), "trajectory", ("channel", "agent"))
    with pytest.raises(InputError, match="tables and fields"):
        DYffusion(steps=1).fit(agents, 3)
    fitted = DYffusion(network=SMALL, steps=2, batch=2, history=2).fit(dataset(values), 1)
    with pytest.raises(InputError, match="is not one of"):
        fitted.forecast(Recording.of(values, name="another"), 50, Key.of(0, 2))
