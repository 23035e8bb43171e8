"""Likelihoods against closed forms: Gaussian and mixture data, histories, units, codecs, random traces."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.keys import Key
from rheos.core.protocols import Posterior
from rheos.data.codec import Chain, Log
from rheos.denoise import EmpiricalOracle, GaussianOracle, MixtureOracle
from rheos.process import Process
from rheos.process.coordinates import Anchored, Bridge, FrameMixing, GaussianProcess, Identity
from rheos.process.noise import FractionalBrownian, OrnsteinUhlenbeck, StudentT, White
from rheos.process.schedule import EDM, SCHEDULES, Cosine, Linear, SubVP, VarianceExploding
from rheos.sample.likelihood import likelihood

F64 = torch.float64
FRAMES, HISTORY = 4, 1
LAG = (torch.arange(FRAMES)[:, None] - torch.arange(FRAMES)).abs().double()
DATA = 1.4 * 0.7**LAG
MEAN = torch.tensor([0.3, -0.5, 1.0, 0.2], dtype=F64)


def number(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


CLIPS = MEAN[:, None] + number(0, 3, FRAMES, 1)


def drawn_law(mean, covariance, noise, schedule):
    """The law at t_min that deterministic sampling from S_max z gives, in y = u / alpha.

    In coordinates where the noise is white and the data's covariance diagonal, a deviation from the mean
    shrinks by ((c + S_min^2) / (c + S_max^2))^(1/2).
    """
    root = torch.linalg.cholesky(noise)
    inverse = torch.linalg.inv(root)
    c, basis = torch.linalg.eigh(inverse @ covariance @ inverse.T)
    ends = torch.tensor([schedule.t_min, schedule.t_max], dtype=F64)
    low, high = torch.exp(-schedule.log_snr(ends))
    shrink = torch.sqrt((c + low) / (c + high))
    m = basis.T @ inverse @ mean
    to = root @ basis
    return torch.distributions.MultivariateNormal(to @ (m - shrink * m), (to * (shrink**2 * high)) @ to.T)


EVERY = [(schedule(), White()) for schedule in SCHEDULES] + [
    (Cosine(), OrnsteinUhlenbeck()),
    (EDM(), FractionalBrownian(hurst=0.3)),
]


@pytest.mark.parametrize(("schedule", "noise"), EVERY, ids=repr)
def test_a_clip_has_the_density_of_what_is_drawn(schedule, noise):
    oracle = GaussianOracle(MEAN, DATA, Process(schedule, noise=noise))
    found = likelihood(oracle, CLIPS, steps=40)
    k = noise.correlation(FRAMES)
    expected = drawn_law(MEAN, DATA, torch.eye(FRAMES).double() if k is None else k, schedule)
    torch.testing.assert_close(found.log_prob, expected.log_prob(CLIPS[..., 0]), rtol=0, atol=5e-5)
    assert (found.entries, found.evaluations) == (FRAMES, 160)
    bits = -expected.log_prob(CLIPS[..., 0]) / math.log(2) / FRAMES
    torch.testing.assert_close(found.bits_per_entry, bits, rtol=3e-5, atol=3e-5)


@pytest.mark.parametrize("schedule", [Linear(), SubVP(), VarianceExploding()], ids=["vp", "sub_vp", "ve"])
def test_more_steps_reach_eight_digits(schedule):
    """Order four: half the step, a sixteenth of the error."""
    oracle = GaussianOracle(MEAN, DATA, Process(schedule))
    expected = drawn_law(MEAN, DATA, torch.eye(FRAMES).double(), schedule).log_prob(CLIPS[..., 0])
    found = [likelihood(oracle, CLIPS, steps=steps).log_prob for steps in (40, 80, 320)]
    errors = [float((each - expected).abs().max()) for each in found]
    assert errors[0] / errors[1] > 2**3.6
    assert errors[2] < 1e-8


WIDE = EDM(sigma_max=1e6)
"""So much noise that the signal left out at the start is nothing."""


def test_it_is_the_datas_density_but_for_the_blur():
    """What is left is the noise of t_min, 0.002: a variance of 4e-6."""
    found = likelihood(GaussianOracle(MEAN, DATA, Process(WIDE)), CLIPS, steps=80).log_prob
    truth = torch.distributions.MultivariateNormal(MEAN, DATA).log_prob(CLIPS[..., 0])
    torch.testing.assert_close(found, truth, rtol=0, atol=1e-4)


def test_a_mixture_has_its_exact_density():
    weights, means = torch.tensor([0.3, 0.7], dtype=F64), torch.stack((MEAN, -MEAN))
    oracle = MixtureOracle(weights, means, torch.stack((0.4 * DATA, 0.8 * DATA)), Process(WIDE))
    clips = torch.cat((means[:, :, None], 0.5 * CLIPS[:1]))
    found = likelihood(oracle, clips, steps=150).log_prob
    exact = oracle.log_prob(clips, torch.tensor(WIDE.t_min, dtype=F64))
    torch.testing.assert_close(found, exact, rtol=0, atol=1e-4)


def test_heavy_tailed_noise_has_the_density_of_its_own_flow():
    """Data +-1, D = 3, one entry: the mixture of two t laws with the noise of t_min."""
    schedule = EDM(sigma_min=0.1, sigma_max=3000.0)
    process = Process(schedule, noise=StudentT(degrees=3.0))
    oracle = EmpiricalOracle(torch.tensor([1.0, -1.0], dtype=F64).reshape(2, 1, 1), process)
    clips = torch.tensor([0.9, -1.3, 0.2], dtype=F64).reshape(3, 1, 1)
    law = torch.distributions.StudentT(torch.tensor(3.0, dtype=F64))
    each = torch.stack([law.log_prob((clips - m) / 0.1) for m in (1.0, -1.0)]) - math.log(0.2)
    found = likelihood(oracle, clips, steps=600).log_prob
    torch.testing.assert_close(found, torch.logsumexp(each, 0)[:, 0, 0], rtol=0, atol=1e-5)


COORDINATES = {
    "identity": Identity(),
    "anchored": Anchored(),
    "mixing": FrameMixing(),
    "anchored*mixing": Anchored() * FrameMixing(floor=0.3),
    "bridge": Bridge(),
    "anchored*process": Anchored() * GaussianProcess(prior=FractionalBrownian()),
}


@pytest.mark.parametrize("history", ["clean", "diffused"])
@pytest.mark.parametrize("coordinates", COORDINATES)
def test_the_future_given_its_history_in_the_data_own_units(coordinates, history):
    """Data ~ N(MEAN, DATA) in coded units whatever the coordinates; given the history where it is clean."""
    noise = White() if coordinates == "identity" else FractionalBrownian(hurst=0.3)
    process = Process(WIDE, COORDINATES[coordinates], noise, history)
    scale = torch.tensor([0.5, 2.0, 1.5, 0.8], dtype=F64)
    context = Context(
        history_frames=HISTORY,
        history=CLIPS[:, :HISTORY],
        anchor=torch.tensor([0.7, -0.2, 0.4, 2.0], dtype=F64).reshape(1, 4, 1).expand(3, -1, -1),
        anchor_scale=scale.reshape(1, 4, 1).expand(3, -1, -1),
        mask=torch.ones(3, FRAMES, 1),
    )
    zero = torch.zeros((), dtype=F64)
    to = process.coordinates.linear(torch.eye(FRAMES).double()[..., None], zero, Context(
        anchor=torch.zeros(1), anchor_scale=scale.reshape(1, 4, 1)))[..., 0].T  # fmt: skip
    inverse = torch.linalg.inv(to)
    center = process.coordinates.to_canonical(MEAN.reshape(1, 4, 1), zero, context.rows(slice(0, 1)))[0, :, 0]
    oracle = GaussianOracle(center, inverse @ DATA @ inverse.T, process)
    found = likelihood(oracle, CLIPS, context=context, steps=60)
    law = torch.distributions.MultivariateNormal
    truth = law(MEAN, DATA).log_prob(CLIPS[..., 0])
    if history == "clean":
        truth = truth - law(MEAN[:HISTORY], DATA[:HISTORY, :HISTORY]).log_prob(CLIPS[:, :HISTORY, 0])
    assert found.entries == FRAMES - (HISTORY if history == "clean" else 0)
    torch.testing.assert_close(found.log_prob, truth, rtol=0, atol=5e-4)


@dataclass(frozen=True, slots=True)
class Signs(Key):
    """A key whose rows are all sign vectors."""

    def integers(self, high, count):
        assert high == 2
        return torch.tensor(list(itertools.product((0, 1), repeat=count)))


def test_random_traces_are_right_on_average():
    """The mean over all 2^n sign vectors is the exact trace, so the log density's too."""
    oracle = GaussianOracle(MEAN, DATA, Process(Cosine()))
    clip = CLIPS[:1].expand(2**FRAMES, -1, -1)
    plain = Key.of(0, len(clip))
    found = likelihood(oracle, clip, steps=20, trace="hutchinson", key=Signs(plain.words, plain.member))
    exact = likelihood(oracle, CLIPS[:1], steps=20)
    torch.testing.assert_close(found.log_prob.mean()[None], exact.log_prob, rtol=0, atol=1e-10)
    assert found.log_prob.std() > 0.1
    drawn = likelihood(oracle, clip, steps=20, trace="hutchinson", key=plain).log_prob
    assert 1 < len(set(drawn.round(decimals=9).tolist())) <= 2**FRAMES


