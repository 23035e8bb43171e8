"""The free error estimate against its formula, and grids that spread it evenly."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.keys import Key
from rheos.core.protocols import Posterior
from rheos.core.time_field import expand
from rheos.denoise.oracle import GaussianOracle, MixtureOracle
from rheos.process import Process
from rheos.process.schedule import EDM, CondOT, Cosine, Linear
from rheos.sample import ErrorProfile, Preset, calibrate_grid, error_profile, sample
from rheos.sample.grid import Karras, LogSNR, TimeGrid, Uniform
from rheos.sample.solver import DDIM, DPMpp2M, Exponential

F64 = torch.float64
RANGE = LogSNR(highest=80.0, lowest=0.005)
MODES = torch.logspace(-2, 1, 16, dtype=F64)


class Kept:
    """A denoiser that is neither affine nor the same for all rows, and all that it answered."""

    def __init__(self):
        self.answers = []

    def __call__(self, u, t, context=None):
        mean = torch.sin(2.0 * u) * (1 - expand(t, u)) + 0.3
        self.answers.append(mean)
        return Posterior(mean=mean)


class Modes:
    """The exact denoiser of independent modes."""

    def __init__(self, schedule, variances=MODES):
        self.process, self.variances = Process(schedule), variances

    def __call__(self, u, t, context=None):
        alpha, sigma = expand(self.process.schedule.alpha(t), u), expand(self.process.schedule.sigma(t), u)
        return Posterior(
            mean=alpha * self.variances / (alpha**2 * self.variances + sigma**2).to(u) * u.double()
        )


def by_hand(schedule, times, answers, order):
    """The next term of the interpolant, integrated by quadrature, over the noise at the step's end."""
    lam = 0.5 * schedule.log_snr(times).numpy()
    sigma, alpha = schedule.sigma(times).numpy(), schedule.alpha(times).numpy()
    found = []
    for i in range(order, len(times) - 1):
        nodes = [lam[i - j] - lam[i] for j in range(order + 1)]
        table = [answers[i - j].double().flatten(1).numpy() for j in range(order + 1)]
        for level in range(1, order + 1):  # Newton's divided differences
            table = [(table[j] - table[j + 1]) / (nodes[j] - nodes[j + level]) for j in range(len(table) - 1)]
        h = lam[i + 1] - lam[i]

        def term(v, h=h, nodes=nodes):
            return np.exp(v - h) * np.prod([v - node for node in nodes[:-1]])

        error = alpha[i + 1] * table[0] * quad(term, 0.0, h)[0] / sigma[i + 1]
        found.append(np.sqrt((error**2).mean(1)))
    return np.array(found)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("grid", [Uniform(), Karras()], ids=lambda g: g.name())
@pytest.mark.parametrize("schedule", [Linear(), CondOT(), EDM()], ids=lambda s: s.name())
def test_the_error_is_the_next_term_of_the_interpolant(schedule, grid, order):
    denoise = Kept()
    profile = error_profile(
        denoise,
        (3, 2, 4),
        key=Key.of(0, 3),
        process=Process(schedule),
        preset=Preset(solver=Exponential(order=order), grid=grid),
        pilot=30,
    )
    assert len(denoise.answers) == 30
    expected = by_hand(schedule, profile.grid.times, denoise.answers, order)
    lam = 0.5 * schedule.log_snr(profile.grid.times)
    # Past a leap of more than ten times its length, as from pure noise, no step looks back.
    first = next(i for i in range(order, 29) if lam[i] - lam[i - order] <= 10 * (lam[i + 1] - lam[i]))
    np.testing.assert_allclose(profile.errors[first:], expected[first - order :], rtol=1e-3, atol=1e-9)
    # What has too short a history counts as the first that has not.
    assert torch.equal(profile.errors[:first], profile.errors[first].expand(first, -1))


