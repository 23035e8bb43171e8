"""Starts drawn from clips at hand: their law, the exact conditional law they lead to, what is seen of it."""

import pytest
import torch
from torch import nn

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.keys import Key, Purpose
from rheos.denoise import Ends, EndsDenoiser, EndsObjective
from rheos.denoise.ends_denoiser import twice
from rheos.process import Resampled, TwoSided
from rheos.process.coordinates import Anchored
from rheos.sample import transport

F64 = torch.float64
ERRORS = torch.tensor([-2.0, -1.7, 0.1, 0.4, 0.5, 3.0], dtype=F64).reshape(6, 1, 1)
CLOUD, SLOPE, VARIANCE = 0.4, 0.8, 0.3
ROWS = 60


def number(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


class Oracle:
    """d and n where x_a is one of the errors and its cloud, and x_b | h ~ N(SLOPE h, VARIANCE) without it."""

    def __init__(self, process):
        self.process = process

    def __call__(self, x, t, context):
        t = t.flatten()[-1]
        gamma, middle = self.process.level(t), SLOPE * context.history[:, :1]
        total = (1 - t) ** 2 * VARIANCE + t**2 * CLOUD**2 + gamma**2
        away = (x[:, 1:, :, None] - (1 - t) * middle[..., None] - t * ERRORS.flatten()) / total
        share = torch.softmax(-0.5 * total * away**2, -1)
        lead = ERRORS.flatten() - middle[..., None] + (t * CLOUD**2 - (1 - t) * VARIANCE) * away
        difference, noise = (share * lead).sum(-1), (share * gamma * away).sum(-1)
        still = torch.zeros_like(x[:, :1])
        return Ends(torch.cat((still, difference), 1), torch.cat((still, noise), 1))


def below(x, centers, deviation):
    """The share of a mixture of normals below each number."""
    return torch.special.ndtr((x[:, None] - centers) / deviation).mean(1)


@pytest.mark.parametrize("h", [-1.5, 0.0, 2.0])
@pytest.mark.parametrize("gamma", ["brownian", "sine"])
def test_the_flow_leads_to_the_exact_law_given_the_history(gamma, h):
    """In one dimension the flow keeps the order: shares below are the same at either end, to 2e-4."""
    process = TwoSided(gamma=gamma, cloud=CLOUD)
    context = Context(history_frames=1, history=torch.full((ROWS, 1, 1), h, dtype=F64))
    start = Resampled(ERRORS, CLOUD).draw(Key.of(1, ROWS), context, F64, "cpu")
    done = transport(Oracle(process), start, context=context, steps=300).clips
    assert torch.equal(done[:, :1], context.history)
    found = below(done[:, 1, 0], torch.tensor([SLOPE * h], dtype=F64), VARIANCE**0.5)
    torch.testing.assert_close(found, below(start[:, 1, 0], ERRORS.flatten(), CLOUD), rtol=0, atol=2e-4)
    assert float(found.min()) < 0.1 < 0.9 < float(found.max())


def test_starts_have_their_law_and_know_no_history():
    """Mean and variance of 20 000, five standard errors; the same row is always the same start."""
    law, rows = Resampled(ERRORS, CLOUD), 20_000
    drawn = law.draw(Key.of(2, rows), Context(history_frames=2), F64, "cpu")
    assert drawn.shape == (rows, 3, 1)
    assert torch.equal(drawn[:, :2], torch.zeros(rows, 2, 1, dtype=F64))
    values = drawn[:, 2, 0]
    variance = ERRORS.var(correction=0) + CLOUD**2
    assert abs(float(values.mean() - ERRORS.mean())) < 5 * float((variance / rows).sqrt())
    fourth = ((values - values.mean()) ** 2).std() / rows**0.5
    assert abs(float(values.var() - variance)) < 5 * float(fourth)
    again = law.draw(Key.of(2, torch.tensor([7, 3])), Context(), F64, "cpu")
    assert torch.equal(again[:, 0], drawn[[7, 3], 2])
    other = law.draw(Key.of(2, 5).at(Purpose.START, 1), Context(), F64, "cpu")
    assert not torch.equal(other[:, 0], drawn[:5, 2])
    sharp = Resampled(ERRORS, 1e-9)
    first, second = (
        sharp.draw(Key.of(2, 40).at(Purpose.START, step), Context(), F64, "cpu") for step in (0, 1)
    )
    assert float((first - second).abs().max()) > 1.0
    # A whole clip is drawn at once: frames of different errors never meet.
    pair = torch.tensor([[0.0, 0.0], [10.0, 10.0]], dtype=F64).reshape(2, 2, 1)
    both = Resampled(pair, 1e-9).draw(Key.of(3, 50), Context(), F64, "cpu")
    torch.testing.assert_close(both[:, 0], both[:, 1])


class Seeing(nn.Module):
    """Remembers what it was shown."""

    def forward(self, x, level, context):
        self.x, self.context = x, context
        return 0.1 * x


def anchored(rows=3):
    return Context(
        history_frames=1,
        history=number(4, rows, 1, 2),
        mask=torch.ones(rows, 3, 2, dtype=F64),
        lagged=number(5, rows, 3, 4, 2),
        anchor=number(6, rows, 3, 2),
        anchor_scale=torch.tensor([2.0, 0.5], dtype=F64).expand(rows, 3, 2),
    )


def test_the_network_sees_clips_in_their_own_units_and_all_of_the_context_twice():
    context, u = anchored(), number(7, 3, 3, 2)
    denoiser = EndsDenoiser(Seeing(), TwoSided(), Anchored())
    denoiser(u, torch.tensor(0.4, dtype=F64), context)
    seen = context.anchor + context.anchor_scale * u
    torch.testing.assert_close(denoiser.network.x, torch.cat((seen, seen), 2))
    shown = denoiser.network.context
    assert torch.equal(shown.lagged, torch.cat((context.lagged, context.lagged), 3))
    for name in ("history", "mask", "anchor", "anchor_scale"):
        value = getattr(context, name)
        assert torch.equal(getattr(shown, name), torch.cat((value, value), 2))
    assert twice(Context(anchor_scale=torch.ones(1, 1, 1))).anchor_scale.shape == (1, 1, 1)
    torch.testing.assert_close(denoiser.canonical(denoiser.read(u, context), context), u)


def test_training_joins_deviations_from_the_anchor_with_starts_of_the_law():
    context, x0, errors = anchored(), number(8, 3, 3, 2), number(9, 5, 2, 2)
    denoiser = EndsDenoiser(Seeing(), TwoSided(), Anchored(), Resampled(errors, 0.3))
    key = Key.of(10, 3).at(Purpose.START, 4)
    loss = EndsObjective()(denoiser, x0, context, key)
    start = denoiser.start(key, context, x0)
    assert torch.equal(EndsObjective()(denoiser, x0, context, key, start), loss)
    plain = EndsDenoiser(Seeing(), TwoSided())
    deviation = (x0 - context.anchor) / context.anchor_scale
    # The network answers a tenth of what it sees, which is in other units there.
    assert not torch.equal(EndsObjective()(plain, deviation, Context(history_frames=1), key, start), loss)
    hidden = EndsDenoiser(_Silent(), TwoSided(), Anchored(), Resampled(errors, 0.3))
    bare = EndsDenoiser(_Silent(), TwoSided())
    torch.testing.assert_close(
        EndsObjective()(hidden, x0, context, key),
        EndsObjective()(bare, deviation, Context(history_frames=1), key, start),
    )


class _Silent(nn.Module):
    def forward(self, x, level, context):
        return torch.zeros_like(x)


def test_without_a_law_of_starts_clips_must_be_brought():
    with pytest.raises(IncompatibleError, match="nothing says where clips start"):
        EndsObjective()(EndsDenoiser(_Silent(), TwoSided()), number(1, 2, 2, 1), Context(), Key.of(0, 2))


def test_history_is_held_in_the_denoisers_coordinates():
    context = anchored()
    denoiser = EndsDenoiser(_Silent(), TwoSided(), Anchored(), Resampled(number(9, 5, 2, 2), 0.3))
    start = denoiser.start(Key.of(0, 3), context, context.anchor)
    done = transport(denoiser, start, context=context, steps=2).clips
    assert torch.equal(done[:, :1], context.history)
    torch.testing.assert_close(done[:, 1:], denoiser.read(start, context)[:, 1:])
    watched = EndsDenoiser(Seeing(), TwoSided(), Anchored())
    transport(watched, start, context=context, steps=1)
    torch.testing.assert_close(watched.network.x[:, :1, :2], context.history)
