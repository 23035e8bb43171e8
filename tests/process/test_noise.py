"""Noises along frames: exact correlations, draws as an affine map, densities, the conditional prior."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from rheos.core.context import Context
from rheos.core.keys import Key, Purpose
from rheos.core.protocols import Posterior
from rheos.process import GaussianProcessPrior, Process
from rheos.process.coordinates import GaussianProcess
from rheos.process.noise import (
    ALONG_FRAMES,
    NOISES,
    FractionalBrownian,
    FractionalGaussian,
    MarkovFractional,
    Measured,
    OrnsteinUhlenbeck,
    Periodic,
    SquaredExponential,
    White,
)
from rheos.process.recipes import Plain
from rheos.process.schedule import CondOT, Cosine
from rheos.sample import sample

FRAMES, HISTORY = 7, 3
LAST = ((1.0, 0.8, 0.5), (0.8, 1.0, 0.9), (0.5, 0.9, 1.0))


@cache
def by_quadrature(hurst, count):
    """Correlation of sum_k w_k Y_k at i / FRAMES, every integral of its kernel by quadrature."""
    a = hurst + 0.5
    rates = [20.0 ** (2 * k / (count - 1) - 1) for k in range(count)]

    def integral(of, until, **how):
        return quad(of, 0, until, epsabs=0, epsrel=1e-13, **how)[0]

    pole = {"weight": "alg", "wvar": (a - 1, 0)}  # times s^(a - 1)
    wanted = [integral(lambda s, g=g: (1 - s) * math.exp(-g * s), 1, **pole) / math.gamma(a) for g in rates]
    normal = [[integral(lambda s, g=g + h: (1 - s) * math.exp(-g * s), 1) for h in rates] for g in rates]
    weights = np.linalg.solve(normal, wanted)

    def kernel(s):
        return sum(w * math.exp(-g * s) for w, g in zip(weights, rates, strict=True))

    def shared(s, t):
        return integral(lambda u: kernel(s - u) * kernel(t - u), min(s, t))

    times = [(k + 1) / FRAMES for k in range(FRAMES)]
    return [[shared(s, t) / math.sqrt(shared(s, s) * shared(t, t)) for t in times] for s in times]


CORRELATIONS = {
    OrnsteinUhlenbeck(length=3.0): lambda i, j: math.exp(-abs(i - j) / 3.0),
    SquaredExponential(length=1.5, jitter=1e-3): lambda i, j: (
        (math.exp(-((i - j) ** 2) / (2 * 1.5**2)) + 1e-3 * (i == j)) / 1.001
    ),
    Periodic(period=5.0, length=0.8, jitter=1e-2): lambda i, j: (
        (math.exp(-2 * math.sin(math.pi * (i - j) / 5.0) ** 2 / 0.8**2) + 1e-2 * (i == j)) / 1.01
    ),
    FractionalGaussian(hurst=0.8): lambda i, j: (
        0.5 * (abs(i - j + 1) ** 1.6 - 2 * abs(i - j) ** 1.6 + abs(i - j - 1) ** 1.6)
    ),
    FractionalBrownian(hurst=0.3): lambda i, j: (
        0.5 * ((i + 1) ** 0.6 + (j + 1) ** 0.6 - abs(i - j) ** 0.6) / ((i + 1) ** 0.3 * (j + 1) ** 0.3)
    ),
    MarkovFractional(hurst=0.3, processes=3): lambda i, j: by_quadrature(0.3, 3)[i][j],
    Measured(rows=LAST): lambda i, j: LAST[i - 4][j - 4] if min(i, j) > 3 else float(i == j),
}
every = pytest.mark.parametrize("noise", CORRELATIONS, ids=lambda n: n.name())


def number(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def exact(noise, frames=FRAMES):
    rows = [[CORRELATIONS[noise](i, j) for j in range(frames)] for i in range(frames)]
    return torch.tensor(rows, dtype=torch.float64)


@dataclass(frozen=True, slots=True)
class Unit(Key):
    """A key whose rows are the basis vectors of what is drawn."""

    def normal(self, shape, dtype=torch.float32, device="cpu"):
        return torch.eye(math.prod(shape), dtype=dtype).reshape(len(self), *shape)

    @classmethod
    def vectors(cls, count):
        key = Key.of(0, count)
        return cls(key.words, key.member)


def test_every_method_is_tried_here():
    assert {type(noise) for noise in CORRELATIONS} == set(ALONG_FRAMES)
    assert set(NOISES) >= {White, *ALONG_FRAMES}


@every
def test_the_correlation_is_the_published_one(noise):
    torch.testing.assert_close(noise.correlation(FRAMES), exact(noise), rtol=1e-13, atol=1e-15)
    torch.testing.assert_close(noise.correlation(FRAMES).diagonal(), torch.ones(FRAMES).double())
    assert noise.gaussian


@every
def test_draws_are_an_affine_map_with_that_covariance(noise):
    """Basis vectors through `draw`: L, lower triangular, L L^T = K, every feature on its own."""
    features = 2
    columns = noise.draw(Unit.vectors(FRAMES * features), (FRAMES, features), Context(), torch.float64)
    map_ = columns.flatten(1).T
    whole = torch.kron(exact(noise), torch.eye(features).double())
    torch.testing.assert_close(map_ @ map_.T, whole, rtol=1e-12, atol=1e-12)
    later = torch.arange(FRAMES)[:, None] < torch.arange(FRAMES)
    assert (map_.reshape(FRAMES, features, FRAMES, features).movedim(1, 2)[later] == 0).all()


@every
def test_densities_are_those_of_the_normal_law(noise):
    z = number(1, 4, FRAMES, 2)
    law = torch.distributions.MultivariateNormal(torch.zeros(FRAMES).double(), exact(noise))
    expected = law.log_prob(z.movedim(2, 1)).sum(1)
    torch.testing.assert_close(noise.log_prob(z, Context()), expected, rtol=1e-10, atol=1e-9)
    law = torch.distributions.MultivariateNormal(
        torch.zeros(FRAMES - HISTORY).double(), exact(noise)[HISTORY:, HISTORY:]
    )
    expected = law.log_prob(z[:, HISTORY:].movedim(2, 1)).sum(1)
    torch.testing.assert_close(noise.log_prob(z[:, HISTORY:], Context(), HISTORY), expected, rtol=1e-10,
                               atol=1e-9)  # fmt: skip


@every
def test_noise_along_frames_is_white_noise_on_whitened_clips(noise):
    """L^-1 x_t = alpha L^-1 x_0 + sigma z, z that which the noise was made of."""
    key, t = Key.of(4, 3), torch.tensor(0.4).double()
    x0, process = number(7, 3, FRAMES, 2), Process(Cosine(), noise=noise)
    x = process.diffuse(x0, t, noise.draw(key, (FRAMES, 2), Context(), torch.float64))
    root = noise.factor(FRAMES)
    white, clean = (torch.linalg.solve_triangular(root, part, upper=False) for part in (x, x0))
    expected = Cosine().alpha(t) * clean + Cosine().sigma(t) * key.normal((FRAMES, 2), torch.float64)
    torch.testing.assert_close(white, expected, rtol=0, atol=1e-10)


def test_noise_of_independent_frames_is_plain_diffusion_bit_for_bit():
    """K = I: what is drawn, and what is sampled from."""
    one, other = (
        sample(
            lambda u, t, context: Posterior(torch.sin(u)),
            (3, FRAMES, 2),
            key=Key.of(5, 3),
            process=process,
            dtype=torch.float64,
        ).clips
        for process in (Process(Cosine()), Process(Cosine(), noise=FractionalGaussian(hurst=0.5)))
    )
    assert torch.equal(one, other)
    whitened = Process(Cosine(), GaussianProcess(prior=FractionalGaussian(hurst=0.5)))
    t, u = torch.tensor(0.3).double(), number(8, 2, FRAMES, 1)
    assert torch.equal(whitened.coordinates.to_seen(u, t, Context()), u)


def test_forgetting_noise_is_the_recursion():
    """z_0 = w_0, z_k = r z_{k-1} + sqrt(1 - r^2) w_k with r = exp(-1/length)."""
    key, r = Key.of(3, 5), math.exp(-1 / 4.0)
    w = key.normal((FRAMES, 2), torch.float64)
    z = [w[:, 0]]
    for k in range(1, FRAMES):
        z.append(r * z[-1] + math.sqrt(1 - r**2) * w[:, k])
    drawn = OrnsteinUhlenbeck().draw(key, (FRAMES, 2), Context(), torch.float64)
    torch.testing.assert_close(drawn, torch.stack(z, 1), rtol=1e-12, atol=1e-12)


def test_half_a_hurst_index_is_brownian_motion_and_its_white_increments():
    assert torch.equal(FractionalGaussian(hurst=0.5).correlation(FRAMES), torch.eye(FRAMES).double())
    k = torch.arange(1, FRAMES + 1).double()
    brownian = torch.minimum(k[:, None], k) / torch.sqrt(k[:, None] * k)
    torch.testing.assert_close(FractionalBrownian().correlation(FRAMES), brownian, rtol=1e-14, atol=0)


@pytest.mark.parametrize("hurst", [0.2, 0.7])
def test_fractional_motion_is_the_sum_of_its_increments(hurst):
    total = torch.ones(FRAMES, FRAMES).double().tril()
    summed = total @ FractionalGaussian(hurst=hurst).correlation(FRAMES) @ total.T
    scale = summed.diagonal().rsqrt()
    motion = FractionalBrownian(hurst=hurst).correlation(FRAMES)
    torch.testing.assert_close(scale[:, None] * summed * scale, motion, rtol=1e-12, atol=0)


@pytest.mark.parametrize("hurst", [0.3, 0.4, 0.5, 0.6, 0.7])
def test_processes_without_memory_make_fractional_motion(hurst):
    """Var B_t = t^2H / (2 H Gamma(H + 1/2)^2) within 3 % from a tenth of the clip on, by five of them."""
    times = torch.linspace(0.1, 1.0, 19, dtype=torch.float64)
    exact_variance = times ** (2 * hurst) / (2 * hurst * math.gamma(hurst + 0.5) ** 2)
    found = MarkovFractional(hurst=hurst).covariance(times)
    assert (found.diagonal() / exact_variance - 1).abs().max() < 0.03
    if hurst == 0.5:
        torch.testing.assert_close(found, torch.minimum(times[:, None], times), rtol=1e-4, atol=0)
    # More of them come nearer.
    more = MarkovFractional(hurst=hurst, processes=9, fastest=200.0).covariance(times).diagonal()
    assert (more / exact_variance - 1).abs().max() < 0.01


@pytest.mark.parametrize("kind", [FractionalBrownian, FractionalGaussian, MarkovFractional])
@pytest.mark.parametrize("hurst", [0.25, 0.7])
def test_a_hurst_index_is_found_again(kind, hurst):
    """From 4000 futures of 12 frames after 5 of history: H to 0.03, over five standard errors."""
    frames, known = 17, 5
    factor = torch.linalg.cholesky(kind(hurst=hurst).correlation(frames)[known:, known:])
    future = (factor @ number(4, frames - known, 4000)).T[..., None]
    history = torch.full((4000, known, 1), torch.nan, dtype=torch.float64)
    clips = torch.cat([history, future], 1)
    found = kind(hurst="measured").learned(clips, known)
    assert found.hurst == pytest.approx(hurst, abs=0.03)
    assert kind(hurst=0.4).learned(clips, known) == kind(hurst=0.4)
    assert Plain(noise=kind(hurst="measured")).estimate(clips, Key.of(0), known).noise == found
    assert torch.equal(kind(hurst="measured").correlation(4), kind(hurst=0.5).correlation(4))


@pytest.mark.parametrize("schedule", [CondOT(), Cosine()], ids=repr)
@every
def test_generation_starts_from_the_process_given_the_history(noise, schedule):
    """Clean history: mean K_fh K_hh^-1 y and covariance K_ff - K_fh K_hh^-1 K_hf, by direct regression."""
    process = Process(schedule, GaussianProcess(prior=noise))
    past = number(2, 1, HISTORY, 1)
    rows = FRAMES
    context = Context(history_frames=HISTORY, history=past.expand(rows, -1, -1))
    started = process.start(context, Unit.vectors(rows).at(Purpose.START), (rows, FRAMES, 1), torch.float64)
    level = float(schedule.sigma(torch.tensor(schedule.t_max, dtype=torch.float64)))
    k = exact(noise)
    gain = k[HISTORY:, :HISTORY] @ torch.linalg.inv(k[:HISTORY, :HISTORY])
    mean = gain @ past[0, :, 0]
    covariance = k[HISTORY:, HISTORY:] - gain @ k[:HISTORY, HISTORY:]
    seen = process.read(started, context)[:, :, 0]
    torch.testing.assert_close(seen[:, :HISTORY], past[:, :, 0].expand(rows, -1), rtol=1e-9, atol=1e-9)
    columns = (seen[:, HISTORY:] - mean).T
    torch.testing.assert_close(columns @ columns.T, level**2 * covariance, rtol=1e-8, atol=1e-9)
    away = started.clone()
    away[:, HISTORY:] = 0.0
    torch.testing.assert_close(process.read(away, context)[0, HISTORY:, 0], mean, rtol=1e-8, atol=1e-9)


def test_straight_paths_from_that_prior_are_tsflow():
    """x_t = (1 - t) x_0 + t x_1 on the future, x_1 the draw of the conditional prior that goes with z."""
    process, t = GaussianProcessPrior(prior=SquaredExponential()).build(), torch.tensor(0.3).double()
    x0, z = number(5, 2, FRAMES, 1), number(6, 2, FRAMES, 1)
    context = Context(history_frames=HISTORY, history=x0[:, :HISTORY])
    u0 = process.canonical(x0, context)
    field = process.field(t, FRAMES, context)
    seen = process.coordinates.to_seen(process.diffuse(u0, field, z), t, context)
    base = torch.cat((u0[:, :HISTORY], z[:, HISTORY:]), 1)
    end = process.coordinates.to_seen(base, t, context)
    expected = torch.where(field[..., None] > 0, (1 - t) * x0 + t * end, x0)
    torch.testing.assert_close(seen, expected, rtol=1e-9, atol=1e-9)


def test_what_is_measured_is_the_correlation_of_the_data_and_whitens_them():
    factor = torch.linalg.cholesky(torch.tensor(LAST, dtype=torch.float64))
    clips = torch.einsum("ij,bjdn->bidn", factor, number(0, 20000, 3, 2, 2)) * torch.tensor(
        [0.5, 1.0, 3.0]
    ).double().reshape(3, 1, 1)
    found = Measured.of(clips)
    rows = torch.tensor(found.rows, dtype=torch.float64)
    # 80000 entries: each correlation is within 6 standard errors, but for the jitter.
    torch.testing.assert_close(rows, torch.tensor(LAST).double(), rtol=0, atol=6 / 80000**0.5 + 1e-3)
    assert Measured.of(clips[..., :1]) != found
    # Who leaves is counted while he is there.
    gone = clips.clone()
    gone[:10000, 2] = torch.nan
    part = torch.tensor(Measured.of(gone).rows, dtype=torch.float64)
    torch.testing.assert_close(part, rows, rtol=0, atol=0.03)
    scaled = clips / torch.tensor([0.5, 1.0, 3.0]).double().reshape(3, 1, 1)
    prior = GaussianProcess(prior=found)
    whole = torch.cat((number(1, 20000, 2, 2, 2), scaled), 1)
    u = prior.to_canonical(whole, torch.zeros((), dtype=torch.float64), Context())
    flat = u.movedim(1, -1).reshape(-1, 5)
    # The jitter adds a twentieth to the last mode, whose variance is 0.02.
    torch.testing.assert_close(flat.T @ flat / len(flat), torch.eye(5).double(), rtol=0, atol=0.08)


def test_frames_that_were_not_seen_together_still_give_a_law():
    clips = number(3, 400, 3, 1)
    clips[:, 1] = clips[:, 0] + 1e-3 * clips[:, 1]
    clips[:200, 2] = clips[:200, 0]
    clips[200:, 2] = -clips[200:, 1]
    clips[:200, 1], clips[200:, 0] = torch.nan, torch.nan
    matrix = Measured.of(clips).correlation(3)
    # Pairs that contradict each other, 1, 1 and -1: the nearest law has a mode of no variance.
    assert 5e-4 < torch.linalg.eigvalsh(matrix).min() < 2e-3
    torch.testing.assert_close(matrix.diagonal(), torch.ones(3).double())


def test_a_measured_prior_is_taken_from_the_future_frames_once():
    clips = number(5, 300, FRAMES, 2)
    clips[:, HISTORY:] = clips[:, HISTORY:].cumsum(1)
    clips[::3, -1] = torch.nan
    recipe = GaussianProcessPrior(prior=Measured())
    found = recipe.estimate(clips, Key.of(0), HISTORY)
    assert found.prior == Measured.of(clips[:, HISTORY:])
    assert len(found.prior.rows) == FRAMES - HISTORY
    assert found.estimate(2 * clips.flip(1), Key.of(0), HISTORY) == found
    plain = Plain(noise=Measured()).estimate(clips, Key.of(0), HISTORY)
    assert plain.noise == found.prior
    assert Plain().estimate(clips, Key.of(0), HISTORY) == Plain()
    torch.testing.assert_close(Measured().correlation(4), torch.eye(4).double())


@pytest.mark.parametrize(
    "rows", [((1.0, 0.5),), ((1.0, 2.0), (2.0, 1.0)), ((1.0, 0.1), (0.2, 1.0)), ((2.0,),)]
)
def test_rows_that_are_no_correlation_are_refused(rows):
    with pytest.raises(ValueError, match="rows must be"):
        Measured(rows=rows)