def test_it_falls_with_the_declared_power_of_the_step():
    denoise = Modes(Cosine())
    for solver, power in ((DDIM(), 2), (DPMpp2M(), 3), (Exponential(order=3), 4), (Exponential(order=4), 4)):
        chosen = Preset(solver=solver, grid=RANGE)
        coarse, fine = (
            error_profile(denoise, (4, 1, 16), key=Key.of(0, 4), preset=chosen, pilot=pilot).errors.mean()
            for pilot in (101, 201)
        )
        assert float(torch.log2(coarse / fine)) == pytest.approx(power, abs=0.25)


def test_history_and_what_is_missing_do_not_count():
    history = torch.full((2, 1, 2), 7.0)
    mask = torch.ones(2, 3, 2)
    mask[:, 2, 1] = 0.0
    context = Context(history_frames=1, history=history, mask=mask)
    seen = []

    def denoise(u, t, context):
        mean = torch.sin(2.0 * u) * (1 - expand(t, u))
        mean[:, :1] = 100.0 * torch.rand(1)
        mean[:, 2, 1] = 100.0 * torch.rand(1)
        seen.append(mean)
        return Posterior(mean=mean)

    process = Process(Cosine())
    chosen = Preset(solver=DDIM(), grid=RANGE)
    profile = error_profile(
        denoise, (2, 3, 2), key=Key.of(0, 2), process=process, context=context, preset=chosen, pilot=20
    )
    counted = [torch.stack((mean[:, 1, 0], mean[:, 1, 1], mean[:, 2, 0]), 1) for mean in seen]
    expected = by_hand(process.schedule, profile.grid.times, counted, 1)
    np.testing.assert_allclose(profile.errors[1:], expected, rtol=2e-4, atol=1e-9)


def test_places_follow_the_errors_given():
    schedule = Cosine()
    grid = LogSNR(highest=20.0, lowest=0.01).times(schedule, 41)
    times = TimeGrid(torch.cat((grid.times[:1], schedule.time_at(torch.linspace(-5.9, 9.0, 40, dtype=F64)))))
    lam = 0.5 * schedule.log_snr(times.times)
    even = ErrorProfile(times, torch.ones(40, 1, dtype=F64), order=1)
    for profile, evenness in ((even, 0.0), (ErrorProfile(times, 0 * even.errors, 1), 0.0), (even, 2.0)):
        assert torch.allclose(profile.place(schedule, 41, evenness=evenness).times, times.times)
    # Errors of h^2: four times the error needs twice the steps; both rows count, as a mean square.
    errors = torch.ones(40, 2, dtype=F64)
    errors[:20] = torch.tensor([0.0, 4.0 * 2**0.5], dtype=F64)
    twice = ErrorProfile(times, errors, order=1)
    found = 0.5 * schedule.log_snr(twice.place(schedule, 7, evenness=0.0).times)
    expected = [
        lam[0],
        *(lam[int(k)] + (k % 1) * (lam[int(k) + 1] - lam[int(k)]) for k in (5, 10, 15, 20, 30)),
    ]
    assert torch.allclose(found[:-1], torch.stack(expected), atol=1e-9)
    assert float(found[-1]) == pytest.approx(float(lam[-1]))
    # One part even, one part by need (4/3 and 2/3 of the mean): 7/3 to 5/3.
    mixed = 0.5 * schedule.log_snr(twice.place(schedule, 13, evenness=1.0).times)
    assert float(mixed[7]) == pytest.approx(float(lam[20]), abs=1e-9)
    ends = twice.place(schedule, 1)
    assert ends.times.tolist() == times.times[:1].tolist()


@pytest.mark.parametrize("order", [1, 2, 3])
def test_placed_steps_have_equal_errors(order):
    """On 80 steps of its own choice the estimate, taken again, varies a fifth as much as on even ones."""
    denoise, key = Modes(Cosine()), Key.of(1, 16)
    chosen = Preset(solver=Exponential(order=order), grid=RANGE)
    profile = error_profile(denoise, (16, 1, 16), key=key, preset=chosen, pilot=200)

    class Placed(LogSNR):
        def times(self, schedule, steps):
            return profile.place(schedule, steps, evenness=0.0)

    def variation(grid):
        again = chosen.model_copy(update={"grid": grid})
        errors = error_profile(denoise, (16, 1, 16), key=key, preset=again, pilot=80).errors[order:]
        errors = errors.square().mean(1).sqrt()
        return float(errors.std() / errors.mean())

    assert variation(Placed()) < 0.25
    assert variation(Placed()) < 0.3 * variation(RANGE)


