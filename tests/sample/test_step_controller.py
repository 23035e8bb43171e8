"""Learned steps: the optimum of a known error law, exact laws, the tolerance, and what teaches nothing."""

import pytest
import torch

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key
from rheos.core.protocols import Posterior
from rheos.core.time_field import expand
from rheos.denoise.oracle import GaussianOracle, MixtureOracle
from rheos.process import Process
from rheos.process.schedule import Cosine, Linear
from rheos.sample import ErrorProfile, Preset, calibrate_grid, learn_steps, sample
from rheos.sample.correction import Langevin
from rheos.sample.driver import Adaptive
from rheos.sample.grid import LogSNR, TimeGrid
from rheos.sample.path import Pyramid
from rheos.sample.solver import Ancestral, Exponential, SingleStep, UniPC
from rheos.sample.step_controller import KNOTS, REFERENCE, densities, fit_logs

F64 = torch.float64
RANGE = LogSNR(highest=80.0, lowest=0.005)


def gaussian():
    torch.manual_seed(0)
    turn = torch.linalg.qr(torch.randn(8, 8, dtype=F64))[0]
    covariance = turn @ torch.diag(torch.logspace(-1, 0.5, 8, dtype=F64)) @ turn.mT
    return GaussianOracle(torch.randn(8, dtype=F64), covariance, Process(Cosine()))


def mixture():
    torch.manual_seed(0)
    weights, means = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=F64), torch.randn(4, 8, 1, dtype=F64)
    variances = torch.tensor([0.36, 0.64, 0.25, 0.49], dtype=F64)
    return MixtureOracle(weights, means, variances, Process(Linear()))


def error_of(denoise, preset, rows=64):
    """On clips that nothing was learned from."""
    drawn, exact = (
        sample(denoise, (rows, 8, 1), key=Key.of(7, rows), preset=chosen, dtype=F64).clips
        for chosen in (preset, REFERENCE)
    )
    return float((drawn - exact).square().mean().sqrt())


def even(evaluations, solver=None):
    return Preset(solver=solver or Exponential(order=3), grid=RANGE, evaluations=evaluations)


def test_densities_are_straight_between_knots_in_their_logarithm():
    found = densities(torch.tensor([0.0, 1.0, -1.0], dtype=F64), 4).log()
    torch.testing.assert_close(found, torch.tensor([0.25, 0.75, 0.5, -0.5], dtype=F64))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_optimum_of_a_known_error_law_is_found(order):
    """Errors a h^(k+1), added as squares, are least where all are equal: density a^(1/(k+1))."""
    schedule = Cosine()
    start = float(0.5 * schedule.log_snr(torch.tensor(schedule.t_max, dtype=F64)))
    lam = torch.linspace(start, 4.5, 401, dtype=F64)
    fine = TimeGrid(torch.cat((torch.tensor([schedule.t_max], dtype=F64), schedule.time_at(2.0 * lam[1:]))))
    known = torch.tensor([0.0, 0.8, -0.5, 0.3, 1.2, 0.4], dtype=F64)
    a = densities(known, 400) ** (order + 1)
    profile = ErrorProfile(fine, torch.ones(400, 1, dtype=F64), order)

    def residual(logs):
        grid = profile.place(schedule, 61, density=densities(logs, 400))
        ends = 0.5 * schedule.log_snr(grid.times)
        middle = 0.5 * (ends[1:] + ends[:-1]) - 0.5 * (lam[1] - lam[0])
        at = torch.searchsorted(lam, middle).clamp(0, 399)
        return a[at] * ends.diff() ** (order + 1)

    found = fit_logs(residual, torch.zeros(KNOTS, dtype=F64))
    least = float(residual(known).square().mean().sqrt())
    assert float(residual(found).square().mean().sqrt()) < 1.06 * least
    assert float(residual(torch.zeros(KNOTS, dtype=F64)).square().mean().sqrt()) > 1.4 * least
    # The first knot's hat is half as wide and holds few steps: the others are known to each other.
    away = (found - known)[1:]
    assert float((away - away.mean()).abs().max()) < 0.15
    assert found[0] == 0.0


def test_a_profile_is_thinned_and_thickened_by_a_density():
    schedule = Cosine()
    grid = LogSNR(highest=20.0, lowest=0.01).times(schedule, 41)
    errors = torch.logspace(-2, 1, 40, dtype=F64)[:, None]
    density = torch.linspace(1.0, 5.0, 40, dtype=F64)
    found = ErrorProfile(grid, errors, 1).place(schedule, 9, density=density)
    # The rule's own need is errors^(1/2) over its mean, plus 1.
    need = (errors[:, 0].sqrt() / errors[:, 0].sqrt().mean() + 1.0) * density
    alike = ErrorProfile(grid, need[:, None] ** 2, 1).place(schedule, 9, evenness=0.0)
    torch.testing.assert_close(found.times, alike.times)


