"""Coordinates against brute-force recursions, Jacobians and the published mixing."""

import math

import pytest
import torch

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.process.coordinates import (
    COORDINATES,
    Anchored,
    Bridge,
    Composed,
    Coordinates,
    FrameMixing,
    GaussianProcess,
    Identity,
)
from rheos.process.noise import FractionalBrownian, SquaredExponential

FRAMES = 6


def number(*shape):
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64)


CONTEXT = Context(anchor=number(2, FRAMES, 3), anchor_scale=0.5 + number(2, 1, 3).abs())
SOME = [Identity(), Anchored(), FrameMixing(), FrameMixing(floor=0.1), Anchored() * FrameMixing(),
        FrameMixing() * Anchored() * Identity(), GaussianProcess(), Bridge(),
        GaussianProcess(prior=FractionalBrownian()),
        Anchored() * GaussianProcess(prior=SquaredExponential(length=2.0))]  # fmt: skip
TIMES = [torch.tensor(0.7), torch.tensor([0.2, 0.99]), torch.tensor([[0.0, 0.0, 0.5, 0.5, 0.5, 0.5]])]
every = pytest.mark.parametrize("coordinates", SOME, ids=repr)
any_time = pytest.mark.parametrize("t", [t.double() for t in TIMES], ids=["scalar", "rows", "frames"])


def level(gb):
    """A time at which the floor-0 mixing has the level gb, for tests that fix gb."""
    first = math.cos(0.008 / 1.008 * math.pi / 2) ** 2
    t = math.acos(math.sqrt(gb * first)) * 1.008 * 2 / math.pi - 0.008
    return torch.tensor(max(t, 0.0), dtype=torch.float64)


def test_every_method_is_tried_here():
    kinds = {type(part) for c in SOME for part in (c.parts if isinstance(c, Composed) else (c,))}
    assert kinds == set(COORDINATES)


@every
@any_time
def test_seen_and_back(coordinates, t):
    u = number(2, FRAMES, 3)
    x = coordinates.to_seen(u, t, CONTEXT)
    assert (coordinates.to_canonical(x, t, CONTEXT) - u).abs().max() < 1e-10


@every
@any_time
def test_linear_part_determinant_and_causality_are_those_of_the_jacobian(coordinates, t):
    u = number(2, FRAMES, 3)
    jacobian = torch.autograd.functional.jacobian(lambda v: coordinates.to_seen(v, t, CONTEXT), u)
    e = number(2, FRAMES, 3) + 1
    moved = torch.einsum("bfcaid,aid->bfc", jacobian, e)
    torch.testing.assert_close(coordinates.linear(e, t, CONTEXT), moved, rtol=1e-12, atol=1e-12)
    rows = jacobian.reshape(2, FRAMES * 3, 2, FRAMES * 3)
    exact = torch.stack([torch.linalg.slogdet(rows[b, :, b])[1] for b in range(2)])
    assert (coordinates.log_det(t, u.shape, CONTEXT) - exact).abs().max() < 1e-10
    later = torch.arange(FRAMES)[:, None] < torch.arange(FRAMES)
    assert coordinates.causal
    assert (jacobian.permute(1, 4, 0, 2, 3, 5)[later] == 0).all()


