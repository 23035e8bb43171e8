"""The conversion table: round trips, exact laws, and the identities between weights."""

from typing import get_args

import pytest
import torch
from torch import nn

from rheos.core.errors import IncompatibleError, InputError
from rheos.denoise import Denoiser, GaussianOracle, Objective
from rheos.denoise.prediction import Prediction, coefficients, input_scale
from rheos.process import Process
from rheos.process.noise import OrnsteinUhlenbeck
from rheos.process.schedule import EDM, SCHEDULES, CondOT, Cosine, Linear

T = torch.tensor([0.01, 0.5, 0.99], dtype=torch.float64)
every = pytest.mark.parametrize("prediction", get_args(Prediction))
schedules = pytest.mark.parametrize("schedule", [s() for s in SCHEDULES], ids=repr)


def number(seed=0, shape=(3, 4, 2)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def row(values):
    return values[:, None, None]


@every
@schedules
def test_data_comes_back_from_the_target(prediction, schedule):
    """mean(u, target(u_0, z)) = u_0 for any u_0 and z: no law is assumed."""
    table = coefficients(prediction, schedule, T, 0.7)
    u0, z = number(1), number(2)
    u = row(schedule.alpha(T)) * u0 + row(schedule.sigma(T)) * z
    target = row(table.data) * u0 + row(table.noise) * z
    scale = torch.maximum(row(table.skip * u.abs().amax()).abs(), torch.ones(()).double())
    assert ((row(table.skip) * u + row(table.out) * target - u0) / scale).abs().max() < 1e-10


@schedules
def test_targets_are_what_their_names_say(schedule):
    alpha, sigma = schedule.alpha(T), schedule.sigma(T)
    t = T.clone().requires_grad_()
    u0, z = number(1)[:, 0, 0], number(2)[:, 0, 0]
    pathwise = torch.autograd.grad((schedule.alpha(t) * u0 + schedule.sigma(t) * z).sum(), t)[0]
    expected = {
        "x0": u0,
        "noise": z,
        "v": alpha * z - sigma * u0,
        "velocity": pathwise,
        "score": -z / sigma,
    }
    for prediction, target in expected.items():
        table = coefficients(prediction, schedule, T, 1.0)
        torch.testing.assert_close(table.data * u0 + table.noise * z, target, rtol=1e-9, atol=1e-11)


@every
@schedules
def test_exact_conditional_expectations_agree(prediction, schedule):
    """For Gaussian data every target's conditional mean has its own formula; all give the same E[u_0 | u]."""
    mean, root = number(3, (4,)), number(4, (4, 4))
    oracle = GaussianOracle(mean, root @ root.T + torch.eye(4), Process(schedule))
    u = number(5, (3, 4, 1)) * row(schedule.sigma(T) + 1)
    posterior, score = oracle(u, T).mean, oracle.score(u, T)
    noise = -row(schedule.sigma(T)) * score
    table = coefficients(prediction, schedule, T, 1.3)
    raw = row(table.data) * posterior + row(table.noise) * noise
    if prediction == "score":
        torch.testing.assert_close(raw, score, rtol=1e-10, atol=1e-10)
    mean = row(table.skip) * u + row(table.out) * raw
    torch.testing.assert_close(mean, posterior, rtol=1e-8, atol=1e-8)


@schedules
@pytest.mark.parametrize("sd", [0.5, 1.0, 3.0])
def test_preconditioning_gives_unit_variances_and_nothing_to_do_on_white_data(schedule, sd):
    """u_0 ~ N(0, sd^2 I): input and target have variance 1, D = c_skip u, F has nothing left to say."""
    alpha, sigma = schedule.alpha(T), schedule.sigma(T)
    table = coefficients("preconditioned", schedule, T, sd)
    one = torch.ones_like(T)
    torch.testing.assert_close(table.data**2 * sd**2 + table.noise**2, one, rtol=1e-12, atol=0)
    seen = input_scale(schedule, T, sd) ** 2 * (alpha**2 * sd**2 + sigma**2)
    torch.testing.assert_close(seen, one, rtol=1e-12, atol=0)
    # The target is uncorrelated with u.
    covariance = table.data * alpha * sd**2 + table.noise * sigma
    assert covariance.abs().max() < 1e-10
    oracle = GaussianOracle(torch.zeros(4), sd**2 * torch.eye(4), Process(schedule))
    u = number(6, (3, 2, 2))
    torch.testing.assert_close(oracle(u, T).mean, row(table.skip) * u, rtol=1e-11, atol=1e-12)


def test_preconditioning_is_the_published_one():
    """c_skip = sd^2/(s^2 + sd^2), c_out = s sd/sqrt(s^2 + sd^2), c_in = 1/sqrt(s^2 + sd^2), sd = 0.5."""
    s, sd = EDM().sigma(T), 0.5
    table = coefficients("preconditioned", EDM(), T, sd)
    torch.testing.assert_close(table.skip, sd**2 / (s**2 + sd**2), rtol=1e-13, atol=0)
    torch.testing.assert_close(table.out, s * sd / (s**2 + sd**2) ** 0.5, rtol=1e-13, atol=0)
    torch.testing.assert_close(input_scale(EDM(), T, sd), (s**2 + sd**2) ** -0.5, rtol=1e-13, atol=0)


@every
@schedules
def test_clean_entries_are_answered_by_themselves(prediction, schedule):
    table = coefficients(prediction, schedule, torch.zeros(2, dtype=torch.float64), 1.0)
    assert (table.skip == 1).all()
    for other in (table.out, table.data, table.noise):
        assert (other == 0).all()


@pytest.mark.parametrize(
    ("weight", "gamma", "prediction", "schedule", "expected"),
    [
        ("unit", 1, "noise", Cosine(), lambda snr, t: snr),
        ("unit", 1, "v", Linear(), lambda snr, t: snr + 1),
        ("unit", 1, "velocity", CondOT(), lambda snr, t: t**-2),
        ("unit", 1, "x0", Cosine(), lambda snr, t: torch.ones_like(t)),
        ("unit", 1, "preconditioned", EDM(), lambda snr, t: (1 / snr + 0.25) * snr / 0.25),
        ("snr", 1, "v", Cosine(), lambda snr, t: snr),
        ("min_snr", 5, "v", Cosine(), lambda snr, t: torch.minimum(snr, torch.full_like(t, 5.0))),
        ("p2", 0.5, "noise", Cosine(), lambda snr, t: snr / (1 + snr) ** 0.5),
    ],
)
def test_weights_on_data_follow_the_identities(weight, gamma, prediction, schedule, expected):
    denoiser = Denoiser(nn.Identity(), Process(schedule), prediction, sigma_data=0.5)
    snr = (schedule.alpha(T) / schedule.sigma(T)) ** 2
    ours = Objective(weight=weight, gamma=gamma).data_weight(denoiser, T)
    torch.testing.assert_close(ours, expected(snr, T), rtol=1e-10, atol=0)
    if weight == "unit":
        torch.testing.assert_close(ours * denoiser.coefficients(T).out ** 2, torch.ones_like(T), rtol=1e-12,
                                   atol=0)  # fmt: skip


@every
@pytest.mark.parametrize("weight", ["unit", "snr", "min_snr", "p2"])
def test_clean_entries_weigh_nothing(prediction, weight):
    denoiser = Denoiser(nn.Identity(), Process(), prediction)
    t = torch.tensor([[0.0, 0.5]], dtype=torch.float64)
    w = Objective(weight=weight, gamma=1.0).data_weight(denoiser, t)
    assert w[0, 0] == 0
    assert w[0, 1] > 0


@pytest.mark.parametrize("prediction", ["noise", "score"])
def test_dividing_by_a_vanishing_signal_is_refused(prediction):
    with pytest.raises(IncompatibleError, match="cond_ot"):
        Denoiser(nn.Identity(), Process(CondOT()), prediction)
    assert Denoiser(nn.Identity(), Process(Linear()), prediction).prediction == prediction


@pytest.mark.parametrize("sd", [0.0, -1.0, float("nan")])
def test_a_standard_deviation_is_positive(sd):
    with pytest.raises(InputError, match="sigma_data"):
        Denoiser(nn.Identity(), Process(), sigma_data=sd)


def test_the_score_of_correlated_noise_is_not_predicted():
    process = Process(Linear(), noise=OrnsteinUhlenbeck())
    with pytest.raises(IncompatibleError, match="white noise"):
        Denoiser(nn.Identity(), process, "score")
    assert Denoiser(nn.Identity(), process, "noise").prediction == "noise"
