"""Clips trained without being told their history: exactly those, hidden whole, and the law of whole clips."""

import pytest
import torch
from torch import nn

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.keys import Key
from rheos.core.scope import Scope
from rheos.denoise import Denoiser, GaussianOracle, Objective
from rheos.process import Process
from rheos.process.schedule import CondOT
from rheos.sample import Preset, probe
from rheos.sample.solver import Exponential

F64 = torch.float64
PAST, FRAMES = 2, 5
DIFFUSED = Process(CondOT(), history="diffused")


class Told(nn.Module):
    """A network that answers with all that the context says of the history."""

    def forward(self, x, level, context):
        answer = 0.1 * x
        for value, weight in ((context.history, 1.0), (context.past, 0.5)):
            if value is not None:
                answer = answer + weight * value.mean((1, 2), keepdim=True)
        if context.lagged is not None:
            answer = answer + 0.3 * context.lagged.sum(2)
        return answer + context.calendar[..., :1]


def clips(rows=40):
    def drawn(seed, *shape):
        return torch.randn(rows, *shape, generator=torch.Generator().manual_seed(seed), dtype=F64)

    x0 = drawn(0, FRAMES, 3)
    context = Context(
        history_frames=PAST,
        history=x0[:, :PAST],
        mask=torch.ones_like(x0),
        lagged=drawn(1, FRAMES, 2, 3),
        past=drawn(2, PAST, 1),
        calendar=drawn(3, FRAMES, 1),
    )
    return x0, context


def losses(share, context, x0, step=0, process=DIFFUSED):
    objective = Objective(unconditional=share)
    return objective(Denoiser(Told(), process), x0, context, Key(*_rows(len(x0)), step=step))


def _rows(count):
    key = Key.of(7, count)
    return key.words, key.member


def test_never_and_always_are_the_losses_with_and_without_the_history():
    x0, context = clips()
    usual = Objective()(Denoiser(Told(), DIFFUSED), x0, context, Key.of(7, len(x0)))
    assert torch.equal(losses(0.0, context, x0), usual)
    hidden = Objective()(Denoiser(Told(), DIFFUSED), x0, context.hidden(), Key.of(7, len(x0)))
    torch.testing.assert_close(losses(1.0, context, x0), hidden, rtol=0, atol=1e-12)
    assert float((hidden - usual).abs().min()) > 1e-6


def test_the_others_are_a_share_of_clips_chosen_anew_each_step():
    x0, context = clips(2000)
    shown, hidden = losses(0.0, context, x0), losses(1.0, context, x0)
    some = losses(0.3, context, x0)
    chosen = (some - hidden).abs() < (some - shown).abs()
    torch.testing.assert_close(some, torch.where(chosen, hidden, shown), rtol=0, atol=1e-12)
    # Binomial: a deviation of 0.0102; four of them.
    assert abs(float(chosen.double().mean()) - 0.3) < 0.041
    later = losses(0.3, context, x0, step=1)
    again = (later - losses(1.0, context, x0, step=1)).abs() < 1e-12
    assert not torch.equal(again, chosen)


def test_hiding_leaves_what_is_no_value_and_changes_nothing_of_the_caller_s():
    _, context = clips()
    rows = torch.arange(40) % 2 == 0
    hidden = context.hidden(rows)
    for name in ("history", "lagged", "past"):
        value, left = getattr(context, name), getattr(hidden, name)
        assert (left[rows] == 0).all()
        assert torch.equal(left[~rows], value[~rows])
        assert (value != 0).all()
        assert getattr(context.hidden(), name) is None
    assert hidden.calendar is context.calendar
    assert hidden.mask is context.mask


def test_a_history_that_is_clean_cannot_be_hidden():
    x0, context = clips()
    with pytest.raises(IncompatibleError, match="history='diffused'"):
        losses(0.5, context, x0, process=Process(CondOT()))


@pytest.mark.parametrize("frames", [0, PAST])
def test_the_law_of_whole_clips_is_conditional_once_the_history_is_held(frames):
    """The oracle of whole clips, history at t = 0: N(E[x_f | x_h], Cov[x_f | x_h]); else the clip's law."""
    memory = 0.8
    covariance = memory ** (torch.arange(FRAMES)[:, None] - torch.arange(FRAMES)).abs().to(F64)
    mean = torch.linspace(-1, 1, FRAMES, dtype=F64)
    oracle = GaussianOracle(mean, covariance, DIFFUSED)
    seen = torch.tensor([[[0.7], [-1.4], [0.0], [0.0], [0.0]]], dtype=F64)
    given = torch.zeros(FRAMES, 1, dtype=torch.bool)
    given[:frames] = True
    context = Context(history_frames=PAST, observation=seen, scope=Scope.of(FRAMES, 1, given=given))
    preset = Preset(solver=Exponential(order=3), evaluations=120)
    law = probe(oracle, (FRAMES, 1), process=DIFFUSED, context=context, preset=preset)
    if frames == 0:
        expected = mean, covariance
    else:
        # An AR(1) knows its last frame alone.
        ahead = torch.arange(1, FRAMES - PAST + 1, dtype=F64)
        gain = memory**ahead
        expected = (
            mean[PAST:] + gain * (seen[0, PAST - 1, 0] - mean[PAST - 1]),
            covariance[PAST:, PAST:] - gain[:, None] * gain,
        )
    torch.testing.assert_close(law.mean.flatten()[frames:], expected[0], rtol=0, atol=2e-2)
    torch.testing.assert_close(law.covariance[frames:, frames:], expected[1], rtol=0, atol=2e-2)
