"""What is sampled under correlated noise and whitened data: the exact law, by the affine probe."""

import pytest
import torch

from rheos.core.context import Context
from rheos.denoise import GaussianOracle
from rheos.process import Process
from rheos.process.coordinates import GaussianProcess
from rheos.process.noise import ALONG_FRAMES, OrnsteinUhlenbeck, SquaredExponential
from rheos.process.schedule import SCHEDULES, CondOT, Cosine
from rheos.sample import probe
from rheos.sample.grid import LogSNR, Uniform
from rheos.sample.preset import Preset
from rheos.sample.solver import DDIM, DPMpp2M, Exponential, Heun

F64 = torch.float64
FRAMES, HISTORY = 5, 2
LAG = (torch.arange(FRAMES)[:, None] - torch.arange(FRAMES)).abs().double()
DATA = 1.4 * 0.7**LAG
MEAN = torch.tensor([0.3, -0.5, 1.0, 0.2, -0.8], dtype=F64)
PAST = torch.tensor([1.1, -0.4], dtype=F64)
GIVEN = Context(history_frames=HISTORY, history=PAST.reshape(1, HISTORY, 1))
every = pytest.mark.parametrize("prior", [n() for n in ALONG_FRAMES], ids=lambda n: n.name())


@every
@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.name())
def test_correlated_noise_is_white_noise_on_whitened_data(prior, schedule):
    """L^-1 x_t = alpha L^-1 x_0 + sigma z: the same law, step by step, for any solver."""
    root = prior.factor(FRAMES)
    inverse = torch.linalg.inv(root)
    coloured = GaussianOracle(MEAN, DATA, Process(schedule(), noise=prior))
    whitened = GaussianOracle(
        inverse @ MEAN, inverse @ DATA @ inverse.T, Process(schedule(), GaussianProcess(prior=prior))
    )
    for solver in (DDIM(eta=0.5), Exponential(order=3), DPMpp2M(eta=1.0), Heun()):
        for grid in (LogSNR(), Uniform()):
            preset = Preset(solver=solver, grid=grid, evaluations=7)
            one = probe(coloured, (FRAMES, 1), preset=preset)
            other = probe(whitened, (FRAMES, 1), preset=preset)
            torch.testing.assert_close(one.mean, other.mean, rtol=1e-7, atol=1e-7)
            torch.testing.assert_close(one.covariance, other.covariance, rtol=1e-7, atol=1e-7)


def tended(mean, covariance, noise, schedule, last):
    """The law that infinitely many deterministic steps give, started from sigma z, z ~ N(0, noise).

    In coordinates where the noise is white and the data's covariance diagonal, with S = sigma / alpha, a
    deviation shrinks by ((c + S_end^2) / (c + S_start^2))^(1/2); the last call multiplies by
    c / (c + S_end^2).
    """
    root = torch.linalg.cholesky(noise)
    inverse = torch.linalg.inv(root)
    c, basis = torch.linalg.eigh(inverse @ covariance @ inverse.T)
    start, end = torch.exp(-schedule.log_snr(torch.tensor([schedule.t_max, last], dtype=F64)))
    shrink = c / (c + end) * torch.sqrt((c + end) / (c + start))
    to = root @ basis
    m = basis.T @ inverse @ mean
    return to @ (m - shrink * m), (to * (shrink**2 * start)) @ to.T


def conditional(mean, covariance):
    """Mean and covariance of the future given PAST."""
    gain = covariance[HISTORY:, :HISTORY] @ torch.linalg.inv(covariance[:HISTORY, :HISTORY])
    rest = covariance[HISTORY:, HISTORY:] - gain @ covariance[:HISTORY, HISTORY:]
    return mean[HISTORY:] + gain @ (PAST - mean[:HISTORY]), rest


@pytest.mark.parametrize("where", ["noise", "coordinates"])
@pytest.mark.parametrize("prior", [OrnsteinUhlenbeck(), SquaredExponential(length=1.0)], ids=repr)
@pytest.mark.parametrize("schedule", [Cosine(), CondOT()], ids=repr)
def test_the_future_given_a_clean_history_is_exact_to_eight_digits(schedule, prior, where):
    """As noise the future starts from K_ff; as coordinates from K_ff - K_fh K_hh^-1 K_hf about its mean."""
    k = prior.correlation(FRAMES)
    mean, covariance = conditional(MEAN, DATA)
    nodes = LogSNR(highest=1e5).times(schedule, 1200)
    preset = Preset(solver=Exponential(order=4), grid=nodes)
    last = float(nodes.times[-1])
    if where == "noise":
        oracle = GaussianOracle(MEAN, DATA, Process(schedule, noise=prior))
        expected = tended(mean, covariance, k[HISTORY:, HISTORY:], schedule, last)
    else:
        inverse = torch.linalg.inv(prior.factor(FRAMES))
        oracle = GaussianOracle(
            inverse @ MEAN, inverse @ DATA @ inverse.T, Process(schedule, GaussianProcess(prior=prior))
        )
        center, noise = conditional(torch.zeros(FRAMES, dtype=F64), k)
        away, spread = tended(mean - center, covariance, noise, schedule, last)
        expected = center + away, spread
    law = probe(oracle, (FRAMES, 1), context=GIVEN, preset=preset)
    assert torch.equal(law.mean[:HISTORY], PAST)
    assert (law.mean[HISTORY:] - expected[0]).abs().max() < 1e-8
    assert (law.covariance[HISTORY:, HISTORY:] - expected[1]).abs().max() < 1e-8
    # What is left of the true law is the signal that a start from noise alone leaves out.
    assert (expected[1] - covariance).abs().max() < 1e-4


def test_noise_correlated_along_frames_is_independent_between_features():
    """Two features of their own means and variances: each is its own oracle."""
    prior, t = OrnsteinUhlenbeck(), torch.tensor(0.4, dtype=F64)
    process = Process(Cosine(), noise=prior)
    u = torch.randn(3, FRAMES, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    scale = torch.diag(torch.tensor([1.0, 2.5], dtype=F64))
    whole = GaussianOracle(torch.stack((MEAN, -MEAN), 1), torch.kron(DATA, scale), process)(u, t)
    for feature, sign in enumerate((1.0, -1.0)):
        alone = GaussianOracle(sign * MEAN, DATA * scale[feature, feature], process)(
            u[..., feature : feature + 1], t
        )
        torch.testing.assert_close(whole.mean[..., feature : feature + 1], alone.mean, rtol=1e-10, atol=1e-10)
