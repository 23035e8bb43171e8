"""Oracles against Bayes by quadrature, Monte Carlo, conditioning, and transport by the exact flow."""

import numpy as np
import pytest
import torch
from scipy import integrate

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.denoise import GaussianOracle, MixtureOracle
from rheos.process import DyDiff, Plain, Process
from rheos.process.coordinates import Anchored, FrameMixing, GaussianProcess, Identity
from rheos.process.noise import FractionalBrownian, OrnsteinUhlenbeck, White
from rheos.process.schedule import EDM, SCHEDULES, CondOT, Cosine, Linear

F = 6
LAG = (torch.arange(F)[:, None] - torch.arange(F)).abs()
AR1 = 1.5 * 0.8 ** LAG.double()
schedules = pytest.mark.parametrize("schedule", [s() for s in SCHEDULES], ids=repr)


def number(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


MEAN = number(0, F)


def at(value):
    return torch.tensor(value, dtype=torch.float64)


def weights_and_parts():
    root = number(3, 2, 2, 2)
    covariances = root @ root.mT * 0.2 + 0.05 * torch.eye(2)
    return at([0.3, 0.7]), number(4, 2, 2), covariances


@schedules
@pytest.mark.parametrize("level", [0.0, [[0.0, 2.0]], [[torch.inf, -1.0]]])
def test_posterior_is_bayes_rule_on_a_grid(schedule, level):
    """Two entries, prior and likelihood tabulated: no matrix algebra is shared with the oracle."""
    weights, means, covariances = weights_and_parts()
    t = schedule.time_at(at(level))
    t = torch.where(at(level).isinf(), 0.0, t)
    alpha = schedule.alpha(t).expand(1, 2)[0]
    sigma = schedule.sigma(t).expand(1, 2)[0]
    u = at([[[0.4], [-0.7]]])
    one = torch.linspace(-6, 6, 801, dtype=torch.float64)
    clean = sigma == 0
    axes = [u[0, i] if clean[i] else one for i in range(2)]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
    parts = [torch.distributions.MultivariateNormal(m, c) for m, c in zip(means, covariances, strict=True)]
    prior = sum(w * part.log_prob(grid).exp() for w, part in zip(weights, parts, strict=True))
    misfit = torch.where(clean, 0.0, (u[0, :, 0] - alpha * grid) / sigma.clamp(min=1e-9))
    density = prior * torch.exp(-0.5 * misfit.square().sum(1))
    density = density / density.sum()
    mean = (density[:, None] * grid).sum(0)
    covariance = (density[:, None, None] * (grid - mean)[:, :, None] * (grid - mean)[:, None]).sum(0)
    posterior = MixtureOracle(weights, means, covariances, Process(schedule))(u, t)
    tolerance = 1e-7
    torch.testing.assert_close(posterior.mean[0, :, 0], mean, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(posterior.covariance[0], covariance, rtol=tolerance, atol=tolerance)


def test_gaussian_posterior_is_the_regression_of_data_on_noisy_data():
    """E[u_0 | u] is the best predictor: least squares on many draws finds its gain and residual."""
    process, t = Process(Cosine()), at(0.4)
    u0 = MEAN + number(5, 200_000, F) @ torch.linalg.cholesky(AR1).T
    u = process.diffuse(u0[..., None], t, number(6, 200_000, F, 1))
    oracle = GaussianOracle(MEAN, AR1, process)
    posterior = oracle(u, t)
    residual = u0 - posterior.mean[..., 0]
    sampled = residual.T @ residual / len(u0)
    torch.testing.assert_close(sampled, posterior.covariance[0], rtol=0.02, atol=0.005)
    assert (residual.T @ u[..., 0] / len(u0)).abs().max() < 0.02
    assert residual.mean(0).abs().max() < 0.01


@pytest.mark.parametrize("time", [1e-4, 0.3, 0.999])
@pytest.mark.parametrize("schedule", [Cosine(), EDM()], ids=repr)
def test_clean_history_is_exact_conditioning(schedule, time):
    """Frames at t = 0, the others at t_max's noise or less: condition first, then denoise what is left."""
    known = 2
    t = Plain(schedule=schedule).build().field(at(time), F, _history(known))
    u = number(7, 1, F, 1)
    gain = AR1[known:, :known] @ torch.linalg.inv(AR1[:known, :known])
    m = MEAN[known:] + gain @ (u[0, :known, 0] - MEAN[:known])
    c = AR1[known:, known:] - gain @ AR1[:known, known:]
    posterior = GaussianOracle(MEAN, AR1, Process(schedule))(u, t)
    rest = GaussianOracle(m, c, Process(schedule))(u[:, known:], at(time))
    torch.testing.assert_close(posterior.mean[:, :known], u[:, :known], rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(posterior.mean[:, known:], rest.mean, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(
        posterior.covariance[0, known:, known:], rest.covariance[0], rtol=1e-8, atol=1e-9
    )
    assert posterior.covariance[0, :known].abs().max() < 1e-10


def _history(frames):
    return Context(history_frames=frames)


def test_data_that_never_varies_may_be_clean():
    """A singular covariance with entries at t = 0: nothing is divided by zero."""
    covariance = torch.zeros(3, 3).double()
    covariance[2, 2] = 2.0
    u = at([[[1.0], [5.0], [0.5]]])
    posterior = GaussianOracle(at([1.0, -1.0, 0.0]), covariance, Process(CondOT()))(u, at([[0.0, 0.5, 0.5]]))
    gain = 2.0 * 0.5 / (2.0 * 0.25 + 0.25)
    torch.testing.assert_close(posterior.mean[0, :, 0], at([1.0, -1.0, gain * 0.5]))


@schedules
def test_score_is_the_gradient_of_the_log_density(schedule):
    process = Process(schedule)
    oracle = MixtureOracle(at([0.2, 0.8]), number(8, 2, F), at([0.3, 1.2]), process)
    gaussian = GaussianOracle(MEAN, AR1, process)
    t = at([0.2, 0.9])
    u = number(9, 2, F, 1).requires_grad_()
    gradient = torch.autograd.grad(gaussian.log_prob(u, t).sum(), u)[0]
    torch.testing.assert_close(gaussian.score(u, t), gradient, rtol=1e-9, atol=1e-12)
    # Tweedie's formula: alpha D = u + sigma^2 score.
    slope = torch.autograd.grad(oracle.log_prob(u, t).sum(), u)[0]
    alpha, sigma = schedule.alpha(t)[:, None, None], schedule.sigma(t)[:, None, None]
    torch.testing.assert_close(alpha * oracle(u, t).mean, u + sigma**2 * slope, rtol=1e-9, atol=1e-9)
    law = torch.distributions.MultivariateNormal(
        schedule.alpha(t)[:, None] * MEAN,
        schedule.alpha(t)[:, None, None] ** 2 * AR1 + schedule.sigma(t)[:, None, None] ** 2 * torch.eye(F),
    )
    torch.testing.assert_close(gaussian.log_prob(u, t), law.log_prob(u[..., 0]), rtol=1e-9, atol=1e-9)


@schedules
def test_a_mixture_of_one_is_its_gaussian(schedule):
    u, t = number(10, 3, F, 1), at([0.1, 0.5, 0.9])
    one = MixtureOracle(torch.ones(1), MEAN[None], AR1[None], Process(schedule))
    gaussian = GaussianOracle(MEAN, AR1, Process(schedule))
    torch.testing.assert_close(one(u, t).mean, gaussian(u, t).mean, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(one(u, t).covariance, gaussian(u, t).covariance, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(one.log_prob(u, t), gaussian.log_prob(u, t), rtol=1e-12, atol=1e-12)


def test_isotropic_mixture_follows_its_published_form():
    """V_k = alpha^2 c_k^2 + sigma^2, r_k = softmax(log w_k - |u - alpha m_k|^2/(2 V_k) - d/2 log V_k)."""
    schedule, t = Linear(), at(0.4)
    weights, means, variances = at([1.0, 3.0, 2.0]), number(11, 3, F), at([0.5, 0.1, 0.0])
    u = number(12, 4, F)
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    v = alpha**2 * variances + sigma**2
    away = u[:, None] - alpha * means
    r = torch.softmax(torch.log(weights) - away.square().sum(2) / (2 * v) - F / 2 * torch.log(v), 1)
    score = -(r[..., None] * away / v[:, None]).sum(1)
    oracle = MixtureOracle(weights, means, variances, Process(schedule))
    torch.testing.assert_close(oracle(u[..., None], t).mean[..., 0], (u + sigma**2 * score) / alpha)
    torch.testing.assert_close(oracle.responsibilities(u[..., None], t), r)


def test_rows_with_their_own_times_and_features_with_theirs():
    oracle = GaussianOracle(number(13, 2, 3), number(14, 6, 6) @ number(14, 6, 6).T + torch.eye(6), Process())
    u, t = number(15, 3, 2, 3), torch.rand(3, 2, 3, generator=torch.Generator().manual_seed(1)).double()
    whole = oracle(u, t)
    for i in range(3):
        alone = oracle(u[i : i + 1], t[i : i + 1])
        torch.testing.assert_close(whole.mean[i : i + 1], alone.mean, rtol=1e-12, atol=1e-12)
    alpha = Cosine().alpha(t).flatten(1)
    law = torch.diag_embed(alpha) @ oracle.covariance @ torch.diag_embed(alpha)
    law = law + torch.diag_embed(Cosine().sigma(t).flatten(1) ** 2)
    shift = torch.linalg.solve(law, u.flatten(1) - alpha * oracle.mean)
    expected = oracle.mean + (oracle.covariance * alpha[:, None] @ shift[..., None])[..., 0]
    torch.testing.assert_close(whole.mean.flatten(1), expected, rtol=1e-10, atol=1e-10)


def test_shapes_that_disagree_are_named():
    with pytest.raises(InputError, match="covariance"):
        GaussianOracle(torch.zeros(3), torch.eye(4), Process())
    with pytest.raises(InputError, match="3 entries"):
        GaussianOracle(torch.zeros(3), torch.eye(3), Process())(torch.zeros(1, 2, 1), at(0.5))
    with pytest.raises(InputError, match="mixture"):
        MixtureOracle(torch.ones(2), torch.zeros(1, 3), torch.ones(2), Process())
    with pytest.raises(IncompatibleError):
        GaussianOracle(torch.zeros(3), torch.eye(3), Process())(torch.zeros(1, 3, 1), at([0.5, 0.6, 0.7]))


def _flow(velocity, starts, last, first):
    """Push columns `(F, k)` along dx/dt = velocity(x, t) from t = last to t = first."""

    def right(t, flat):
        return velocity(torch.from_numpy(flat.reshape(starts.shape)), at(float(t))).numpy().ravel()

    solution = integrate.solve_ivp(
        right, (last, first), starts.numpy().ravel(), rtol=1e-9, atol=1e-11, method="DOP853"
    )
    return torch.from_numpy(solution.y[:, -1].reshape(starts.shape).astype(np.float64))


def _carried(velocity, law, last=0.95, first=0.01):
    """Assert that the flow carries the Gaussian law(last) to law(first): mean and covariance, CHECK-0a."""
    mean, covariance = law(at(last))
    starts = torch.cat((mean[:, None], mean[:, None] + torch.linalg.cholesky(covariance)), 1)
    ends = _flow(velocity, starts, last, first)
    columns = ends[:, 1:] - ends[:, :1]
    mean, covariance = law(at(first))
    assert (ends[:, 0] - mean).abs().max() < 1e-7
    assert (columns @ columns.T - covariance).abs().max() < 1e-7


ANCHOR = Context(anchor=number(20, 1, F, 1), anchor_scale=number(21, 1, F, 1).abs() + 0.5)
CASES = {
    "canonical": (Identity(), White()),
    "mixed": (FrameMixing(), White()),
    "anchored": (Anchored(), White()),
    "anchored, mixed": (Anchored() * FrameMixing(), White()),
    "whitened": (GaussianProcess(), White()),
    "correlated noise": (Identity(), OrnsteinUhlenbeck()),
    "anchored, correlated noise": (Anchored(), FractionalBrownian(hurst=0.3)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("schedule", [Cosine(), Linear(), CondOT()], ids=repr)
def test_the_exact_flow_transports_the_law(schedule, case):
    """dx/dt = A' D + B' z + mu' carries N(A m + mu, A C A' + B B'), A = alpha C_t and B = sigma C_t L."""
    coordinates, noise = CASES[case]
    oracle = GaussianOracle(MEAN, AR1, Process(schedule, coordinates, noise))
    k = noise.correlation(F)
    k = torch.eye(F).double() if k is None else k

    def velocity(x, t):
        u = coordinates.to_canonical(x.T[..., None], t, ANCHOR)
        data = oracle(u, t).mean
        z = (u - schedule.alpha(t) * data) / schedule.sigma(t)
        inner = schedule.d_alpha(t) * data + schedule.d_sigma(t) * z
        h = 1e-6
        turning = (coordinates.to_seen(u, t + h, ANCHOR) - coordinates.to_seen(u, t - h, ANCHOR)) / (2 * h)
        return (turning + coordinates.linear(inner, t, ANCHOR))[..., 0].T

    def law(t):
        mean = coordinates.to_seen((schedule.alpha(t) * MEAN)[None, :, None], t, ANCHOR)[0, :, 0]
        linear = coordinates.linear(torch.eye(F).double()[..., None], t, ANCHOR)[..., 0].T
        return mean, linear @ (schedule.alpha(t) ** 2 * AR1 + schedule.sigma(t) ** 2 * k) @ linear.T

    _carried(velocity, law)


@pytest.mark.parametrize("schedule", [Cosine(), CondOT()], ids=repr)
def test_the_flow_of_frames_at_their_own_pace_transports_the_law(schedule):
    """A, B diagonal: frame k at time s^(1 + 0.4 k), slower the later it is."""
    oracle = GaussianOracle(MEAN, AR1, Process(schedule))
    pace = 1.0 + 0.4 * torch.arange(F).double()

    def velocity(x, s):
        t = (s**pace)[:, None]
        data = oracle(x.T[..., None], t.T).mean[..., 0].T
        z = (x - schedule.alpha(t) * data) / schedule.sigma(t)
        return (
            pace[:, None]
            * s ** (pace - 1.0)[:, None]
            * (schedule.d_alpha(t) * data + schedule.d_sigma(t) * z)
        )

    def law(s):
        alpha, sigma = schedule.alpha(s**pace), schedule.sigma(s**pace)
        return alpha * MEAN, alpha[:, None] * AR1 * alpha + torch.diag(sigma**2)

    _carried(velocity, law, first=0.1)


def test_the_flow_of_the_future_given_a_clean_history_gives_the_conditional_law():
    """CHECK-0b: frames with alpha = 1, sigma = 0 stay; the rest ends at N(E[x_f | y], Cov[x_f | y])."""
    schedule, known, last, first = Cosine(), 2, 0.95, 1e-3
    process = DyDiff().build()
    oracle = GaussianOracle(MEAN, AR1, process)
    past = at([0.5, -1.0])
    gain = AR1[known:, :known] @ torch.linalg.inv(AR1[:known, :known])
    m = MEAN[known:] + gain @ (past - MEAN[:known])
    c = AR1[known:, known:] - gain @ AR1[:known, known:]

    def velocity(x, t):
        whole = torch.cat((past[:, None].expand(known, x.shape[1]), x))
        data = oracle(whole.T[..., None], process.field(t, F, _history(known))).mean[..., 0].T[known:]
        noise = (x - schedule.alpha(t) * data) / schedule.sigma(t)
        return schedule.d_alpha(t) * data + schedule.d_sigma(t) * noise

    def law(t):
        return schedule.alpha(t) * m, schedule.alpha(t) ** 2 * c + schedule.sigma(t) ** 2 * torch.eye(
            F - known
        )

    _carried(velocity, law, last, first)


def test_where_no_signal_is_left_of_a_group_it_says_nothing_of_the_others():
    """alpha(1) = 0: with y at t = 1 the answer for x is its marginal denoiser's, whatever y is (card 5)."""
    schedule = CondOT()
    joint, size = AR1, F // 2
    oracle = GaussianOracle(MEAN, joint, Process(schedule))
    alone = GaussianOracle(MEAN[:size], joint[:size, :size], Process(schedule))
    u, t = number(30, 4, F, 1), at([0.4] * size + [1.0] * (F - size))
    other = torch.cat((u[:, :size], 3.0 * number(31, 4, F - size, 1)), 1)
    found, moved = oracle(u, t[None]).mean[:, :size], oracle(other, t[None]).mean[:, :size]
    torch.testing.assert_close(found, moved, rtol=0, atol=1e-10)
    torch.testing.assert_close(found, alone(u[:, :size], at(0.4)).mean, rtol=0, atol=1e-10)
    near = oracle(other, t[None].clamp(max=0.9)).mean[:, :size]
    assert (near - oracle(u, t[None].clamp(max=0.9)).mean[:, :size]).abs().max() > 1e-3