def test_raw_units_take_the_codecs_determinant():
    """log of log-normal data: the density in raw units by the codec's own Jacobian."""
    process = Process(WIDE)
    oracle = GaussianOracle(MEAN, DATA, process)
    raw = torch.exp(CLIPS)
    fitted = Chain(links=(Log(),)).restore_targets(
        {f"0.{name}": value for name, value in _log_arrays(Log()).items()}
    )
    state = fitted.state(raw[:, :1].numpy())
    coded = torch.from_numpy(fitted.encode(raw.numpy(), state))
    jacobian = torch.from_numpy(fitted.log_det(raw.numpy(), state)).flatten(1).sum(1)
    found = likelihood(oracle, coded, steps=80, log_det=jacobian)
    law = torch.distributions.MultivariateNormal(MEAN, DATA)
    shift = (coded - CLIPS).abs().max()
    truth = law.log_prob(coded[..., 0]) + jacobian
    assert shift < 1e-9
    torch.testing.assert_close(jacobian, -raw.log().flatten(1).sum(1), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found.log_prob, truth, rtol=0, atol=1e-4)


def _log_arrays(log):
    return {"offset": np.zeros(1)}


def test_what_has_no_density_is_said_before_any_work():
    def never(u, t, context):
        raise AssertionError("no work was to be done")

    process, key = Process(Cosine()), Key.of(0, 3)
    mask = torch.ones(3, FRAMES, 1)
    mask[0, 2] = 0.0
    past = Context(history_frames=HISTORY, history=CLIPS[:, :HISTORY], mask=mask)
    with pytest.raises(InputError, match="missing"):
        likelihood(never, CLIPS, process=process, context=past)
    with pytest.raises(InputError, match="finite"):
        likelihood(never, CLIPS / 0.0, process=process)
    with pytest.raises(InputError, match="steps=0"):
        likelihood(never, CLIPS, process=process, steps=0)
    for bad in (None, Key.of(0, 2)):
        with pytest.raises(InputError, match="one row a clip"):
            likelihood(never, CLIPS, process=process, trace="hutchinson", key=bad)
    mask[0, 2], mask[:, 0] = 1.0, 0.0
    start = Context(history_frames=HISTORY, history=CLIPS[:, :HISTORY], mask=mask)

    def calm(u, t, context):
        return Posterior(0.5 * u)

    assert likelihood(calm, CLIPS, process=process, context=start, steps=2, trace="hutchinson", key=key)