def error_of(denoise, shape, preset, exact):
    drawn = sample(denoise, shape, key=Key.of(0, shape[0]), preset=preset, dtype=F64)
    return float((drawn.clips - exact).square().mean().sqrt()), drawn.evaluations


def mixture():
    torch.manual_seed(0)
    means = 2.0 * torch.randn(4, 8, 1, dtype=F64)
    weights = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=F64)
    return MixtureOracle(
        weights, means, torch.tensor([0.09, 0.01, 0.25, 0.0025], dtype=F64), Process(Cosine())
    )


def gaussian():
    torch.manual_seed(0)
    turn = torch.linalg.qr(torch.randn(8, 8, dtype=F64))[0]
    covariance = turn @ torch.diag(torch.logspace(-1, 0.5, 8, dtype=F64)) @ turn.mT
    return GaussianOracle(torch.randn(8, dtype=F64), covariance, Process(Cosine()))


@pytest.mark.parametrize(
    ("oracle", "solver", "steps", "share"),
    [
        (gaussian, Exponential(order=2), 20, 0.5),
        (gaussian, Exponential(order=3), 20, 0.5),
        (gaussian, DPMpp2M(), 20, 0.6),
        (mixture, Exponential(order=2), 20, 0.5),
        (mixture, Exponential(order=3), 20, 0.5),
        (mixture, Exponential(order=2), 30, 0.6),
    ],
    ids=lambda p: getattr(p, "__name__", None),
)
def test_at_equal_cost_the_error_is_less_than_on_an_even_grid(oracle, solver, steps, share):
    denoise, shape = oracle(), (32, 8, 1)
    best = Preset(solver=Exponential(order=3), grid=LogSNR(highest=500.0, lowest=0.002), evaluations=160)
    exact = sample(denoise, shape, key=Key.of(0, 32), preset=best, dtype=F64).clips
    even = Preset(solver=solver, grid=RANGE, evaluations=steps)
    grid = calibrate_grid(denoise, shape, key=Key.of(1, 32), preset=even)
    usual, spent = error_of(denoise, shape, even, exact)
    placed, also = error_of(denoise, shape, even.model_copy(update={"grid": grid}), exact)
    assert spent == also == steps
    assert placed < share * usual


def test_a_grid_is_plain_times_with_the_same_ends():
    denoise = Modes(Cosine())
    chosen = Preset(grid=RANGE, evaluations=12)
    grid = calibrate_grid(denoise, (8, 1, 16), key=Key.of(0, 8), preset=chosen)
    again = calibrate_grid(denoise, (8, 1, 16), key=Key.of(0, 8), preset=chosen)
    assert grid == again
    usual = RANGE.times(Cosine(), 12).times
    assert len(grid) == 12
    assert torch.allclose(grid.times[[0, -1]], usual[[0, -1]])
    kept = chosen.model_copy(update={"grid": grid})
    assert Preset.model_validate_json(kept.model_dump_json()) == kept


def test_what_it_refuses():
    denoise = Modes(Cosine())
    options = {"key": Key.of(0, 2), "process": Process(Cosine())}
    with pytest.raises(InputError, match="pilot=4"):
        error_profile(denoise, (2, 1, 16), pilot=4, **options)
    frozen = Preset(grid=RANGE.times(Cosine(), 9))
    with pytest.raises(InputError, match="list of times"):
        calibrate_grid(denoise, (2, 1, 16), preset=frozen, **options)
    profile = error_profile(denoise, (2, 1, 16), pilot=9, **options)
    with pytest.raises(InputError, match="evenness"):
        profile.place(Cosine(), 5, evenness=-0.1)