@pytest.mark.parametrize(
    ("oracle", "solver", "placed", "learned", "share"),
    [
        (gaussian, Exponential(order=3), 15, 12, 0.5),
        (gaussian, UniPC(), 15, 12, 0.05),
        (gaussian, SingleStep(order=2), 12, 12, 0.75),
        (mixture, Exponential(order=3), 10, 8, 0.6),
        (mixture, SingleStep(order=2), 10, 10, 0.75),
    ],
    ids=lambda p: getattr(p, "__name__", None),
)
def test_other_clips_err_less_than_on_the_calibrated_grid(oracle, solver, placed, learned, share):
    denoise, shape, key = oracle(), (32, 8, 1), Key.of(1, 32)
    chosen = even(placed, solver)
    grid = calibrate_grid(denoise, shape, key=key, preset=chosen)
    found = learn_steps(denoise, shape, key=key, preset=even(learned, solver)).preset
    spent = sample(denoise, (2, 8, 1), key=Key.of(0, 2), preset=found).evaluations
    assert spent == found.evaluations <= learned
    calibrated = error_of(denoise, chosen.model_copy(update={"grid": grid}))
    assert error_of(denoise, found) < share * calibrated


@pytest.mark.parametrize(("oracle", "tolerance"), [(gaussian, 0.01), (mixture, 0.045)])
def test_it_keeps_a_tolerance_with_the_fewest_calls(oracle, tolerance):
    denoise, shape, key = oracle(), (48, 8, 1), Key.of(1, 48)
    found = learn_steps(denoise, shape, key=key, preset=even(12), tolerance=tolerance)
    assert found.error <= tolerance
    assert error_of(denoise, found.preset) < 1.3 * tolerance
    assert found.preset.evaluations == len(found.preset.grid) < 12
    fewer = learn_steps(denoise, shape, key=key, preset=even(found.preset.evaluations - 1))
    assert fewer.error > tolerance


def test_a_tolerance_out_of_reach_takes_the_most():
    found = learn_steps(gaussian(), (16, 8, 1), key=Key.of(1, 16), preset=even(6), tolerance=1e-9)
    assert found.preset.evaluations == 6
    assert found.error > 1e-9


def test_what_is_learned_is_plain_numbers_between_the_same_ends():
    denoise, chosen = gaussian(), even(10, SingleStep(order=2))
    found = learn_steps(denoise, (16, 8, 1), key=Key.of(1, 16), preset=chosen)
    assert found == learn_steps(denoise, (16, 8, 1), key=Key.of(1, 16), preset=chosen)
    # Steps of two calls each, but the last: five for the ten calls that were allowed, of which nine are used.
    assert len(found.preset.grid) == 5
    assert found.preset.evaluations == 9
    usual = RANGE.times(Cosine(), 5).times
    assert torch.allclose(found.preset.grid.times[[0, -1]], usual[[0, -1]])
    assert Preset.model_validate_json(found.preset.model_dump_json()) == found.preset
    assert len(found.logs) == KNOTS
    assert found.logs[0] == 0.0


def test_the_error_is_that_of_the_clips_learned_from():
    denoise, key = mixture(), Key.of(1, 16)
    found = learn_steps(denoise, (16, 8, 1), key=key, preset=even(10))
    drawn, exact = (
        sample(denoise, (16, 8, 1), key=key, preset=chosen).clips for chosen in (found.preset, REFERENCE)
    )
    assert found.error == pytest.approx(float((drawn - exact).square().mean().sqrt()), rel=1e-4)


def test_history_and_what_is_missing_teach_nothing():
    mask = torch.ones(4, 3, 2)
    mask[:, 2, 1] = 0.0
    context = Context(history_frames=1, history=torch.full((4, 1, 2), 7.0), mask=mask)

    def denoise(u, t, context, wild=0.0):
        mean = 0.7 * u + torch.sin(2.0 * u) * (1 - expand(t, u)) * 0.3
        mean[:, :1] += wild * torch.sin(40.0 * u[:, :1])
        mean[:, 2, 1] = wild * torch.sin(40.0 * u[:, 2, 1]) if wild else mean[:, 2, 1]
        return Posterior(mean=mean)

    def wilder(u, t, context):
        return denoise(u, t, context, wild=30.0)

    options = {"key": Key.of(0, 4), "process": Process(Cosine()), "context": context, "preset": even(8)}
    plain, other = (learn_steps(one, (4, 3, 2), **options) for one in (denoise, wilder))
    assert plain.logs == pytest.approx(other.logs, abs=1e-6)
    assert plain.error == pytest.approx(other.error, rel=1e-5)
    del options["preset"]
    drawn, exact = (sample(denoise, (4, 3, 2), preset=p, **options).clips for p in (plain.preset, REFERENCE))
    away = (drawn - exact)[:, 1:][mask[:, 1:] > 0]
    assert plain.error == pytest.approx(float(away.square().mean().sqrt()), rel=1e-4)


def test_what_it_refuses():
    options = {"key": Key.of(0, 2)}
    for preset in (
        Preset(solver=Ancestral()),
        Preset(corrections=(Langevin(),)),
        Preset(solver=SingleStep(), adaptive=Adaptive()),
        Preset(path=Pyramid()),
    ):
        with pytest.raises(IncompatibleError, match="all frames at one time"):
            learn_steps(gaussian(), (2, 8, 1), preset=preset, **options)
    with pytest.raises(InputError, match="3 steps"):
        learn_steps(gaussian(), (2, 8, 1), preset=even(3), **options)
    with pytest.raises(InputError, match="list of times"):
        learn_steps(gaussian(), (2, 8, 1), preset=Preset(grid=RANGE.times(Cosine(), 9)), **options)