@every
def test_rows_do_not_see_each_other(coordinates):
    u, t = number(2, FRAMES, 3), torch.tensor([0.2, 0.99], dtype=torch.float64)
    both = coordinates.to_seen(u, t, CONTEXT)
    for row in range(2):
        one = slice(row, row + 1)
        alone = coordinates.to_seen(u[one], t[one], CONTEXT.rows(one))
        torch.testing.assert_close(alone, both[one], rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("gb", [1.0, 0.9, 0.5, 0.2])
def test_mixing_is_the_recursion(gb):
    """(M x)_0 = x_0, (M x)_k = sqrt(gb) x_k + sqrt(1 - gb) (M x)_{k-1}, frame by frame."""
    mixing, t, u = FrameMixing(floor=1e-12), level(gb), number(2, FRAMES, 3)
    expected = [u[:, 0]]
    for k in range(1, FRAMES):
        expected.append(math.sqrt(gb) * u[:, k] + math.sqrt(1 - gb) * expected[-1])
    seen = mixing.to_seen(u, t, Context())
    torch.testing.assert_close(seen, torch.stack(expected, 1), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_mixed_white_noise_is_a_stationary_first_order_process(t):
    """M M^T has entry r^|i - j|: unit variances, lag-1 correlation r."""
    mixing, time = FrameMixing(), torch.tensor(t, dtype=torch.float64)
    matrix = mixing.matrix(time, FRAMES)
    r = mixing.correlation(time)
    lag = (torch.arange(FRAMES)[:, None] - torch.arange(FRAMES)).abs()
    torch.testing.assert_close(matrix @ matrix.T, r**lag, rtol=1e-14, atol=1e-15)


def test_the_inverse_is_bidiagonal():
    time = torch.tensor(0.8, dtype=torch.float64)
    inverse = torch.linalg.inv(FrameMixing().matrix(time, FRAMES))
    assert (torch.tril(inverse, -2).abs() < 1e-14).all()
    applied = FrameMixing().to_canonical(torch.eye(FRAMES).double()[None], time, Context())[0]
    torch.testing.assert_close(applied, inverse, rtol=1e-13, atol=1e-14)


def test_half_a_floor_leaves_half_at_the_end_and_nothing_is_mixed_at_the_start():
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    r = FrameMixing(floor=0.5).correlation(ends)
    assert float(r[0]) == 0.0
    assert float(r[1] ** 2) == pytest.approx(0.5, abs=1e-14)
    u = number(2, FRAMES, 3)
    assert torch.equal(FrameMixing(floor=0.3).to_seen(u, ends[0], Context()), u)


def test_a_floor_of_one_is_plain_bit_for_bit():
    u, t = number(2, FRAMES, 3).float(), torch.tensor([0.4, 1.0], dtype=torch.float64)
    mixing = FrameMixing(floor=1.0)
    assert torch.equal(mixing.to_seen(u, t, Context()), u)
    assert torch.equal(mixing.to_canonical(u, t, Context()), u)
    assert (mixing.matrix(t, FRAMES) == torch.eye(FRAMES)).all()
    assert (mixing.log_det(t, u.shape, Context()) == 0).all()


@pytest.mark.parametrize("rho", [0.1, 0.5, 0.9])
def test_mixing_follows_the_released_discrete_schedule(rho):
    """gamma_i = clip(1 - h(u_{i+1})/h(u_i), 0, .999), h = rho f/f(0) + 1 - rho, gb_i = cumprod(1 - gamma)."""
    steps, s = 1000, 0.008
    u = torch.arange(steps + 1, dtype=torch.float64) / steps
    f = torch.cos((u + s) / (1 + s) * math.pi / 2) ** 2
    h = rho * f / f[0] + (1 - rho)
    gb = torch.cumprod(1 - (1 - h[1:] / h[:-1]).clamp(0, 0.999), 0)
    ours = 1 - FrameMixing(floor=1 - rho).correlation(u[1:]) ** 2
    torch.testing.assert_close(ours, gb, rtol=1e-11, atol=0)


def test_mixing_is_not_rounded_where_the_network_is():
    u, t = number(2, FRAMES, 3).float(), torch.tensor(0.9, dtype=torch.float64)
    expected = FrameMixing().to_seen(u, t, Context())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(FrameMixing().to_seen(u, t, Context()), expected)


def test_a_clip_is_mixed_with_its_largest_time():
    u = number(2, FRAMES, 3)
    frames = torch.tensor([[0.0, 0.0, 0.3, 0.3, 0.3, 0.1], [0.0, 0.0, 0.8, 0.8, 0.9, 0.2]]).double()
    expected = FrameMixing().to_seen(u, torch.tensor([0.3, 0.9]).double(), Context())
    assert torch.equal(FrameMixing().to_seen(u, frames, Context()), expected)


@pytest.mark.parametrize("kept", [0, 10**6])
@pytest.mark.parametrize("coordinates", [c() for c in COORDINATES] + [Anchored() * FrameMixing()], ids=repr)
def test_seen_at_known_times_is_seen(coordinates, kept, monkeypatch):
    """Whether or not matrices are few and small enough to be kept."""
    monkeypatch.setattr("rheos.process.coordinates.frame_mixing._MOST_KEPT", kept)
    u, times = number(2, FRAMES, 3), 0.1 + 0.1 * torch.arange(14, dtype=torch.float64).reshape(7, 2) / 2
    for seen, t in zip(coordinates.seen_at(times, u), times, strict=True):
        torch.testing.assert_close(
            seen(u, CONTEXT), coordinates.to_seen(u, t, CONTEXT), rtol=1e-13, atol=1e-13
        )


def test_a_product_applies_its_last_factor_first():
    u, t = number(2, FRAMES, 3), torch.tensor(0.9, dtype=torch.float64)
    inner = FrameMixing().to_seen(u, t, CONTEXT)
    product = (Anchored() * FrameMixing()).to_seen(u, t, CONTEXT)
    torch.testing.assert_close(product, CONTEXT.anchor_scale * inner + CONTEXT.anchor, rtol=1e-14, atol=1e-14)
    other = (FrameMixing() * Anchored()).to_seen(u, t, CONTEXT)
    assert (other - product).abs().max() > 0.1
    assert (Identity() * (Anchored() * FrameMixing())).parts == (Identity(), Anchored(), FrameMixing())


def test_an_anchor_without_scale_is_a_shift():
    u, t = number(2, FRAMES, 3), torch.tensor(0.5, dtype=torch.float64)
    shifted = Context(anchor=CONTEXT.anchor)
    assert torch.equal(Anchored().to_seen(u, t, shifted), u + CONTEXT.anchor)
    assert torch.equal(Anchored().linear(u, t, shifted), u)
    assert (Anchored().log_det(t, u.shape, shifted) == 0).all()


@pytest.mark.parametrize("move", [c for m in (Anchored(), Bridge()) for c in (m.to_seen, m.to_canonical)])
def test_an_anchor_that_is_missing_is_named(move):
    with pytest.raises(IncompatibleError, match=r"Context\.anchor"):
        move(number(2, FRAMES, 3), torch.tensor(0.5), Context())


class _Reversed(Identity):
    @property
    def causal(self):
        return False


def test_a_product_is_causal_only_if_all_its_factors_are():
    assert isinstance(Identity() * _Reversed(), Coordinates)
    assert not (Identity() * _Reversed()).causal
    assert not (_Reversed() * FrameMixing()).causal
